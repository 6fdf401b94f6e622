/*
 * Apple's rules: what a request says, what an answer means.
 *
 * Sources, all read 2026-11 on developer.apple.com/documentation/usernotifications:
 *   [A-send] "Sending notification requests to APNs"
 *   [A-resp] "Handling notification responses from APNs"
 *   [A-err]  "Handling error responses from Apple Push Notification service"
 *   [A-tok]  "Establishing a token-based connection to APNs"
 *   [A-chan] "Sending broadcast push notification requests to APNs"
 */
#include "wire/apns.h"

#include <string.h>

#include "base/digest.h"
#include "base/num.h"

enum {
	MS_PER_S = 1000,
	TOKEN_MAX_BYTES = 1024,  /* hexadecimal; ours, so that headers stay
	                            small: Apple sets no length */
	CHANNEL_MAX_BYTES = 256, /* likewise */
	TOPIC_MAX_BYTES = 255,
};

/* --- push types --- */

/* [A-send], tables of apns-push-type and apns-topic. */
struct push_type {
	const char *name;
	const char *suffix; /* of the topic */
	size_t max_bytes;   /* of the body */
	bool is_repeatable; /* two of the same id may replace one another */
};

enum { TYPE_ALERT, TYPE_BACKGROUND, TYPE_LIVEACTIVITY };

static const struct push_type types[] = {
	[TYPE_ALERT] = { "alert", "", APNS_PAYLOAD_MAX_BYTES, true },
	[TYPE_BACKGROUND] = { "background", "", APNS_PAYLOAD_MAX_BYTES, true },
	[TYPE_LIVEACTIVITY] = { "liveactivity", ".push-type.liveactivity",
		APNS_PAYLOAD_MAX_BYTES, false },
	{ "widgets", ".push-type.widgets", APNS_PAYLOAD_MAX_BYTES, false },
	{ "controls", ".push-type.controls", APNS_PAYLOAD_MAX_BYTES, false },
	{ "location", ".location-query", APNS_PAYLOAD_MAX_BYTES, false },
	{ "voip", ".voip", APNS_PAYLOAD_MAX_VOIP_BYTES, false },
	{ "pushtotalk", ".voip-ptt", APNS_PAYLOAD_MAX_BYTES, false },
	{ "complication", ".complication", APNS_PAYLOAD_MAX_BYTES, false },
	{ "fileprovider", ".pushkit.fileprovider", APNS_PAYLOAD_MAX_BYTES,
		false },
	{ "mdm", "", APNS_PAYLOAD_MAX_BYTES, false },
};

enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

/* --- the plan: what the message says, checked --- */

struct plan {
	const struct record *r;
	struct span app_topic;
	const struct json *notification;
	const struct json *data;
	const struct json *payload; /* message.apns.payload */
	const struct json *aps;     /* of payload */
	const struct push_type *type;
	/* From message.apns.headers; absent: the default. */
	struct span push_type;
	struct span topic;
	struct span collapse_id;
	struct span priority;
	struct span expiration;
	bool is_broadcast;
	bool has_alert; /* the device shows or plays something */
	bool adds_content_available;
	const char *why;
};

/* Says what is wrong; the answer of the check that found it. */
static bool wrong(struct plan *p, const char *why)
{
	p->why = why;
	return false;
}

static bool is_object_or_absent(const struct json *v)
{
	return v == NULL || json_type(v) == JSON_OBJECT;
}

static bool is_text_or_absent(const struct json *v)
{
	return v == NULL || json_type(v) == JSON_TEXT;
}

/* Visible ASCII: what may stand in a header without being quoted. */
static bool is_header_value(struct span s, size_t max)
{
	if (s.len == 0 || s.len > max) {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < 0x21 || s.ptr[i] > 0x7e) {
			return false;
		}
	}
	return true;
}

static bool is_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9') {
			return false;
		}
	}
	return s.len > 0 && s.len <= 10;
}

