/*
 * Reads an app's settings and the files they name.  Whether Apple believes them
 * turns out when something is sent.
 */
#include "vendor/apns_account.h"

#include <string.h>

#include "base/mem.h"
#include "net/identity.h"
#include "wire/apns.h"

void apns_account_free(struct apns_account *a)
{
	jwt_key_free(a->key);
	identity_free(a->identity);
	mem_free(a->key_id);
	mem_free(a->team_id);
	mem_free(a->topic);
	mem_free(a);
}

/* The file that a setting names, as a whole; nothing for a setting that is not
 * there. */
static int read_file(const struct conf *conf, const struct json *settings,
	const char *name, struct buf *text, struct err *err)
{
	struct span file = json_text(json_get(settings, name));
	char *path;
	int result;

	if (file.len == 0) {
		return 0;
	}
	path = conf_file_take(conf, file.ptr);
	result = buf_read_file(text, path, err);
	if (result != 0) {
		err->is_usage = true; /* only a person can put it there */
	}
	mem_free(path);
	return result;
}

static char *take_text(const struct json *settings, const char *name)
{
	struct span text = json_text(json_get(settings, name));

	return text.len > 0 ? mem_dup(text.ptr, text.len) : NULL;
}

/* --- with a key --- */

static int account_read_key(struct apns_account *a, const struct conf *conf,
	const struct json *settings, struct err *err)
{
	struct buf text;
	int result;

	a->key_id = take_text(settings, "key_id");
	a->team_id = take_text(settings, "team_id");
	if (a->key_id == NULL || a->team_id == NULL || a->topic == NULL) {
		return err_usage(err, 0,
			"needs key_file, key_id, team_id and topic, or "
			"certificate_file");
	}
	buf_init(&text, JWT_KEY_FILE_MAX_BYTES);
	result = read_file(conf, settings, "key_file", &text, err);
	if (result == 0) {
		a->secrets = digest_of(text.data, text.len);
		a->key = jwt_key_private(
			JWT_ES256, (struct span){ text.data, text.len }, err);
		if (a->key == NULL) {
			result = err_prefix(err, "key file '%s'",
				json_text(json_get(settings, "key_file")).ptr);
		}
	}
	buf_release(&text);
	return result;
}

/* --- with a certificate --- */

/* The first line: files are written by editors, which end lines. */
static struct span first_line(const struct buf *text)
{
	size_t len = 0;

	while (len < text->len && text->data[len] != '\n' &&
		text->data[len] != '\r') {
		len++;
	}
	return (struct span){ text->data, len };
}

/* A certificate of one app has the bundle id as its subject's user id. */
static int account_set_topic(struct apns_account *a, struct err *err)
{
	struct span user = identity_user(a->identity);

	if (a->topic != NULL) {
		return 0;
	}
	if (user.len == 0) {
		return err_usage(err, 0,
			"needs topic, since the certificate names none");
	}
	a->topic = mem_dup(user.ptr, user.len);
	return 0;
}

static int account_read_certificate(struct apns_account *a,
	const struct conf *conf, const struct json *settings, struct err *err)
{
	struct buf certificate;
	struct buf key;
	struct buf password;
	int result = -1;

	buf_init(&certificate, IDENTITY_FILE_MAX_BYTES);
	buf_init(&key, IDENTITY_FILE_MAX_BYTES);
	buf_init(&password, IDENTITY_FILE_MAX_BYTES);
	if (read_file(conf, settings, "certificate_file", &certificate, err) ==
			0 &&
		read_file(conf, settings, "certificate_key_file", &key, err) ==
			0 &&
		read_file(conf, settings, "password_file", &password, err) ==
			0) {
		const struct identity_files files = {
			.certificate = { certificate.data, certificate.len },
			.key = { key.data, key.len },
			.password = first_line(&password),
		};
		const struct digest_part parts[] = {
			{ certificate.data, certificate.len },
			{ key.data, key.len },
		};

		a->secrets = digest_of_parts(parts, 2);
		a->identity = identity_new(&files, err);
		result =
			a->identity != NULL
				? account_set_topic(a, err)
				: err_prefix(err, "certificate file '%s'",
					  json_text(json_get(settings,
							    "certificate_file"))
						  .ptr);
	}
	buf_release(&certificate);
	buf_release(&key);
	buf_release(&password);
	return result;
}

/* --- both --- */

static int account_read(struct apns_account *a, const struct conf *conf,
	const struct json *settings, struct err *err)
{
	bool has_certificate = json_get(settings, "certificate_file") != NULL;
	bool has_key = json_get(settings, "key_file") != NULL;

	a->topic = take_text(settings, "topic");
	if (has_certificate && has_key) {
		return err_usage(
			err, 0, "has both key_file and certificate_file");
	}
	if (has_certificate) {
		if (account_read_certificate(a, conf, settings, err) != 0) {
			return -1;
		}
	} else if (account_read_key(a, conf, settings, err) != 0) {
		return -1;
	}
	if (!apns_is_topic(span_of(a->topic))) {
		return err_usage(err, 0, "topic is no bundle id");
	}
	return 0;
}

struct apns_account *apns_account_new(
	const struct conf *conf, const struct json *settings, struct err *err)
{
	struct apns_account *a = mem_array(1, sizeof(*a));

	a->is_sandbox =
		json_is_text(json_get(settings, "environment"), "sandbox");
	a->tries_other =
		json_bool(json_get(settings, "try_other_environment"), false);
	a->drops_ambiguous =
		json_is_text(json_get(settings, "ambiguous"), "drop");
	a->shortens = json_bool(json_get(settings, "shorten"), false);
	if (account_read(a, conf, settings, err) != 0) {
		apns_account_free(a);
		return NULL;
	}
	return a;
}

/* Apple binds a connection to a team and its key, or to a certificate, not to a
 * topic. */
void apns_account_identity(const struct apns_account *a, struct buf *out)
{
	if (a->identity != NULL) {
		buf_text(out, "certificate ");
	} else {
		buf_fmt(out, "%s %s ", a->team_id, a->key_id);
	}
	buf_put(out, a->secrets.bytes, sizeof(a->secrets.bytes));
}
