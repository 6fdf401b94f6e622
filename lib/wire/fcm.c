/*
 * Google's rules: what a request says, what an answer means, how a service
 * account becomes an access token.
 *
 * Sources, all read 2026-11:
 *   [F-ref]   Firebase, REST reference of projects.messages
 *   [F-err]   Firebase, "FCM error codes"
 *   [F-scale] Firebase, "Best practices when sending FCM messages at scale"
 *   [G-oauth] Google, "Using OAuth 2.0 for server to server applications"
 */
#include "wire/fcm.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/mem.h"

enum {
	MS_PER_S = 1000,
	TOKEN_MAX_BYTES = 4096,     /* ours; Google sets no length */
	CONDITION_MAX_BYTES = 1024, /* ours; at most five topics */
	ACCESS_TOKEN_MAX_BYTES = 4096,
	ERROR_WORD_MAX_BYTES = 40,
};

/* --- the plan: what the message says, checked --- */

struct plan {
	const struct record *r;
	const struct json *notification;
	const struct json *data;
	const struct json *android;
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

static bool begins_with(struct span s, const char *text)
{
	size_t len = strlen(text);

	return s.len >= len && memcmp(s.ptr, text, len) == 0;
}

/* [F-ref] Message.data: text to text, some names are Google's. */
static bool check_data(struct plan *p)
{
	struct json_iter it = json_iter(p->data);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		if (json_type(v) != JSON_TEXT) {
			return wrong(p, "a value of message.data is no text");
		}
		if (span_is(it.name, "from") ||
			span_is(it.name, "message_type") ||
			begins_with(it.name, "google.") ||
			begins_with(it.name, "gcm.notification.")) {
			return wrong(p, "message.data has a name that Google "
					"keeps for itself");
		}
	}
	return true;
}

static bool make_plan(struct plan *p)
{
	const struct json *message = p->r->message;

	if (json_type(message) != JSON_OBJECT) {
		return wrong(p, "message is missing or no object");
	}
	if (json_get(message, "token") != NULL ||
		json_get(message, "topic") != NULL ||
		json_get(message, "condition") != NULL) {
		return wrong(p, "message may not name a target: the task does");
	}
	p->notification = json_get(message, "notification");
	p->data = json_get(message, "data");
	p->android = json_get(message, "android");
	if (!is_object_or_absent(p->notification) ||
		!is_object_or_absent(p->data) ||
		!is_object_or_absent(p->android) ||
		!is_object_or_absent(json_get(p->android, "notification"))) {
		return wrong(p, "message.notification, data, android or "
				"android.notification is no object");
	}
	if (p->notification == NULL && json_count(p->data) == 0 &&
		p->android == NULL && json_get(message, "apns") == NULL &&
		json_get(message, "webpush") == NULL) {
		return wrong(p, "message has nothing to deliver");
	}
	return check_data(p);
}

/*
 * What surely counts towards Google's limit: texts that are shown and data.
 * The reference does not say what else does, so that what is near the limit is
 * left for Google to judge.
 */
static size_t payload_bytes(const struct plan *p)
{
	struct json_iter it = json_iter(p->data);
	size_t bytes = 0;
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		bytes += it.name.len + json_text(v).len;
	}
	it = json_iter(p->notification);
	while ((v = json_next(&it)) != NULL) {
		bytes += json_text(v).len;
	}
	return bytes;
}

/* --- the target --- */

static bool is_visible(struct span s, size_t max)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < 0x21 || s.ptr[i] > 0x7e) {
			return false;
		}
	}
	return s.len > 0 && s.len <= max;
}

/* [F-ref] Message.topic: without "/topics/"; [a-zA-Z0-9-_.~%]+ as the SDKs
 * for subscribing have it. */
static bool is_topic(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') ||
			    (c != '\0' && strchr("-_.~%", c) != NULL))) {
			return false;
		}
	}
	return s.len > 0 && s.len <= 900;
}

static void put_text_member(struct buf *b, const char *name, struct span value)
{
	request_put_name(b, span_of(name));
	json_put_span(b, value);
}

static bool put_target(struct plan *p, struct buf *b)
{
	const struct record *r = p->r;

	if (r->device != NULL) {
		if (r->platform != PLATFORM_ANDROID) {
			return wrong(p, "no Android device");
		}
		if (!is_visible(r->token, TOKEN_MAX_BYTES)) {
			return wrong(p, "registration token is not one word "
					"of ASCII");
		}
		put_text_member(b, "token", r->token);
		return true;
	}
	if (r->topic.ptr != NULL && r->condition.ptr != NULL) {
		return wrong(p, "both topic and condition");
	}
	if (r->topic.ptr != NULL) {
		if (!is_topic(r->topic)) {
			return wrong(p, "topic is no topic name");
		}
		put_text_member(b, "topic", r->topic);
		return true;
	}
	if (r->condition.len > 0 && r->condition.len <= CONDITION_MAX_BYTES) {
		put_text_member(b, "condition", r->condition);
		return true;
	}
	return wrong(p, "neither an Android device nor a topic or condition");
}

/* --- the body --- */