/* The members that FCM's names give us, each of its type. */
static bool read_message(struct plan *p)
{
	const struct json *message = p->r->message;
	const struct json *apns = json_get(message, "apns");

	if (json_type(message) != JSON_OBJECT) {
		return wrong(p, "message is missing or no object");
	}
	p->notification = json_get(message, "notification");
	p->data = json_get(message, "data");
	p->payload = json_get(apns, "payload");
	p->aps = json_get(p->payload, "aps");
	if (!is_object_or_absent(apns) || !is_object_or_absent(p->payload) ||
		!is_object_or_absent(p->aps) ||
		!is_object_or_absent(json_get(apns, "headers"))) {
		return wrong(p, "message.apns, its headers, payload or "
				"payload.aps is no object");
	}
	if (!is_object_or_absent(p->notification) ||
		!is_text_or_absent(json_get(p->notification, "title")) ||
		!is_text_or_absent(json_get(p->notification, "body")) ||
		!is_text_or_absent(json_get(p->notification, "image"))) {
		return wrong(p, "message.notification is no object of texts");
	}
	if (!is_object_or_absent(p->data)) {
		return wrong(p, "message.data is no object");
	}
	if (json_get(p->data, "aps") != NULL) {
		return wrong(p, "message.data may not have a member 'aps'");
	}
	return true;
}

/* A closed list: anything else would be sent to Apple in our name. */
static bool read_headers(struct plan *p)
{
	struct json_iter it =
		json_iter(json_path(p->r->message, "apns.headers"));
	const struct json *v = json_next(&it);

	for (; v != NULL; v = json_next(&it)) {
		struct span text = json_text(v);

		if (!is_header_value(text, TOPIC_MAX_BYTES)) {
			return wrong(p, "a member of message.apns.headers is "
					"no text of visible ASCII");
		}
		if (span_is(it.name, "apns-push-type")) {
			p->push_type = text;
		} else if (span_is(it.name, "apns-topic")) {
			p->topic = text;
		} else if (span_is(it.name, "apns-collapse-id")) {
			p->collapse_id = text;
		} else if (span_is(it.name, "apns-priority")) {
			p->priority = text;
		} else if (span_is(it.name, "apns-expiration")) {
			p->expiration = text;
		} else {
			return wrong(p, "message.apns.headers has a member "
					"that is not one of push-type, topic, "
					"collapse-id, priority, expiration");
		}
	}
	if (p->collapse_id.len > APNS_COLLAPSE_ID_MAX_BYTES) {
		return wrong(p, "apns-collapse-id is longer than 64 bytes");
	}
	if (p->priority.ptr != NULL && !span_is(p->priority, "10") &&
		!span_is(p->priority, "5") && !span_is(p->priority, "1")) {
		return wrong(p, "apns-priority is not 10, 5 or 1");
	}
	if (p->expiration.ptr != NULL && !is_digits(p->expiration)) {
		return wrong(p, "apns-expiration is no time in seconds");
	}
	return true;
}

bool apns_is_topic(struct span topic)
{
	return is_header_value(topic, TOPIC_MAX_BYTES);
}

/* The app's own topic or one below it. */
static bool is_topic_of_app(struct span topic, struct span app)
{
	return topic.len >= app.len &&
	       memcmp(topic.ptr, app.ptr, app.len) == 0 &&
	       (topic.len == app.len || topic.ptr[app.len] == '.');
}

static bool says_one(const struct json *v)
{
	int64_t n = 0;

	return json_int(v, &n) == 0 && n == 1;
}

/*
 * Without apns-push-type: alert, or background when nothing is to be seen or
 * heard and the app is to be woken.  A message of nothing but data is for the
 * app, so it is sent as FCM sends it, as a background notification.
 */
