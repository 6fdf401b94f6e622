/* Reads the credentials file and the key files it names. */
#include "credentials.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "record/json.h"

enum { FILE_MAX_BYTES = 1024 * 1024, PATH_MAX_BYTES = 4096 };

/* `name' as seen from the folder of `from'. */
static void put_path(struct buf *b, const char *from, struct span name)
{
	const char *slash = strrchr(from, '/');

	if (slash != NULL && (name.len == 0 || name.ptr[0] != '/')) {
		buf_put(b, from, (size_t)(slash - from) + 1);
	}
	buf_put(b, name.ptr, name.len);
}

static struct json_doc *load(const char *path, struct err *err)
{
	struct json_doc *doc = NULL;
	struct buf text;

	buf_init(&text, FILE_MAX_BYTES);
	if (buf_read_file(&text, path, err) == 0) {
		doc = json_parse(text.data, text.len, JSON_COMMENTS, err);
		if (doc == NULL) {
			(void)err_prefix(err, "'%s'", path);
		}
	}
	buf_release(&text);
	return doc;
}

/* A key from PEM text, private or public. */
static EVP_PKEY *key_of(struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	EVP_PKEY *key = NULL;

	if (bio == NULL) {
		return NULL;
	}
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	if (key == NULL && BIO_reset(bio) == 1) {
		key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	}
	BIO_free(bio);
	return key;
}

static char *text_take(const struct json *object, const char *name)
{
	struct span s = json_text(json_get(object, name));

	return s.ptr == NULL ? NULL : mem_dup(s.ptr, s.len);
}

static int load_apns(struct apns_key *k, const struct json *row,
	const char *path, struct err *err)
{
	struct buf file;
	struct buf pem;
	int rc = -1;

	buf_init(&file, PATH_MAX_BYTES);
	buf_init(&pem, FILE_MAX_BYTES);
	k->kid = text_take(row, "kid");
	k->team = text_take(row, "team");
	struct span name = json_text(json_get(row, "key"));
	if (k->kid == NULL || k->team == NULL || name.ptr == NULL) {
		(void)err_usage(err, 0,
			"'%s': an apns key needs kid, team and key", path);
		goto out;
	}
	put_path(&file, path, name);
	if (buf_read_file(&pem, buf_string(&file), err) != 0) {
		goto out;
	}
	k->key = key_of((struct span){ pem.data, pem.len });
	if (k->key == NULL) {
		(void)err_usage(err, 0, "no key in '%s'", buf_string(&file));
		goto out;
	}
	struct json_iter it = json_iter(json_get(row, "topics"));
	const struct json *topic = NULL;
	while ((topic = json_next(&it)) != NULL &&
		k->topic_count < TOPICS_MAX) {
		struct span s = json_text(topic);
		k->topics[k->topic_count++] = mem_dup(s.ptr, s.len);
	}
	rc = 0;
out:
	buf_release(&file);
	buf_release(&pem);
	return rc;
}

static int load_google(struct google_account *g, const struct json *row,
	const char *path, struct err *err)
{
	struct json_doc *doc = NULL;
	struct buf file;
	int rc = -1;

	buf_init(&file, PATH_MAX_BYTES);
	put_path(&file, path, json_text(json_get(row, "service_account")));
	doc = load(buf_string(&file), err);
	if (doc == NULL) {
		goto out;
	}
	const struct json *account = json_root(doc);
	g->email = text_take(account, "client_email");
	g->kid = text_take(account, "private_key_id");
	g->project = text_take(account, "project_id");
	g->token_uri = text_take(account, "token_uri");
	struct span pem = json_text(json_get(account, "private_key"));
	g->key = pem.ptr == NULL ? NULL : key_of(pem);
	if (g->email == NULL || g->kid == NULL || g->project == NULL ||
		g->token_uri == NULL || g->key == NULL) {
		(void)err_usage(err, 0,
			"'%s': a service account needs client_email, private_key_id, project_id, token_uri and private_key",
			buf_string(&file));
		goto out;
	}
	rc = 0;
out:
	json_free(doc);
	buf_release(&file);
	return rc;
}

