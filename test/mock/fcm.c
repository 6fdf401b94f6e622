/*
 * Firebase's side: which message is in order, and how another is refused.
 *
 * Rules are from the Firebase reference of projects.messages (REST v1), the pages
 * "ErrorCode" and "About FCM messages".
 */
#include "fcm.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/json.h"

enum {
	PAYLOAD_MAX_BYTES = 4096,
	TOPIC_PAYLOAD_MAX_BYTES = 2048,
	TTL_MAX_S = 2419200, /* four weeks */
	FIELD_MAX_BYTES = 192,
	TOKEN_MAX_BYTES = 1024,
};

static const char PATH_START[] = "/v1/projects/";
static const char PATH_END[] = "/messages:send";
static const char FCM_ERROR[] =
	"type.googleapis.com/google.firebase.fcm.v1.FcmError";
static const char BAD_REQUEST[] = "type.googleapis.com/google.rpc.BadRequest";

/* How each error is told: HTTP status, google.rpc status, a sentence.  With
 * is_fcm the details hold an FcmError. */
static const struct problem {
	const char *code;
	const char *status;
	const char *message;
	bool is_fcm;
} PROBLEMS[] = {
	{ "INVALID_ARGUMENT", "INVALID_ARGUMENT",
		"Request contains an invalid argument.", true },
	{ "UNREGISTERED", "NOT_FOUND", "Requested entity was not found.",
		true },
	{ "SENDER_ID_MISMATCH", "PERMISSION_DENIED", "SenderId mismatch",
		true },
	{ "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED",
		"Quota exceeded for quota metric.", true },
	{ "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable.",
		true },
	{ "INTERNAL", "INTERNAL", "Internal error encountered.", true },
	{ "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED",
		"Auth error from APNS or Web Push Service", true },
	{ "UNAUTHENTICATED", "UNAUTHENTICATED",
		"Request had invalid authentication credentials. Expected OAuth 2 access token.",
		false },
	{ "PERMISSION_DENIED", "PERMISSION_DENIED",
		"Permission 'cloudmessaging.messages.create' denied.", false },
};

struct fcm {
	const struct oauth *oauth;
	uint64_t sent; /* messages named so far */
};

static const struct problem *problem_of(const char *code)
{
	for (size_t i = 0; i < sizeof(PROBLEMS) / sizeof(*PROBLEMS); i++) {
		if (strcmp(PROBLEMS[i].code, code) == 0) {
			return &PROBLEMS[i];
		}
	}
	return NULL;
}

/* 400, naming the member at fault. */
static bool refuse(struct exchange *x, const char *field, const char *detail)
{
	exchange_refuse(x, 400, "INVALID_ARGUMENT");
	x->verdict.field = exchange_note(x, field, strlen(field)).ptr;
	x->verdict.detail = detail;
	return false;
}

static bool refuse_in(struct exchange *x, const char *where, struct span name,
	const char *detail)
{
	char field[FIELD_MAX_BYTES];

	if (fmt_into(field, sizeof(field), "%s.%.*s", where, (int)name.len,
		    name.ptr) != 0) {
		return refuse(x, where, detail);
	}
	return refuse(x, field, detail);
}

/* --- members --- */

/* A member that a message object may have, under both spellings of protobuf's
 * JSON. */
struct member {
	const char *name;
	enum json_type type;
};

static bool is_named(struct span given, const char *snake)
{
	size_t i = 0;

	if (span_is(given, snake)) {
		return true;
	}
	for (const char *s = snake; *s != '\0'; s++) {
		char want = *s;
		if (want == '_' && s[1] != '\0') {
			s++;
			want = (char)(*s - 'a' + 'A');
		}
		if (i == given.len || given.ptr[i] != want) {
			return false;
		}
		i++;
	}
	return i == given.len;
}

/* The member under either spelling, or NULL. */
static const struct json *get(const struct json *object, const char *name)
{
	struct json_iter it = json_iter(object);
	const struct json *v = NULL;

	while ((v = json_next(&it)) != NULL) {
		if (is_named(it.name, name)) {
			return v;
		}
	}
	return NULL;
}