static void put_member(struct buf *b, struct span name, const struct json *v)
{
	request_put_name(b, name);
	json_write(b, v);
}

/* All members but one, which is put together elsewhere. */
static void put_members(
	struct buf *b, const struct json *object, const char *but)
{
	struct json_iter it = json_iter(object);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		if (!span_is(it.name, but)) {
			put_member(b, it.name, v);
		}
	}
}

/* What life the task has left: Google then keeps it no longer than we would. */
static void put_ttl(const struct plan *p, struct buf *b)
{
	int64_t left_s;

	if (p->r->expires_unix_ms <= 0 || json_get(p->android, "ttl") != NULL) {
		return;
	}
	left_s = (p->r->expires_unix_ms - p->r->now_unix_us / 1000) / MS_PER_S;
	if (left_s < 0) {
		left_s = 0;
	}
	if (left_s > FCM_TTL_MAX_S) {
		left_s = FCM_TTL_MAX_S;
	}
	request_put_name(b, span_of("ttl"));
	buf_putc(b, '"');
	buf_i64(b, left_s);
	buf_text(b, "s\"");
}

/* The tag makes a repeat replace what is shown (Google has no idempotency
 * key); it needs a notification. */
static void put_android_notification(const struct plan *p, struct buf *b)
{
	const struct json *own = json_get(p->android, "notification");
	char id[REQUEST_REPLACE_ID_BYTES];

	if (own == NULL && p->notification == NULL) {
		return;
	}
	request_put_name(b, span_of("notification"));
	buf_putc(b, '{');
	put_members(b, own, "");
	if (json_get(own, "tag") == NULL) {
		request_replace_id(p->r, id);
		put_text_member(b, "tag", span_of(id));
	}
	buf_putc(b, '}');
}

/* The members of the message; its text is where one may make it shorter. */
static void put_message(const struct plan *p, struct request *req)
{
	struct buf *b = &req->body;
	struct json_iter it = json_iter(p->r->message);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		if (!span_is(it.name, "android") &&
			!span_is(it.name, "notification")) {
			put_member(b, it.name, v);
		}
	}
	if (p->notification == NULL) {
		return;
	}
	request_put_name(b, span_of("notification"));
	buf_putc(b, '{');
	it = json_iter(p->notification);
	while ((v = json_next(&it)) != NULL) {
		if (span_is(it.name, "body")) {
			request_put_shown(req, it.name, v);
		} else {
			put_member(b, it.name, v);
		}
	}
	buf_putc(b, '}');
}

static void put_android(const struct plan *p, struct buf *b)
{
	bool is_high = p->r->priority == PRIORITY_HIGH;

	request_put_name(b, span_of("android"));
	buf_putc(b, '{');
	put_members(b, p->android, "notification");
	if (json_get(p->android, "priority") == NULL) {
		put_text_member(
			b, "priority", span_of(is_high ? "high" : "normal"));
	}
	put_ttl(p, b);
	put_android_notification(p, b);
	buf_putc(b, '}');
}

bool fcm_is_project(struct span project_id)
{
	for (size_t i = 0; i < project_id.len; i++) {
		char c = project_id.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '-' || c == ':' ||
			    c == '.' || c == '_')) {
			return false;
		}
	}
	return project_id.len > 0 && project_id.len <= 128;
}

/* What may count towards it besides: names of members, and what Android shows
 * otherwise. */
static size_t payload_bytes_perhaps(const struct plan *p)
{
	const struct json *own = json_get(p->android, "notification");
	struct json_iter it = json_iter(p->notification);
	size_t bytes = 0;
	const struct json *v;

	while (json_next(&it) != NULL) {
		bytes += it.name.len;
	}
	it = json_iter(own);
	while ((v = json_next(&it)) != NULL) {
		bytes += it.name.len + json_text(v).len;
	}
	return bytes + sizeof("tag") + REQUEST_REPLACE_ID_BYTES;
}

/* Whether the payload is as short as Google wants it, now.  What is cut is cut so
 * far that Google cannot find it too long. */
static bool fit(struct plan *p, bool shortens, struct request *req)
{
	size_t max = p->r->device != NULL ? FCM_PAYLOAD_MAX_BYTES
					  : FCM_PAYLOAD_MAX_TOPIC_BYTES;
	size_t has = payload_bytes(p);
	size_t most = has + payload_bytes_perhaps(p);

	if (most > max && shortens && !buf_is_over(&req->body)) {
		req->shortened_bytes = shorten(
			&req->body, &req->shown, most - max, SHORTEN_READ);
	}
	return (!buf_is_over(&req->body) &&
		       (has <= max || req->shortened_bytes > 0)) ||
	       wrong(p, "payload is longer than Google takes");
}

static enum reason put_body(
	struct plan *p, const struct fcm_terms *terms, struct request *req)
{
	struct buf *b = &req->body;

	buf_putc(b, '{');
	if (terms->validate_only) {
		buf_text(b, "\"validate_only\":true,");
	}
	buf_text(b, "\"message\":{");
	if (!put_target(p, b)) {
		return REASON_BAD_TARGET;
	}
	if (!make_plan(p)) {
		return REASON_BAD_MESSAGE;
	}
	put_message(p, req);
	put_android(p, b);
	buf_text(b, "}}");
	return fit(p, terms->shortens, req) ? REASON_NONE
					    : REASON_PAYLOAD_TOO_LARGE;
}