static int load_sentry(
	struct sentry_key *k, const struct json *entry, struct err *err)
{
	k->key = text_take(entry, "key");
	k->project = text_take(entry, "project");
	if (k->key == NULL || k->project == NULL) {
		return err_usage(
			err, 0, "a key of Sentry's needs key and project");
	}
	return 0;
}

/* The name of the file with the CA of Apple's stand-in, or NULL. */
static char *load_ca(const struct json *name, const char *path)
{
	struct buf file;
	char *result;

	if (json_text(name).ptr == NULL) {
		return NULL;
	}
	buf_init(&file, PATH_MAX_BYTES);
	put_path(&file, path, json_text(name));
	result = mem_dup(file.data, file.len);
	buf_release(&file);
	return result;
}

int credentials_load(struct credentials *c, const char *path, struct err *err)
{
	struct json_doc *doc = load(path, err);
	int rc = -1;

	if (doc == NULL) {
		return -1;
	}
	const struct json *apns = json_get(json_root(doc), "apns");
	const struct json *google = json_get(json_root(doc), "google");
	const struct json *sentry = json_get(json_root(doc), "sentry");
	c->apns = mem_array(json_count(apns) + 1, sizeof(*c->apns));
	c->google = mem_array(json_count(google) + 1, sizeof(*c->google));
	c->sentry = mem_array(json_count(sentry) + 1, sizeof(*c->sentry));
	for (size_t i = 0; i < json_count(apns); i++) {
		c->apns_count = i + 1;
		if (load_apns(&c->apns[i], json_at(apns, i), path, err) != 0) {
			goto out;
		}
	}
	for (size_t i = 0; i < json_count(google); i++) {
		c->google_count = i + 1;
		if (load_google(&c->google[i], json_at(google, i), path, err) !=
			0) {
			goto out;
		}
	}
	for (size_t i = 0; i < json_count(sentry); i++) {
		c->sentry_count = i + 1;
		if (load_sentry(&c->sentry[i], json_at(sentry, i), err) != 0) {
			goto out;
		}
	}
	c->apns_ca = load_ca(json_get(json_root(doc), "apns_ca"), path);
	rc = 0;
out:
	json_free(doc);
	return rc;
}

void credentials_release(struct credentials *c)
{
	for (size_t i = 0; i < c->apns_count; i++) {
		struct apns_key *k = &c->apns[i];
		mem_free(k->kid);
		mem_free(k->team);
		EVP_PKEY_free(k->key);
		for (size_t t = 0; t < k->topic_count; t++) {
			mem_free(k->topics[t]);
		}
	}
	for (size_t i = 0; i < c->google_count; i++) {
		struct google_account *g = &c->google[i];
		mem_free(g->email);
		mem_free(g->kid);
		mem_free(g->project);
		mem_free(g->token_uri);
		EVP_PKEY_free(g->key);
	}
	for (size_t i = 0; i < c->sentry_count; i++) {
		mem_free(c->sentry[i].key);
		mem_free(c->sentry[i].project);
	}
	mem_free(c->sentry);
	mem_free(c->apns_ca);
	mem_free(c->apns);
	mem_free(c->google);
	*c = (struct credentials){ .apns = NULL };
}

const struct apns_key *credentials_apns(
	const struct credentials *c, struct span kid)
{
	for (size_t i = 0; i < c->apns_count; i++) {
		if (span_is(kid, c->apns[i].kid)) {
			return &c->apns[i];
		}
	}
	return NULL;
}

const struct google_account *credentials_google(
	const struct credentials *c, struct span email)
{
	for (size_t i = 0; i < c->google_count; i++) {
		if (span_is(email, c->google[i].email)) {
			return &c->google[i];
		}
	}
	return NULL;
}

const struct google_account *credentials_project(
	const struct credentials *c, struct span project)
{
	for (size_t i = 0; i < c->google_count; i++) {
		if (span_is(project, c->google[i].project)) {
			return &c->google[i];
		}
	}
	return NULL;
}

const struct sentry_key *credentials_sentry(
	const struct credentials *c, struct span key)
{
	for (size_t i = 0; i < c->sentry_count; i++) {
		if (span_is(key, c->sentry[i].key)) {
			return &c->sentry[i];
		}
	}
	return NULL;
}