/* Unknown names and wrong types are refused, as protobuf does. */
static bool check_members(struct exchange *x, const struct json *object,
	const char *where, const struct member *members)
{
	struct json_iter it = json_iter(object);
	const struct json *v = NULL;

	if (json_type(object) != JSON_OBJECT) {
		return refuse(x, where,
			"Proto field is not repeating, cannot start list.");
	}
	while ((v = json_next(&it)) != NULL) {
		const struct member *m = members;
		while (m->name != NULL && !is_named(it.name, m->name)) {
			m++;
		}
		if (m->name == NULL) {
			return refuse_in(x, where, it.name,
				"Unknown name: Cannot find field.");
		}
		if (m->type != JSON_ABSENT && json_type(v) != m->type) {
			return refuse_in(x, where, it.name, "Invalid value.");
		}
	}
	return true;
}

static const struct member REQUEST[] = {
	{ "message", JSON_OBJECT },
	{ "validate_only", JSON_BOOL },
	{ NULL, JSON_ABSENT },
};

static const struct member MESSAGE[] = {
	{ "name", JSON_TEXT },
	{ "data", JSON_OBJECT },
	{ "notification", JSON_OBJECT },
	{ "android", JSON_OBJECT },
	{ "webpush", JSON_OBJECT },
	{ "apns", JSON_OBJECT },
	{ "fcm_options", JSON_OBJECT },
	{ "token", JSON_TEXT },
	{ "topic", JSON_TEXT },
	{ "condition", JSON_TEXT },
	{ NULL, JSON_ABSENT },
};

static const struct member NOTIFICATION[] = {
	{ "title", JSON_TEXT },
	{ "body", JSON_TEXT },
	{ "image", JSON_TEXT },
	{ NULL, JSON_ABSENT },
};

static const struct member ANDROID[] = {
	{ "collapse_key", JSON_TEXT },
	{ "priority", JSON_TEXT },
	{ "ttl", JSON_TEXT },
	{ "restricted_package_name", JSON_TEXT },
	{ "data", JSON_OBJECT },
	{ "notification", JSON_OBJECT },
	{ "fcm_options", JSON_OBJECT },
	{ "direct_boot_ok", JSON_BOOL },
	{ "bandwidth_constrained_ok", JSON_BOOL },
	{ "restricted_satellite_ok", JSON_BOOL },
	{ NULL, JSON_ABSENT },
};

static const struct member ANDROID_NOTIFICATION[] = {
	{ "title", JSON_TEXT },
	{ "body", JSON_TEXT },
	{ "icon", JSON_TEXT },
	{ "color", JSON_TEXT },
	{ "sound", JSON_TEXT },
	{ "tag", JSON_TEXT },
	{ "click_action", JSON_TEXT },
	{ "body_loc_key", JSON_TEXT },
	{ "body_loc_args", JSON_ARRAY },
	{ "title_loc_key", JSON_TEXT },
	{ "title_loc_args", JSON_ARRAY },
	{ "channel_id", JSON_TEXT },
	{ "ticker", JSON_TEXT },
	{ "sticky", JSON_BOOL },
	{ "event_time", JSON_TEXT },
	{ "local_only", JSON_BOOL },
	{ "notification_priority", JSON_TEXT },
	{ "default_sound", JSON_BOOL },
	{ "default_vibrate_timings", JSON_BOOL },
	{ "default_light_settings", JSON_BOOL },
	{ "vibrate_timings", JSON_ARRAY },
	{ "visibility", JSON_TEXT },
	{ "notification_count", JSON_NUMBER },
	{ "light_settings", JSON_OBJECT },
	{ "image", JSON_TEXT },
	{ "bypass_proxy_notification", JSON_BOOL },
	{ "proxy", JSON_TEXT },
	{ NULL, JSON_ABSENT },
};

static const struct member APNS[] = {
	{ "headers", JSON_OBJECT },
	{ "payload", JSON_OBJECT },
	{ "fcm_options", JSON_OBJECT },
	{ "live_activity_token", JSON_TEXT },
	{ NULL, JSON_ABSENT },
};

static bool is_reserved(struct span name)
{
	return span_is(name, "from") || span_is(name, "message_type") ||
	       starts_with(name, "google.") ||
	       starts_with(name, "gcm.notification.");
}