static bool choose_type(struct plan *p)
{
	p->has_alert = json_get(p->notification, "title") != NULL ||
		       json_get(p->notification, "body") != NULL ||
		       json_get(p->aps, "alert") != NULL ||
		       json_get(p->aps, "badge") != NULL ||
		       json_get(p->aps, "sound") != NULL;
	if (p->is_broadcast && p->push_type.ptr == NULL) {
		p->type = &types[TYPE_LIVEACTIVITY];
		return true;
	}
	if (p->push_type.ptr != NULL) {
		for (size_t i = 0; i < TYPE_COUNT; i++) {
			if (span_is(p->push_type, types[i].name)) {
				p->type = &types[i];
				return true;
			}
		}
		return wrong(p, "apns-push-type is not one that Apple has");
	}
	p->type = &types[TYPE_ALERT];
	if (!p->has_alert) {
		const struct json *wake = json_get(p->aps, "content-available");

		if (wake == NULL && json_count(p->data) > 0) {
			p->adds_content_available = true;
		}
		if (p->adds_content_available || says_one(wake)) {
			p->type = &types[TYPE_BACKGROUND];
		} else if (json_count(p->payload) == 0) {
			return wrong(p, "message has nothing for an iOS "
					"device");
		}
	}
	return true;
}

static bool make_plan(struct plan *p)
{
	if (!read_message(p) || !read_headers(p) || !choose_type(p)) {
		return false;
	}
	if (p->topic.ptr != NULL && !is_topic_of_app(p->topic, p->app_topic)) {
		return wrong(p, "apns-topic is not the app's or below it");
	}
	if (p->is_broadcast && p->aps == NULL) {
		return wrong(p, "a broadcast needs message.apns.payload.aps");
	}
	return true;
}

/* --- the path --- */

static bool is_hex(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
			    (c >= 'A' && c <= 'F'))) {
			return false;
		}
	}
	return s.len > 0;
}

static bool put_path(struct plan *p, struct request *req)
{
	const struct record *r = p->r;

	if (p->is_broadcast) {
		if (!is_header_value(r->channel, CHANNEL_MAX_BYTES)) {
			return wrong(p, "channel is no channel id");
		}
		buf_text(&req->path, "/4/broadcasts/apps/");
		buf_put(&req->path, p->app_topic.ptr, p->app_topic.len);
		return true;
	}
	if (r->platform != PLATFORM_IOS) {
		return wrong(p, "neither an iOS device nor a channel");
	}
	if (!is_hex(r->token) || r->token.len > TOKEN_MAX_BYTES) {
		return wrong(p, "device token is not hexadecimal");
	}
	buf_text(&req->path, "/3/device/");
	buf_put(&req->path, r->token.ptr, r->token.len);
	return true;
}

/* --- the headers --- */

/* Background must be 5, Apple answers BadPriority to 10; location knows no 1
 * ([A-send], apns-priority and apns-push-type). */
static const char *default_priority(const struct plan *p)
{
	switch (p->r->priority) {
	case PRIORITY_HIGH:
		return "10";
	case PRIORITY_LOW:
		return strcmp(p->type->name, "location") == 0 ? "5" : "1";
	case PRIORITY_NORMAL:
	case PRIORITY_COUNT:
		break;
	}
	return "5";
}

static void put_expiration(const struct plan *p, struct request *req)
{
	char digits[20];
	struct span value = p->expiration;

	if (value.ptr == NULL && p->r->expires_unix_ms > 0) {
		int64_t s = p->r->expires_unix_ms / MS_PER_S;

		value = (struct span){ digits,
			num_format_u64(digits, (uint64_t)s) };
	}
	/* Push-to-talk is for now or never, and a channel may keep nothing
	 * ([A-send], [A-chan], apns-expiration). */
	if (value.ptr == NULL &&
		(p->is_broadcast || strcmp(p->type->name, "pushtotalk") == 0)) {
		value = span_of("0");
	}
	if (value.ptr != NULL) {
		request_header(req, "apns-expiration", value, true);
	}
}

/* The same for every attempt at this device, so that Apple's and our logs can
 * be put side by side. */
static void put_id(const struct plan *p, struct request *req)
{
	struct span target = p->is_broadcast ? p->r->channel : p->r->token;
	struct digest_part parts[] = {
		{ p->r->uid.ptr, p->r->uid.len },
		{ target.ptr, target.len },
	};
	struct digest d = digest_of_parts(parts, 2);
	char uuid[UUID_TEXT_BYTES];

	digest_uuid(&d, uuid);
	request_header(req, p->is_broadcast ? "apns-request-id" : "apns-id",
		span_of(uuid), true);
}

