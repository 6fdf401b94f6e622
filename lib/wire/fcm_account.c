/* The service account: whose assertions become access tokens. */
#include "wire/fcm.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/mem.h"

static int take_text(
	const struct json *root, const char *name, char **out, struct err *err)
{
	struct span text = json_text(json_get(root, name));

	if (text.ptr == NULL || text.len == 0 || strlen(text.ptr) != text.len) {
		return err_usage(err, 0,
			"service account has no text member '%s'", name);
	}
	*out = mem_dup(text.ptr, text.len);
	return 0;
}

static int read_account(
	struct fcm_account *a, const struct json *root, struct err *err)
{
	struct span pem = json_text(json_get(root, "private_key"));

	if (!json_is_text(json_get(root, "type"), "service_account")) {
		return err_usage(err, 0,
			"not a service account: member 'type' is not "
			"'service_account'");
	}
	if (take_text(root, "client_email", &a->client_email, err) != 0 ||
		take_text(root, "private_key_id", &a->private_key_id, err) !=
			0 ||
		take_text(root, "project_id", &a->project_id, err) != 0 ||
		take_text(root, "token_uri", &a->token_uri, err) != 0) {
		return -1;
	}
	if (!fcm_is_project(span_of(a->project_id))) {
		return err_usage(err, 0,
			"member 'project_id' of the service account is no "
			"project id");
	}
	a->key = jwt_key_private(JWT_RS256, pem, err);
	if (a->key == NULL) {
		return err_prefix(
			err, "member 'private_key' of the service account");
	}
	return 0;
}

int fcm_account_parse(struct fcm_account *a, struct span text, struct err *err)
{
	struct json_doc *doc = NULL;
	int result = -1;

	*a = (struct fcm_account){ 0 };
	doc = json_parse(text.ptr, text.len, JSON_STRICT, NULL);
	if (doc == NULL) {
		/* The parser's own text could show a piece of the key. */
		return err_usage(err, 0, "service account is no JSON");
	}
	result = read_account(a, json_root(doc), err);
	json_free(doc);
	if (result != 0) {
		fcm_account_release(a);
	}
	return result;
}

int fcm_account_file(struct fcm_account *a, const char *path, struct err *err)
{
	struct buf bytes;
	int result = -1;

	*a = (struct fcm_account){ 0 };
	buf_init(&bytes, JWT_KEY_FILE_MAX_BYTES);
	if (buf_read_file(&bytes, path, err) == 0) {
		result = fcm_account_parse(
			a, (struct span){ bytes.data, bytes.len }, err);
		if (result != 0) {
			result = err_prefix(err, "file '%s'", path);
		}
	}
	if (bytes.data != NULL) {
		OPENSSL_cleanse(bytes.data, bytes.cap);
	}
	buf_release(&bytes);
	return result;
}

void fcm_account_release(struct fcm_account *a)
{
	mem_free(a->client_email);
	mem_free(a->private_key_id);
	mem_free(a->project_id);
	mem_free(a->token_uri);
	jwt_key_free(a->key);
	*a = (struct fcm_account){ 0 };
}
