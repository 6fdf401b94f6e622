/*
 * What the engine needs to know of Apple: which records are its, what an app's
 * settings hold, which of two endpoints a token belongs to.  The protocol
 * itself is in wire/apns.
 */
#include "vendor/apns.h"

#include "base/digest.h"
#include "base/mem.h"
#include "wire/apns.h"

struct account {
	struct jwt_key *key;      /* owned, as are the texts */
	struct digest key_digest; /* tells when the file has changed */
	char *key_id;
	char *team_id;
	char *topic;
	bool is_sandbox; /* for tokens that do not say */
	bool tries_other;
};

static void account_free(void *self)
{
	struct account *a = self;

	jwt_key_free(a->key);
	mem_free(a->key_id);
	mem_free(a->team_id);
	mem_free(a->topic);
	mem_free(a);
}

static int account_read_key(
	struct account *a, const char *path, struct err *err)
{
	struct buf text;
	int result;

	buf_init(&text, JWT_KEY_FILE_MAX_BYTES);
	result = buf_read_file(&text, path, err);
	if (result != 0) {
		err->is_usage = true; /* only a person can put it there */
	} else {
		a->key_digest = digest_of(text.data, text.len);
		a->key = jwt_key_private(
			JWT_ES256, (struct span){ text.data, text.len }, err);
		if (a->key == NULL) {
			result = err_prefix(err, "key file '%s'", path);
		}
	}
	buf_release(&text);
	return result;
}

static void *account_new(
	const struct conf *conf, const struct json *settings, struct err *err)
{
	struct span key_file = json_text(json_get(settings, "key_file"));
	struct span key_id = json_text(json_get(settings, "key_id"));
	struct span team_id = json_text(json_get(settings, "team_id"));
	struct span topic = json_text(json_get(settings, "topic"));
	struct account *a;
	char *path;

	if (key_file.len == 0 || key_id.len == 0 || team_id.len == 0 ||
		topic.len == 0) {
		(void)err_usage(
			err, 0, "needs key_file, key_id, team_id and topic");
		return NULL;
	}
	if (!apns_is_topic(topic)) {
		(void)err_usage(err, 0, "topic is no bundle id");
		return NULL;
	}
	a = mem_array(1, sizeof(*a));
	a->key_id = mem_dup(key_id.ptr, key_id.len);
	a->team_id = mem_dup(team_id.ptr, team_id.len);
	a->topic = mem_dup(topic.ptr, topic.len);
	a->is_sandbox =
		json_is_text(json_get(settings, "environment"), "sandbox");
	a->tries_other =
		json_bool(json_get(settings, "try_other_environment"), false);
	path = conf_file_take(conf, key_file.ptr);
	if (account_read_key(a, path, err) != 0) {
		account_free(a);
		a = NULL;
	}
	mem_free(path);
	return a;
}

/* Apple binds a connection to a team and its key, not to a topic. */
static void account_identity(const void *self, struct buf *out)
{
	const struct account *a = self;

	buf_fmt(out, "%s %s ", a->team_id, a->key_id);
	buf_put(out, a->key_digest.bytes, sizeof(a->key_digest.bytes));
}

static bool takes(const struct record *r)
{
	return r->platform == PLATFORM_IOS ||
	       (r->device == NULL && r->channel.ptr != NULL);
}

static size_t endpoint(const void *self, const struct record *r)
{
	const struct account *a = self;
	const struct json *name = json_get(r->device, "environment");

	if (name == NULL) {
		return a->is_sandbox ? APNS_SANDBOX : APNS_PRODUCTION;
	}
	return json_is_text(name, "sandbox") ? APNS_SANDBOX : APNS_PRODUCTION;
}

static bool tries_other(const void *self)
{
	const struct account *a = self;

	return a->tries_other;
}

static enum reason build(const void *self, const struct record *r,
	struct request *req, const char **why)
{
	const struct account *a = self;

	return apns_build(r, span_of(a->topic), req, why);
}

static int token(const void *self, int64_t now_unix_ms, struct buf *out,
	int64_t *renew_unix_ms, struct err *err)
{
	const struct account *a = self;

	*renew_unix_ms = (apns_token_issued_s(now_unix_ms) + APNS_GRID_S +
				 APNS_GRID_SHIFT_S) *
			 1000;
	return apns_token(a->key, span_of(a->key_id), span_of(a->team_id),
		now_unix_ms, out, err);
}

const struct vendor vendor_apns = {
	.name = "apns",
	.takes = takes,
	.account_new = account_new,
	.account_free = account_free,
	.account_identity = account_identity,
	.endpoint = endpoint,
	.tries_other = tries_other,
	.endpoint_names = { [APNS_PRODUCTION] = "production",
		[APNS_SANDBOX] = "sandbox" },
	.build = build,
	.classify = apns_classify,
	.goaway = apns_goaway_row,
	.retry_floor_ms = 1000, /* [A-err] wants backoff after 5xx; ours */
	.token_scheme = "bearer ",
	.token = token,
	.is_token_bound = true,
};