static void put_topic(const struct plan *p, struct request *req)
{
	char text[TOPIC_MAX_BYTES + 32];
	struct span topic = p->topic;
	size_t suffix = strlen(p->type->suffix);

	if (topic.ptr == NULL) {
		memcpy(text, p->app_topic.ptr, p->app_topic.len);
		memcpy(text + p->app_topic.len, p->type->suffix, suffix);
		topic = (struct span){ text, p->app_topic.len + suffix };
	}
	request_header(req, "apns-topic", topic, false);
}

static void put_headers(const struct plan *p, struct request *req)
{
	struct span priority = p->priority;

	request_header(req, "apns-push-type", span_of(p->type->name), false);
	if (p->type == &types[TYPE_BACKGROUND]) {
		priority = span_of("5");
	} else if (priority.ptr == NULL) {
		priority = span_of(default_priority(p));
	}
	request_header(req, "apns-priority", priority, false);
	put_id(p, req);
	put_expiration(p, req);
	if (p->is_broadcast) {
		request_header(req, "apns-channel-id", p->r->channel, true);
		return;
	}
	put_topic(p, req);
	if (p->collapse_id.ptr != NULL) {
		request_header(req, "apns-collapse-id", p->collapse_id, true);
	} else if (p->type->is_repeatable) {
		char id[REQUEST_REPLACE_ID_BYTES];

		request_replace_id(p->r, id);
		request_header(req, "apns-collapse-id", span_of(id), true);
	}
}

/* --- the body --- */

static void put_member(struct buf *b, struct span name, const struct json *v)
{
	request_put_name(b, name);
	json_write(b, v);
}

/* Copies a member of `from' that `over' does not have. */
static void put_unless(struct buf *b, const char *name, const struct json *from,
	const struct json *over)
{
	const struct json *v = json_get(from, name);

	if (v != NULL && json_get(over, name) == NULL) {
		put_member(b, span_of(name), v);
	}
}

static void put_alert(const struct plan *p, struct buf *b)
{
	const struct json *alert = json_get(p->aps, "alert");
	struct json_iter it = json_iter(alert);
	const struct json *v;

	if (alert != NULL && json_type(alert) != JSON_OBJECT) {
		put_member(b, span_of("alert"), alert);
		return;
	}
	if (alert == NULL && json_get(p->notification, "title") == NULL &&
		json_get(p->notification, "body") == NULL) {
		return;
	}
	request_put_name(b, span_of("alert"));
	buf_putc(b, '{');
	while ((v = json_next(&it)) != NULL) {
		put_member(b, it.name, v);
	}
	put_unless(b, "title", p->notification, alert);
	put_unless(b, "body", p->notification, alert);
	buf_putc(b, '}');
}

static void put_aps(const struct plan *p, struct buf *b)
{
	struct json_iter it = json_iter(p->aps);
	const struct json *v;

	request_put_name(b, span_of("aps"));
	buf_putc(b, '{');
	put_alert(p, b);
	while ((v = json_next(&it)) != NULL) {
		if (!span_is(it.name, "alert")) {
			put_member(b, it.name, v);
		}
	}
	if (json_get(p->notification, "image") != NULL &&
		json_get(p->aps, "mutable-content") == NULL) {
		request_put_name(b, span_of("mutable-content"));
		buf_putc(b, '1');
	}
	if (p->adds_content_available) {
		request_put_name(b, span_of("content-available"));
		buf_putc(b, '1');
	}
	buf_putc(b, '}');
}

/* Where Firebase's notification service extension looks for the image, so that
 * an app needs one extension only; source: Firebase, "Send an image in the
 * notification payload" (Apple platforms), read 2026-11. */
static void put_image(const struct plan *p, struct buf *b)
{
	const struct json *image = json_get(p->notification, "image");

	if (image == NULL || json_get(p->payload, "fcm_options") != NULL ||
		json_get(p->data, "fcm_options") != NULL) {
		return;
	}
	request_put_name(b, span_of("fcm_options"));
	buf_putc(b, '{');
	put_member(b, span_of("image"), image);
	buf_putc(b, '}');
}

