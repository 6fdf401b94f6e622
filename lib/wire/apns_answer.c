/* What Apple's answers mean. */
#include "wire/apns.h"

enum {
	SOON_MS = 1000,             /* 5xx: first retry; ours */
	DEVICE_PAUSE_MS = 60000,    /* 429 of one device; ours */
	TOKEN_PAUSE_MS = 20 * 60000 /* [A-tok]: no new token within 20 min */
};

/*
 * [A-resp] table "reason", [A-err] retry advice, [A-chan] table of errors.
 * BadEnvironmentKeyInToken is what the servers say for the documented
 * BadEnvironmentKeyIdInToken (kylebrowning/APNSwift#229).
 */
/* clang-format off */
static const struct answer_row answers[] = {
	{ 200, "ok", REASON_OK, ANSWER_NONE, 0, false },

	{ 400, "BadCollapseId", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "BadDeviceToken", REASON_TOKEN_DEAD, ANSWER_OTHER_ENVIRONMENT, 0, false },
	{ 400, "BadExpirationDate", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "BadMessageId", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "BadPriority", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "BadTopic", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "DeviceTokenNotForTopic", REASON_WRONG_TOPIC, ANSWER_NONE, 0, false },
	{ 400, "DuplicateHeaders", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "IdleTimeout", REASON_VENDOR_UNAVAILABLE, ANSWER_RECONNECT, 0, false },
	{ 400, "InvalidPushType", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "MissingDeviceToken", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "MissingTopic", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "PayloadEmpty", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "TopicDisallowed", REASON_VENDOR_CONFIG, ANSWER_NONE, 0, true },

	{ 400, "MissingChannelId", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "BadChannelId", REASON_BAD_REQUEST, ANSWER_NONE, 0, false },
	{ 400, "ChannelNotRegistered", REASON_BAD_REQUEST, ANSWER_NONE, 0, false },
	{ 400, "BadRequestParams", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "BadRequestPayload", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "MissingPushType", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 400, "CannotCreateChannelConfig", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 403, "FeatureNotEnabled", REASON_VENDOR_CONFIG, ANSWER_NONE, 0, true },
	{ 403, "TopicMismatch", REASON_VENDOR_CONFIG, ANSWER_NONE, 0, true },

	{ 403, "BadCertificate", REASON_VENDOR_CONFIG, ANSWER_CLOSE_CREDENTIAL, 0, true },
	{ 403, "BadCertificateEnvironment", REASON_VENDOR_CONFIG, ANSWER_CLOSE_CREDENTIAL, 0, true },
	{ 403, "BadEnvironmentKeyIdInToken", REASON_VENDOR_CONFIG, ANSWER_CLOSE_CREDENTIAL, 0, true },
	{ 403, "BadEnvironmentKeyInToken", REASON_VENDOR_CONFIG, ANSWER_CLOSE_CREDENTIAL, 0, true },
	{ 403, "ExpiredProviderToken", REASON_REAUTH, ANSWER_NEW_TOKEN, 0, false },
	{ 403, "Forbidden", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 403, "InvalidProviderToken", REASON_VENDOR_CONFIG, ANSWER_CLOSE_CREDENTIAL, 0, true },
	{ 403, "MissingProviderToken", REASON_VENDOR_CONFIG, ANSWER_CLOSE_CREDENTIAL, 0, true },
	{ 403, "UnrelatedKeyIdInToken", REASON_REAUTH, ANSWER_RECONNECT, 0, false },

	{ 404, "BadPath", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 405, "MethodNotAllowed", REASON_BAD_REQUEST, ANSWER_NONE, 0, true },
	{ 410, "ExpiredToken", REASON_TOKEN_DEAD, ANSWER_NONE, 0, false },
	{ 410, "Unregistered", REASON_TOKEN_DEAD, ANSWER_NONE, 0, false },
	{ 413, "PayloadTooLarge", REASON_PAYLOAD_TOO_LARGE, ANSWER_NONE, 0, false },
	{ 429, "TooManyProviderTokenUpdates", REASON_THROTTLED, ANSWER_HOLD_CREDENTIAL, TOKEN_PAUSE_MS, true },
	{ 429, "TooManyRequests", REASON_THROTTLED, ANSWER_NONE, DEVICE_PAUSE_MS, false },
	{ 500, "InternalServerError", REASON_VENDOR_UNAVAILABLE, ANSWER_RETRY, SOON_MS, false },
	{ 503, "ServiceUnavailable", REASON_VENDOR_UNAVAILABLE, ANSWER_RETRY, SOON_MS, false },
	{ 503, "Shutdown", REASON_VENDOR_UNAVAILABLE, ANSWER_RECONNECT, 0, false },
};

