/* What Google's answers mean. */
#include "wire/fcm.h"

#include <string.h>

enum {
	FIRST_RETRY_MS = 10000, /* [F-scale]: wait at least 10 s */
	QUOTA_PAUSE_MS = 60000, /* [F-err] QUOTA_EXCEEDED: at least 60 s */
};

/* [F-err]: the errorCode of the FcmError detail. */
/* clang-format off */
static const struct answer_row answers[] = {
	{ 200, "ok", REASON_OK, ANSWER_NONE, 0, false },
	{ 404, "UNREGISTERED", REASON_TOKEN_DEAD, ANSWER_NONE, 0, false },
	{ 400, "INVALID_ARGUMENT", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 403, "SENDER_ID_MISMATCH", REASON_WRONG_TOPIC, ANSWER_NONE, 0, false },
	{ 429, "QUOTA_EXCEEDED", REASON_THROTTLED, ANSWER_NONE, QUOTA_PAUSE_MS, false },
	{ 503, "UNAVAILABLE", REASON_VENDOR_UNAVAILABLE, ANSWER_NONE, FIRST_RETRY_MS, false },
	{ 500, "INTERNAL", REASON_VENDOR_UNAVAILABLE, ANSWER_NONE, FIRST_RETRY_MS, false },
	{ 401, "THIRD_PARTY_AUTH_ERROR", REASON_VENDOR_CONFIG, ANSWER_NONE, 0, true },
};

/* INVALID_ARGUMENT that is about message.token. */
static const struct answer_row bad_token =
	{ 400, "INVALID_ARGUMENT(token)", REASON_TOKEN_DEAD, ANSWER_NONE, 0, false };

/* No FcmError, or one that we do not know, or a body that is no JSON: judged by
 * the status alone.  A 404 of this kind is a wrong project or URL and never says
 * anything about a token. */
static const struct answer_class others[] = {
	{ 400, 400, { 400, "bad-request", REASON_BAD_REQUEST, ANSWER_NONE, 0, true } },
	{ 401, 401, { 401, "UNAUTHENTICATED", REASON_REAUTH, ANSWER_NEW_TOKEN, 0, false } },
	{ 403, 403, { 403, "PERMISSION_DENIED", REASON_VENDOR_CONFIG, ANSWER_CLOSE_CREDENTIAL, 0, true } },
	{ 404, 404, { 404, "not-found", REASON_VENDOR_CONFIG, ANSWER_CLOSE_CREDENTIAL, 0, true } },
	{ 413, 413, { 413, "too-large", REASON_PAYLOAD_TOO_LARGE, ANSWER_NONE, 0, false } },
	{ 429, 429, { 429, "RESOURCE_EXHAUSTED", REASON_THROTTLED, ANSWER_NONE, QUOTA_PAUSE_MS, false } },
	{ 400, 499, { 0, "other", REASON_BAD_REQUEST, ANSWER_NONE, 0, true } },
	{ 500, 599, { 0, "server-error", REASON_VENDOR_UNAVAILABLE, ANSWER_NONE, FIRST_RETRY_MS, false } },
	{ 300, 399, { 0, "other", REASON_VENDOR_CONFIG, ANSWER_NONE, 0, true } },
	{ 0, 999, { 0, "other", REASON_AMBIGUOUS, ANSWER_NONE, FIRST_RETRY_MS, true } },
};
/* clang-format on */

enum {
	ANSWER_COUNT = sizeof(answers) / sizeof(answers[0]),
	OTHER_COUNT = sizeof(others) / sizeof(others[0]),
};

/* What the body of a refusal says. */
struct complaint {
	struct span code; /* of the FcmError detail */
	bool is_about_token;
};

static bool ends_with(struct span s, const char *text)
{
	size_t len = strlen(text);

	return s.len >= len && memcmp(s.ptr + s.len - len, text, len) == 0;
}

static void read_detail(const struct json *detail, struct complaint *c)
{
	struct json_iter it = json_iter(json_get(detail, "fieldViolations"));
	const struct json *v;

	if (ends_with(json_text(json_get(detail, "@type")), "FcmError")) {
		c->code = json_text(json_get(detail, "errorCode"));
	}
	while ((v = json_next(&it)) != NULL) {
		if (json_is_text(json_get(v, "field"), "message.token")) {
			c->is_about_token = true;
		}
	}
}

static void read_complaint(const struct json *root, struct complaint *c)
{
	const struct json *error = json_get(root, "error");
	struct json_iter it = json_iter(json_get(error, "details"));
	const struct json *detail;

	while ((detail = json_next(&it)) != NULL) {
		read_detail(detail, c);
	}
	/* [F-err] example 2: an invalid token is told by this text only. */
	if (span_is(c->code, "INVALID_ARGUMENT") &&
		json_is_text(json_get(error, "message"),
			"The registration token is not a valid FCM "
			"registration token")) {
		c->is_about_token = true;
	}
}

static const struct answer_row *find_row(int status, const struct complaint *c)
{
	const struct answer_row *row;

	if (status == 400 && c->is_about_token) {
		return &bad_token;
	}
	/* the first is no word of Google's */
	row = answer_of_word(answers + 1, ANSWER_COUNT - 1, status, c->code);
	return row != NULL ? row
			   : answer_of_status(others, OTHER_COUNT, status);
}

struct answer fcm_classify(int status, struct span body,
	struct span retry_after, int64_t now_unix_ms)
{
	struct answer a = { .row = &answers[0] };
	struct complaint complaint = { { NULL, 0 }, false };
	struct json_doc *doc = NULL;
	int64_t asked_ms = answer_retry_after_ms(retry_after, now_unix_ms);

	if (status == 200) {
		return a;
	}
	if (body.len > 0) {
		doc = json_parse(body.ptr, body.len, JSON_STRICT, NULL);
	}
	if (doc != NULL) {
		read_complaint(json_root(doc), &complaint);
	}
	a.row = find_row(status, &complaint);
	/* [F-err]: the 60 s are for answers without Retry-After. */
	a.after_ms = asked_ms >= 0 ? asked_ms : a.row->after_ms;
	json_free(doc);
	return a;
}

void fcm_message_name(struct span body, struct buf *out)
{
	struct json_doc *doc = NULL;
	struct span name;

	if (body.len > 0) {
		doc = json_parse(body.ptr, body.len, JSON_STRICT, NULL);
	}
	if (doc != NULL) {
		name = json_text(json_get(json_root(doc), "name"));
		buf_put(out, name.ptr, name.len);
	}
	json_free(doc);
}