static void put_body(const struct plan *p, struct buf *b)
{
	struct json_iter it = json_iter(p->payload);
	const struct json *v;

	buf_putc(b, '{');
	put_aps(p, b);
	while ((v = json_next(&it)) != NULL) {
		if (!span_is(it.name, "aps")) {
			put_member(b, it.name, v);
		}
	}
	it = json_iter(p->data);
	while ((v = json_next(&it)) != NULL) {
		if (!request_has_member(p->payload, it.name)) {
			put_member(b, it.name, v);
		}
	}
	put_image(p, b);
	buf_putc(b, '}');
}

enum reason apns_build(const struct record *r, struct span topic,
	struct request *req, const char **why)
{
	struct plan p = {
		.r = r,
		.app_topic = topic,
		.is_broadcast = r->device == NULL && r->channel.ptr != NULL,
	};
	size_t max = APNS_PAYLOAD_MAX_VOIP_BYTES;
	enum reason reason = REASON_NONE;

	if (!apns_is_topic(topic)) {
		BUG("apns topic of %zu bytes", topic.len);
	}
	request_reset(req);
	if (!put_path(&p, req)) {
		reason = REASON_BAD_TARGET;
	} else if (!make_plan(&p)) {
		reason = REASON_BAD_MESSAGE;
	} else {
		put_headers(&p, req);
		put_body(&p, &req->body);
		if (!p.is_broadcast) {
			max = p.type->max_bytes;
		}
		if (buf_is_over(&req->body) || req->body.len > max) {
			p.why = "payload is longer than Apple takes";
			reason = REASON_PAYLOAD_TOO_LARGE;
		}
	}
	if (why != NULL) {
		*why = p.why;
	}
	return reason;
}

/* --- answers --- */

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
 * alone ([A-resp], table "status codes").  The first that fits, 0 fits all of
 * the class whose first status is `from'. */
static const struct {
	int from;
	int to;
	struct answer_row row;
} others[] = {
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

/* By Apple's word (the first row is no such word).  Statuses have differed from the documents, classes have
 * not; `status' 0: not told. */
static const struct answer_row *row_of_reason(int status, struct span reason)
{
	for (size_t i = 1; i < ANSWER_COUNT; i++) {
		if (span_is(reason, answers[i].name) &&
			(status == 0 ||
				status / 100 == answers[i].status / 100)) {
			return &answers[i];
		}
	}
	return NULL;
}

static const struct answer_row *row_of_status(int status)
{
	for (size_t i = 0; i < OTHER_COUNT - 1; i++) {
		if (status >= others[i].from && status <= others[i].to) {
			return &others[i].row;
		}
	}
	return &others[OTHER_COUNT - 1].row;
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
		a.row = row_of_status(status);
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

/* --- provider token --- */

int64_t apns_token_issued_s(int64_t now_unix_ms)
{
	int64_t s = now_unix_ms / MS_PER_S - APNS_GRID_SHIFT_S;

	return s - s % APNS_GRID_S;
}

int apns_token(const struct jwt_key *key, struct span key_id,
	struct span team_id, int64_t now_unix_ms, struct buf *out,
	struct err *err)
{
	struct buf header;
	struct buf claims;
	int result;

	buf_init(&header, JWT_HEADER_MAX_BYTES);
	buf_init(&claims, JWT_HEADER_MAX_BYTES);
	buf_text(&header, "{\"alg\":\"ES256\",\"kid\":");
	json_put_span(&header, key_id);
	buf_putc(&header, '}');
	buf_text(&claims, "{\"iss\":");
	json_put_span(&claims, team_id);
	buf_text(&claims, ",\"iat\":");
	buf_i64(&claims, apns_token_issued_s(now_unix_ms));
	buf_putc(&claims, '}');
	if (buf_is_over(&header) || buf_is_over(&claims)) {
		result = err_usage(err, 0, "key id or team id is too long");
	} else {
		result = jwt_sign(key, (struct span){ header.data, header.len },
			(struct span){ claims.data, claims.len }, out, err);
	}
	buf_release(&header);
	buf_release(&claims);
	return result;
}