/* A body that is missing, cut or says something new: judged by the status
 * alone ([A-resp], table "status codes"). */
static const struct answer_class others[] = {
	{ 403, 403, { 403, "other", REASON_VENDOR_CONFIG, ANSWER_NONE, 0, true } },
	{ 410, 410, { 410, "other", REASON_TOKEN_DEAD, ANSWER_NONE, 0, false } },
	{ 413, 413, { 413, "other", REASON_PAYLOAD_TOO_LARGE, ANSWER_NONE, 0, false } },
	{ 429, 429, { 429, "other", REASON_THROTTLED, ANSWER_NONE, DEVICE_PAUSE_MS, false } },
	{ 400, 499, { 0, "other", REASON_BAD_REQUEST, ANSWER_NONE, 0, true } },
	{ 500, 599, { 0, "other", REASON_VENDOR_UNAVAILABLE, ANSWER_RETRY, SOON_MS, false } },
	/* Apple redirects nobody: something stands between us. */
	{ 300, 399, { 0, "other", REASON_VENDOR_CONFIG, ANSWER_NONE, 0, true } },
	/* Not a refusal, but not the documented success either. */
	{ 0, 999, { 0, "other", REASON_AMBIGUOUS, ANSWER_NONE, SOON_MS, true } },
};
/* clang-format on */

enum {
	ANSWER_COUNT = sizeof(answers) / sizeof(answers[0]),
	OTHER_COUNT = sizeof(others) / sizeof(others[0]),
};

/* By Apple's word; the first row is no such word. */
static const struct answer_row *row_of_reason(int status, struct span reason)
{
	return answer_of_word(answers + 1, ANSWER_COUNT - 1, status, reason);
}

struct answer apns_classify(int status, struct span body,
	struct span retry_after, int64_t now_unix_ms)
{
	struct answer a = { .row = &answers[0] };
	struct json_doc *doc = NULL;
	const struct json *root = NULL;
	int64_t asked_ms = answer_retry_after_ms(retry_after, now_unix_ms);
	int64_t since = 0;

	if (status == 200) {
		return a;
	}
	if (body.len > 0) {
		doc = json_parse(body.ptr, body.len, JSON_STRICT, NULL);
		root = doc == NULL ? NULL : json_root(doc);
	}
	a.row = row_of_reason(status, json_text(json_get(root, "reason")));
	if (a.row == NULL) {
		a.row = answer_of_status(others, OTHER_COUNT, status);
	}
	a.after_ms = asked_ms > a.row->after_ms ? asked_ms : a.row->after_ms;
	/* [A-resp]: milliseconds, with 410 only. */
	if (a.row->reason == REASON_TOKEN_DEAD &&
		json_int(json_get(root, "timestamp"), &since) == 0 &&
		since > 0) {
		a.vendor_unix_ms = since;
	}
	json_free(doc);
	return a;
}

const struct answer_row *apns_goaway_row(struct span debug_data)
{
	const struct answer_row *row = NULL;
	struct json_doc *doc = NULL;

	if (debug_data.len > 0) {
		doc = json_parse(
			debug_data.ptr, debug_data.len, JSON_STRICT, NULL);
	}
	if (doc != NULL) {
		row = row_of_reason(
			0, json_text(json_get(json_root(doc), "reason")));
	}
	json_free(doc);
	return row;
}