/* A flat map of string to string; adds its bytes to *bytes. */
static bool check_map(struct exchange *x, const struct json *map,
	const char *where, size_t *bytes)
{
	struct json_iter it = json_iter(map);
	const struct json *v = NULL;

	while ((v = json_next(&it)) != NULL) {
		struct span text = json_text(v);
		if (text.ptr == NULL) {
			return refuse_in(x, where, it.name,
				"Invalid value (TYPE_STRING)");
		}
		if (bytes != NULL && is_reserved(it.name)) {
			return refuse_in(
				x, where, it.name, "Invalid data payload key");
		}
		if (bytes != NULL) {
			*bytes += it.name.len + text.len;
		}
	}
	return true;
}

static void add_texts(const struct json *object, size_t *bytes)
{
	struct json_iter it = json_iter(object);
	const struct json *v = NULL;

	while ((v = json_next(&it)) != NULL) {
		*bytes += it.name.len + json_text(v).len;
	}
}

/* "3.5s": seconds with at most nine digits of fraction. */
static bool is_ttl(struct span s)
{
	size_t digits = 0;
	size_t fraction = 0;
	bool has_dot = false;
	uint64_t seconds = 0;

	if (s.len < 2 || s.ptr[s.len - 1] != 's') {
		return false;
	}
	for (size_t i = 0; i + 1 < s.len; i++) {
		if (s.ptr[i] == '.' && !has_dot && digits > 0) {
			has_dot = true;
		} else if (s.ptr[i] < '0' || s.ptr[i] > '9' || digits > 12) {
			return false;
		} else if (has_dot) {
			fraction++;
		} else {
			digits++;
			seconds = seconds * 10 + (uint64_t)(s.ptr[i] - '0');
		}
	}
	return digits > 0 && fraction <= 9 && (!has_dot || fraction > 0) &&
	       seconds <= TTL_MAX_S;
}

static bool check_android(
	struct exchange *x, const struct json *android, size_t *bytes)
{
	struct span priority = json_text(get(android, "priority"));
	struct span ttl = json_text(get(android, "ttl"));
	const struct json *notification = get(android, "notification");

	if (android == NULL) {
		return true;
	}
	if (!check_members(x, android, "message.android", ANDROID)) {
		return false;
	}
	if (priority.ptr != NULL && !span_is(priority, "high") &&
		!span_is(priority, "normal") && !span_is(priority, "HIGH") &&
		!span_is(priority, "NORMAL")) {
		return refuse(x, "message.android.priority",
			"Invalid value (AndroidMessagePriority)");
	}
	if (ttl.ptr != NULL && !is_ttl(ttl)) {
		return refuse(x, "message.android.ttl",
			"Invalid TTL value: must be within [0s, 2419200s]");
	}
	if (notification != NULL) {
		add_texts(notification, bytes);
		if (!check_members(x, notification,
			    "message.android.notification",
			    ANDROID_NOTIFICATION)) {
			return false;
		}
	}
	return check_map(
		x, get(android, "data"), "message.android.data", bytes);
}

static bool check_apns(struct exchange *x, const struct json *apns)
{
	return apns == NULL || (check_members(x, apns, "message.apns", APNS) &&
				       check_map(x, get(apns, "headers"),
					       "message.apns.headers", NULL));
}

static bool is_topic(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
			!(c >= '0' && c <= '9') && strchr("-_.~%", c) == NULL) {
			return false;
		}
	}
	return s.len > 0 && s.len <= 900;
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] <= ' ' || s.ptr[i] > '~') {
			return false;
		}
	}
	return s.len > 0 && s.len <= TOKEN_MAX_BYTES;
}

/* Exactly one of token, topic and condition; it becomes the verdict's token. */
static bool check_target(struct exchange *x, const struct json *message)
{
	struct span token = json_text(get(message, "token"));
	struct span topic = json_text(get(message, "topic"));
	struct span condition = json_text(get(message, "condition"));
	int count = (token.ptr != NULL) + (topic.ptr != NULL) +
		    (condition.ptr != NULL);
	struct verdict *v = &x->verdict;

	if (count == 0) {
		return refuse(
			x, "message", "Recipient of the message is not set.");
	}
	if (count > 1) {
		return refuse(
			x, "message", "oneof field 'target' is already set.");
	}
	if (token.ptr != NULL) {
		v->token = exchange_note(x, token.ptr, token.len);
		return is_token(token) ||
		       refuse(x, "message.token",
			       "The registration token is not a valid FCM registration token");
	}
	if (topic.ptr != NULL) {
		v->topic = exchange_note(x, topic.ptr, topic.len);
		return is_topic(topic) ||
		       refuse(x, "message.topic", "Invalid topic name");
	}
	v->topic = exchange_note(x, condition.ptr, condition.len);
	return condition.len > 0 ||
	       refuse(x, "message.condition", "Invalid condition");
}

