/*
 * What the engine needs to know of Google: which records are its, the service
 * account of an app, and that its access token is fetched.  The protocol itself
 * is in wire/fcm.
 */
#include "vendor/fcm.h"

#include "base/digest.h"
#include "base/mem.h"
#include "wire/fcm.h"

enum { ACCOUNT_FILE_MAX_BYTES = 64 * 1024 };

struct account {
	struct fcm_account google; /* owned */
	struct digest digest;      /* of the file */
	bool shortens;
	bool validate_only;
	bool drops_ambiguous;
};

static void account_free(void *self)
{
	struct account *a = self;

	fcm_account_release(&a->google);
	mem_free(a);
}

static int account_read(struct account *a, const char *path, struct err *err)
{
	struct buf text;
	int result;

	buf_init(&text, ACCOUNT_FILE_MAX_BYTES);
	result = buf_read_file(&text, path, err);
	if (result != 0) {
		err->is_usage = true; /* only a person can put it there */
	} else {
		a->digest = digest_of(text.data, text.len);
		result = fcm_account_parse(
			&a->google, (struct span){ text.data, text.len }, err);
		if (result != 0) {
			(void)err_prefix(err, "service account '%s'", path);
		}
	}
	buf_release(&text);
	return result;
}

static void *account_new(
	const struct conf *conf, const struct json *settings, struct err *err)
{
	struct span file =
		json_text(json_get(settings, "service_account_file"));
	struct account *a;
	char *path;

	if (file.len == 0) {
		(void)err_usage(err, 0, "needs service_account_file");
		return NULL;
	}
	a = mem_array(1, sizeof(*a));
	a->shortens = json_bool(json_get(settings, "shorten"), false);
	a->validate_only =
		json_bool(json_get(settings, "validate_only"), false);
	a->drops_ambiguous =
		json_is_text(json_get(settings, "ambiguous"), "drop");
	path = conf_file_take(conf, file.ptr);
	if (account_read(a, path, err) != 0) {
		account_free(a);
		a = NULL;
	}
	mem_free(path);
	return a;
}

static void account_identity(const void *self, struct buf *out)
{
	const struct account *a = self;

	buf_put(out, a->digest.bytes, sizeof(a->digest.bytes));
}

static bool takes(const struct record *r)
{
	return r->platform == PLATFORM_ANDROID ||
	       (r->device == NULL &&
		       (r->topic.ptr != NULL || r->condition.ptr != NULL));
}

static size_t endpoint(const void *self, const struct record *r)
{
	(void)self;
	(void)r;
	return 0;
}

static bool drops_ambiguous(const void *self)
{
	const struct account *a = self;

	return a->drops_ambiguous;
}

static enum reason build(const void *self, const struct record *r,
	struct request *req, const char **why)
{
	const struct account *a = self;

	const struct fcm_terms terms = { span_of(a->google.project_id),
		a->shortens, a->validate_only };

	return fcm_build(r, &terms, req, why);
}

static const char *token_url(const void *self)
{
	const struct account *a = self;

	return a->google.token_uri;
}

static int token_request(const void *self, int64_t now_unix_ms,
	struct buf *form, struct err *err)
{
	const struct account *a = self;

	return fcm_token_request(&a->google, now_unix_ms, form, err);
}

const struct vendor vendor_fcm = {
	.name = "fcm",
	.takes = takes,
	.account_new = account_new,
	.account_free = account_free,
	.account_identity = account_identity,
	.endpoint = endpoint,
	.drops_ambiguous = drops_ambiguous,
	.build = build,
	.classify = fcm_classify,
	.message_name = fcm_message_name,
	/* [F-scale]: wait at least 10 s before the first retry */
	.retry_floor_ms = 10 * 1000,
	.token_scheme = "Bearer ",
	.token_url = token_url,
	.token_request = token_request,
	.token_parse = fcm_token_parse,
};
