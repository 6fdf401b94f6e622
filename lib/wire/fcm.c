/* From a record to the request that Google gets. */
#include "wire/fcm.h"

#include <string.h>

#include "base/mem.h"
#include "wire/fcm_plan.h"

enum {
	MS_PER_S = 1000,
	TOKEN_MAX_BYTES = 4096,     /* ours; Google sets no length */
	CONDITION_MAX_BYTES = 1024, /* ours; at most five topics */
};

/* --- the target --- */

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

static bool put_target(struct fcm_plan *p, struct buf *b)
{
	const struct record *r = p->r;

	if (r->device != NULL) {
		if (r->platform != PLATFORM_ANDROID) {
			return fcm_plan_wrong(p, "no Android device");
		}
		if (!request_is_word(r->token, TOKEN_MAX_BYTES)) {
			return fcm_plan_wrong(p,
				"registration token is not one word "
				"of ASCII");
		}
		put_text_member(b, "token", r->token);
		return true;
	}
	if (r->topic.ptr != NULL && r->condition.ptr != NULL) {
		return fcm_plan_wrong(p, "both topic and condition");
	}
	if (r->topic.ptr != NULL) {
		if (!is_topic(r->topic)) {
			return fcm_plan_wrong(p, "topic is no topic name");
		}
		put_text_member(b, "topic", r->topic);
		return true;
	}
	if (r->condition.len > 0 && r->condition.len <= CONDITION_MAX_BYTES) {
		put_text_member(b, "condition", r->condition);
		return true;
	}
	return fcm_plan_wrong(
		p, "neither an Android device nor a topic or condition");
}

/* --- the body --- */

/* All members but one, which is put together elsewhere. */
static void put_members(
	struct buf *b, const struct json *object, const char *but)
{
	struct json_iter it = json_iter(object);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		if (!span_is(it.name, but)) {
			request_put_member(b, it.name, v);
		}
	}
}

/* What life the task has left: Google then keeps it no longer than we would. */
static void put_ttl(const struct fcm_plan *p, struct buf *b)
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
static void put_android_notification(const struct fcm_plan *p, struct buf *b)
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
static void put_message(const struct fcm_plan *p, struct request *req)
{
	struct buf *b = &req->body;
	struct json_iter it = json_iter(p->r->message);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		if (!span_is(it.name, "android") &&
			!span_is(it.name, "notification")) {
			request_put_member(b, it.name, v);
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
			request_put_member(b, it.name, v);
		}
	}
	buf_putc(b, '}');
}

static void put_android(const struct fcm_plan *p, struct buf *b)
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

/* Whether the payload is as short as Google wants it, now.  What is cut is cut so
 * far that Google cannot find it too long. */
static bool fit(struct fcm_plan *p, bool shortens, struct request *req)
{
	size_t max = p->r->device != NULL ? FCM_PAYLOAD_MAX_BYTES
					  : FCM_PAYLOAD_MAX_TOPIC_BYTES;
	size_t has = fcm_plan_bytes(p);
	size_t most = has + fcm_plan_bytes_perhaps(p);

	if (most > max && shortens && !buf_is_over(&req->body)) {
		req->shortened_bytes = shorten(
			&req->body, &req->shown, most - max, SHORTEN_READ);
	}
	return (!buf_is_over(&req->body) &&
		       (has <= max || req->shortened_bytes > 0)) ||
	       fcm_plan_wrong(p, "payload is longer than Google takes");
}

static enum reason put_body(
	struct fcm_plan *p, const struct fcm_terms *terms, struct request *req)
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
	if (!fcm_plan_make(p)) {
		return REASON_BAD_MESSAGE;
	}
	put_message(p, req);
	put_android(p, b);
	buf_text(b, "}}");
	return fit(p, terms->shortens, req) ? REASON_NONE
					    : REASON_PAYLOAD_TOO_LARGE;
}

/* --- the request --- */

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

enum reason fcm_build(const struct record *r, const struct fcm_terms *terms,
	struct request *req, const char **why)
{
	struct fcm_plan p = { .r = r };
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