/* Notes what the tally shows, and what makes two messages the same. */
static void describe(struct exchange *x, const struct json *message)
{
	struct verdict *v = &x->verdict;
	const struct json *android = get(message, "android");
	struct span tag = json_text(get(get(android, "notification"), "tag"));
	struct span key = json_text(get(android, "collapse_key"));
	struct span priority = json_text(get(android, "priority"));
	struct span ttl = json_text(get(android, "ttl"));

	if (tag.ptr == NULL) {
		tag = key;
	}
	if (priority.ptr != NULL) {
		v->priority = exchange_note(x, priority.ptr, priority.len);
	}
	if (ttl.ptr != NULL) {
		v->expiration = exchange_note(x, ttl.ptr, ttl.len);
	}
	if (tag.ptr != NULL && v->token.ptr != NULL) {
		/* Notes lie one behind the other, each with its NUL. */
		struct span first =
			exchange_note(x, v->token.ptr, v->token.len);
		v->collapse = exchange_note(x, tag.ptr, tag.len);
		v->identity = (struct span){ first.ptr,
			first.len + 1 + v->collapse.len };
	}
}

static bool check_message(struct exchange *x, const struct json *message)
{
	const struct json *notification = get(message, "notification");
	size_t bytes = 0;

	if (!check_members(x, message, "message", MESSAGE) ||
		!check_target(x, message)) {
		return false;
	}
	describe(x, message);
	add_texts(notification, &bytes);
	if ((notification != NULL &&
		    !check_members(x, notification, "message.notification",
			    NOTIFICATION)) ||
		!check_map(x, get(message, "data"), "message.data", &bytes) ||
		!check_android(x, get(message, "android"), &bytes) ||
		!check_apns(x, get(message, "apns"))) {
		return false;
	}
	size_t most = x->verdict.token.ptr != NULL ? PAYLOAD_MAX_BYTES
						   : TOPIC_PAYLOAD_MAX_BYTES;
	return bytes <= most ||
	       refuse(x, "message", "Android message is too big");
}

static bool check_body(struct exchange *x)
{
	struct json_doc *doc = NULL;
	bool is_good = false;

	if (buf_is_over(&x->body) || x->body.len == 0) {
		return refuse(x, "message", "Invalid JSON payload received.");
	}
	doc = json_parse(x->body.data, x->body.len, JSON_STRICT, NULL);
	if (doc == NULL) {
		return refuse(x, "message", "Invalid JSON payload received.");
	}
	const struct json *request = json_root(doc);
	const struct json *message = get(request, "message");
	if (!check_members(x, request, "request", REQUEST)) {
		goto out;
	}
	if (message == NULL) {
		(void)refuse(
			x, "message", "The message is not set."); /* false */
		goto out;
	}
	is_good = check_message(x, message);
	x->verdict.is_dry_run = json_bool(get(request, "validate_only"), false);
out:
	json_free(doc);
	return is_good;
}

/* The project in the path, or { NULL, 0 } when the path is another. */
static struct span project_of(const struct exchange *x)
{
	struct span path = exchange_field(x, FIELD_PATH);
	size_t around = strlen(PATH_START) + strlen(PATH_END);

	if (!starts_with(path, PATH_START) || path.len <= around ||
		memcmp(path.ptr + path.len - strlen(PATH_END), PATH_END,
			strlen(PATH_END)) != 0) {
		return (struct span){ NULL, 0 };
	}
	return (struct span){ path.ptr + strlen(PATH_START),
		path.len - around };
}

static bool check_access(struct fcm *f, struct exchange *x, struct span project)
{
	struct span text = exchange_field(x, FIELD_AUTHORIZATION);
	const struct google_account *account = NULL;

	if (starts_with(text, "Bearer ")) {
		text.ptr += strlen("Bearer ");
		text.len -= strlen("Bearer ");
		x->verdict.credential = text;
		account = oauth_account(f->oauth, text);
	}
	if (account == NULL) {
		exchange_refuse(x, 401, "UNAUTHENTICATED");
		return false;
	}
	if (!span_is(project, account->project)) {
		exchange_refuse(x, 403, "PERMISSION_DENIED");
		return false;
	}
	x->peer->is_trusted = true;
	return true;
}