enum reason fcm_build(const struct record *r, const struct fcm_terms *terms,
	struct request *req, const char **why)
{
	struct plan p = { .r = r };
	struct span project_id = terms->project_id;
	enum reason reason;

	if (!fcm_is_project(project_id)) {
		BUG("fcm project id of %zu bytes", project_id.len);
	}
	request_reset(req);
	buf_text(&req->path, "/v1/projects/");
	buf_put(&req->path, project_id.ptr, project_id.len);
	buf_text(&req->path, "/messages:send");
	request_header(req, "content-type", span_of("application/json"), false);
	reason = put_body(&p, terms, req);
	if (why != NULL) {
		*why = p.why;
	}
	return reason;
}

/* --- answers --- */

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
 * the status alone, the first that fits.  A 404 of this kind is a wrong project
 * or URL and never says anything about a token. */
static const struct {
	int from;
	int to;
	struct answer_row row;
} others[] = {
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
	if (status == 400 && c->is_about_token) {
		return &bad_token;
	}
	for (size_t i = 1; i < ANSWER_COUNT; i++) {
		if (span_is(c->code, answers[i].name) &&
			status / 100 == answers[i].status / 100) {
			return &answers[i];
		}
	}
	for (size_t i = 0; i < OTHER_COUNT - 1; i++) {
		if (status >= others[i].from && status <= others[i].to) {
			return &others[i].row;
		}
	}
	return &others[OTHER_COUNT - 1].row;
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

/* --- service account --- */

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

/* --- access token --- */

/* [G-oauth], "Preparing to make an authorized API call", HTTP/REST. */
static void put_assertion(const struct fcm_account *a, int64_t now_s,
	struct buf *header, struct buf *claims)
{
	buf_text(header, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":");
	json_put_span(header, span_of(a->private_key_id));
	buf_putc(header, '}');

	buf_text(claims, "{\"iss\":");
	json_put_span(claims, span_of(a->client_email));
	buf_text(claims, ",\"scope\":\"https://www.googleapis.com/auth/"
			 "firebase.messaging\",\"aud\":");
	json_put_span(claims, span_of(a->token_uri));
	buf_text(claims, ",\"iat\":");
	buf_i64(claims, now_s);
	buf_text(claims, ",\"exp\":");
	buf_i64(claims, now_s + FCM_ASSERTION_LIFE_S);
	buf_putc(claims, '}');
}

int fcm_token_request(const struct fcm_account *a, int64_t now_unix_ms,
	struct buf *out, struct err *err)
{
	struct buf header;
	struct buf claims;
	int result;

	buf_init(&header, JWT_KEY_FILE_MAX_BYTES);
	buf_init(&claims, JWT_KEY_FILE_MAX_BYTES);
	put_assertion(a, now_unix_ms / MS_PER_S, &header, &claims);
	buf_text(out, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type"
		      "%3Ajwt-bearer&assertion=");
	result = jwt_sign(a->key, (struct span){ header.data, header.len },
		(struct span){ claims.data, claims.len }, out, err);
	buf_release(&header);
	buf_release(&claims);
	return result;
}

/* RFC 6749 section 5.2: a word such as invalid_grant. */
static bool is_error_word(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') ||
			    s.ptr[i] == '_')) {
			return false;
		}
	}
	return s.len > 0 && s.len <= ERROR_WORD_MAX_BYTES;
}

static int token_refused(int status, const struct json *root, struct err *err)
{
	struct span word = json_text(json_get(root, "error"));

	if (!is_error_word(word)) {
		word = span_of("no word why");
	}
	if (status == 400 || status == 401 || status == 403) {
		return err_usage(err, 0,
			"Google refuses the service account: %d, %.*s", status,
			(int)word.len, word.ptr);
	}
	return err_set(err, 0, "Google gives no access token: %d, %.*s", status,
		(int)word.len, word.ptr);
}

int fcm_token_parse(int status, struct span body, struct buf *token,
	int64_t *life_s, struct err *err)
{
	struct json_doc *doc = NULL;
	const struct json *root = NULL;
	struct span text;
	int result = 0;

	if (body.len > 0) {
		doc = json_parse(body.ptr, body.len, JSON_STRICT, NULL);
		root = doc == NULL ? NULL : json_root(doc);
	}
	text = json_text(json_get(root, "access_token"));
	if (status != 200) {
		result = token_refused(status, root, err);
	} else if (!is_visible(text, ACCESS_TOKEN_MAX_BYTES) ||
		   json_int(json_get(root, "expires_in"), life_s) != 0 ||
		   *life_s <= 0) {
		result = err_set(err, 0,
			"Google's answer has no access_token with expires_in");
	} else {
		buf_put(token, text.ptr, text.len);
		if (buf_is_over(token)) {
			result = err_set(err, 0, "access token is too long");
		}
	}
	json_free(doc);
	return result;
}