static void judge(void *self, struct exchange *x)
{
	struct fcm *f = self;
	struct verdict *v = &x->verdict;
	struct span project = project_of(x);

	if (project.ptr == NULL ||
		!span_is(exchange_field(x, FIELD_METHOD), "POST")) {
		v->is_html = true; /* as the switched-off legacy URLs answer */
		exchange_refuse(x, 404, NULL);
		return;
	}
	if (!check_access(f, x, project)) {
		return;
	}
	if (!x->is_early && !check_body(x)) {
		return;
	}
	v->status = 200;
}

static void put_name(struct fcm *f, struct exchange *x)
{
	struct verdict *v = &x->verdict;
	struct span project = project_of(x);
	char text[FIELD_MAX_BYTES];
	char number[24] = "fake_message_id";

	if (!v->is_dry_run) {
		number[num_format_u64(number, ++f->sent)] = '\0';
	}
	if (fmt_into(text, sizeof(text), "projects/%.*s/messages/%s",
		    (int)project.len, project.ptr, number) != 0) {
		return;
	}
	v->id = exchange_note(x, text, strlen(text));
	json_put_name(&x->answer, "name");
	json_put_span(&x->answer, v->id);
}

static void put_details(
	struct buf *b, const struct problem *p, const struct verdict *v)
{
	json_put_name(b, "details");
	buf_putc(b, '[');
	if (p->is_fcm) {
		buf_putc(b, '{');
		json_put_member(b, "@type", span_of(FCM_ERROR));
		json_put_member(b, "errorCode", span_of(p->code));
		buf_putc(b, '}');
	}
	if (v->field != NULL) {
		buf_text(b, p->is_fcm ? ",{" : "{");
		json_put_member(b, "@type", span_of(BAD_REQUEST));
		json_put_name(b, "fieldViolations");
		buf_text(b, "[{");
		json_put_member(b, "field", span_of(v->field));
		json_put_member(b, "description", span_of(v->detail));
		buf_text(b, "}]}");
	}
	buf_putc(b, ']');
}

static void put_error(struct buf *b, const struct verdict *v)
{
	static const struct problem unknown = { "UNKNOWN", "UNKNOWN",
		"Unknown error.", false };
	const struct problem *p =
		v->reason == NULL ? NULL : problem_of(v->reason);

	if (p == NULL) {
		p = &unknown;
	}
	json_put_name(b, "error");
	buf_putc(b, '{');
	json_put_int(b, "code", v->status);
	json_put_member(b, "message",
		span_of(v->detail != NULL ? v->detail : p->message));
	json_put_member(b, "status", span_of(p->status));
	if (p->is_fcm || v->field != NULL) {
		put_details(b, p, v);
	}
	buf_putc(b, '}');
}

static void format(void *self, struct exchange *x)
{
	struct fcm *f = self;
	struct verdict *v = &x->verdict;
	struct buf *b = &x->answer;

	if (v->is_html) {
		x->answer_type = "text/html; charset=UTF-8";
		buf_fmt(b,
			"<!DOCTYPE html>\n<html lang=en>\n<title>Error %d</title>\n<p>The requested URL was not found on this server.\n",
			v->status);
		return;
	}
	x->answer_type = "application/json; charset=UTF-8";
	if (v->reason != NULL && strcmp(v->reason, "INVALID_ARGUMENT") == 0 &&
		v->field == NULL) {
		/* A token's wish: Google names the member at fault. */
		v->field = "message.token";
		v->detail =
			"The registration token is not a valid FCM registration token";
	}
	buf_putc(b, '{');
	if (v->status == 200) {
		put_name(f, x);
	} else {
		put_error(b, v);
	}
	buf_putc(b, '}');
}

struct fcm *fcm_new(const struct oauth *oauth)
{
	struct fcm *f = mem_array(1, sizeof(*f));

	f->oauth = oauth;
	return f;
}

void fcm_free(struct fcm *f)
{
	mem_free(f);
}

struct vendor fcm_vendor(struct fcm *f)
{
	return (struct vendor){
		.id = VENDOR_FCM,
		.hosts = " fcm.googleapis.com ",
		.self = f,
		.stream_limit = 100, /* firebase/firebase-admin-node#2943 */
		.tells_date = true,
		.speaks_plain = true,
		.judge = judge,
		.format = format,
	};
}
