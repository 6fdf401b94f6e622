/* From a record to the request that Apple gets. */
#include "wire/apns.h"

#include <string.h>

#include "base/digest.h"
#include "base/num.h"
#include "wire/apns_plan.h"

enum {
	MS_PER_S = 1000,
	TOKEN_MAX_BYTES = 1024,  /* hexadecimal; ours, so that headers stay
	                            small: Apple sets no length */
	CHANNEL_MAX_BYTES = 256, /* likewise */
};

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

static bool put_path(struct apns_plan *p, struct request *req)
{
	const struct record *r = p->r;

	if (p->is_broadcast) {
		if (!request_is_word(r->channel, CHANNEL_MAX_BYTES)) {
			return apns_plan_wrong(p, "channel is no channel id");
		}
		buf_text(&req->path, "/4/broadcasts/apps/");
		buf_put(&req->path, p->app_topic.ptr, p->app_topic.len);
		return true;
	}
	if (r->platform != PLATFORM_IOS) {
		return apns_plan_wrong(
			p, "neither an iOS device nor a channel");
	}
	if (!is_hex(r->token) || r->token.len > TOKEN_MAX_BYTES) {
		return apns_plan_wrong(p, "device token is not hexadecimal");
	}
	buf_text(&req->path, "/3/device/");
	buf_put(&req->path, r->token.ptr, r->token.len);
	return true;
}

/* --- the headers --- */

static const char *default_priority(const struct apns_plan *p)
{
	switch (p->r->priority) {
	case PRIORITY_HIGH:
		return "10";
	case PRIORITY_LOW:
		return p->type->low_priority;
	case PRIORITY_NORMAL:
	case PRIORITY_COUNT:
		break;
	}
	return "5";
}

static void put_expiration(const struct apns_plan *p, struct request *req)
{
	char digits[20];
	struct span value = p->expiration;

	if (value.ptr == NULL && p->r->expires_unix_ms > 0) {
		int64_t s = p->r->expires_unix_ms / MS_PER_S;

		value = (struct span){ digits,
			num_format_u64(digits, (uint64_t)s) };
	}
	/* A channel may keep nothing ([A-chan], apns-expiration). */
	if (value.ptr == NULL && (p->is_broadcast || p->type->is_for_now)) {
		value = span_of("0");
	}
	if (value.ptr != NULL) {
		request_header(req, "apns-expiration", value, true);
	}
}

/* The same for every attempt at this device, so that Apple's and our logs can
 * be put side by side. */
static void put_id(const struct apns_plan *p, struct request *req)
{
	struct span target = p->is_broadcast ? p->r->channel : p->r->token;
	struct digest_part parts[] = {
		{ p->r->uid.ptr, p->r->uid.len },
		{ target.ptr, target.len },
	};
	struct digest d = digest_quick_parts(parts, 2);
	char uuid[UUID_TEXT_BYTES];

	digest_uuid(&d, uuid);
	request_header(req, p->is_broadcast ? "apns-request-id" : "apns-id",
		span_of(uuid), true);
}

static void put_topic(const struct apns_plan *p, struct request *req)
{
	char text[APNS_TOPIC_MAX_BYTES + 32];
	struct span topic = p->topic;
	size_t suffix = strlen(p->type->suffix);

	if (topic.ptr == NULL) {
		memcpy(text, p->app_topic.ptr, p->app_topic.len);
		memcpy(text + p->app_topic.len, p->type->suffix, suffix);
		topic = (struct span){ text, p->app_topic.len + suffix };
	}
	request_header(req, "apns-topic", topic, false);
}

static void put_headers(const struct apns_plan *p, struct request *req)
{
	struct span priority = p->priority;

	request_header(req, "apns-push-type", span_of(p->type->name), false);
	if (p->type->only_priority != NULL) {
		priority = span_of(p->type->only_priority);
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

/* Copies a member of `from' that `over' does not have. */
static void put_unless(struct buf *b, const char *name, const struct json *from,
	const struct json *over)
{
	const struct json *v = json_get(from, name);

	if (v != NULL && json_get(over, name) == NULL) {
		request_put_member(b, span_of(name), v);
	}
}

static void put_alert(const struct apns_plan *p, struct request *req)
{
	struct buf *b = &req->body;
	const struct json *body = json_get(p->notification, "body");
	const struct json *alert = json_get(p->aps, "alert");
	struct json_iter it = json_iter(alert);
	const struct json *v;

	if (alert != NULL && json_type(alert) != JSON_OBJECT) {
		request_put_shown(req, span_of("alert"), alert);
		return;
	}
	if (alert == NULL && json_get(p->notification, "title") == NULL &&
		body == NULL) {
		return;
	}
	request_put_name(b, span_of("alert"));
	buf_putc(b, '{');
	while ((v = json_next(&it)) != NULL) {
		if (!span_is(it.name, "body")) {
			request_put_member(b, it.name, v);
		}
	}
	put_unless(b, "title", p->notification, alert);
	if (json_get(alert, "body") != NULL) {
		body = json_get(alert, "body");
	}
	if (body != NULL) {
		request_put_shown(req, span_of("body"), body);
	}
	buf_putc(b, '}');
}

static void put_aps(const struct apns_plan *p, struct request *req)
{
	struct buf *b = &req->body;
	struct json_iter it = json_iter(p->aps);
	const struct json *v;

	request_put_name(b, span_of("aps"));
	buf_putc(b, '{');
	put_alert(p, req);
	while ((v = json_next(&it)) != NULL) {
		if (!span_is(it.name, "alert")) {
			request_put_member(b, it.name, v);
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
static void put_image(const struct apns_plan *p, struct buf *b)
{
	const struct json *image = json_get(p->notification, "image");

	if (image == NULL || json_get(p->payload, "fcm_options") != NULL ||
		json_get(p->data, "fcm_options") != NULL) {
		return;
	}
	request_put_name(b, span_of("fcm_options"));
	buf_putc(b, '{');
	request_put_member(b, span_of("image"), image);
	buf_putc(b, '}');
}

static void put_body(const struct apns_plan *p, struct request *req)
{
	struct buf *b = &req->body;
	struct json_iter it = json_iter(p->payload);
	const struct json *v;

	buf_putc(b, '{');
	if (!p->type->is_bare || p->aps != NULL) {
		put_aps(p, req);
	}
	while ((v = json_next(&it)) != NULL) {
		if (!span_is(it.name, "aps")) {
			request_put_member(b, it.name, v);
		}
	}
	it = json_iter(p->data);
	while ((v = json_next(&it)) != NULL) {
		if (!request_has_member(p->payload, it.name)) {
			request_put_member(b, it.name, v);
		}
	}
	put_image(p, b);
	buf_putc(b, '}');
}

/* Whether the body is as short as Apple wants it, now. */
static bool fit(struct apns_plan *p, bool shortens, struct request *req)
{
	size_t max = p->is_broadcast ? APNS_PAYLOAD_MAX_VOIP_BYTES
				     : p->type->max_bytes;

	if (buf_is_over(&req->body)) {
		return apns_plan_wrong(p, "payload is longer than Apple takes");
	}
	if (req->body.len > max && shortens) {
		req->shortened_bytes = shorten(&req->body, &req->shown,
			req->body.len - max, SHORTEN_WRITTEN);
	}
	return req->body.len <= max ||
	       apns_plan_wrong(p, "payload is longer than Apple takes");
}

enum reason apns_build(const struct record *r, const struct apns_terms *terms,
	struct request *req, const char **why)
{
	struct apns_plan p = {
		.r = r,
		.app_topic = terms->topic,
		.has_certificate = terms->has_certificate,
		.is_broadcast = r->device == NULL && r->channel.ptr != NULL,
	};
	enum reason reason = REASON_NONE;

	if (!apns_is_topic(terms->topic)) {
		BUG("apns topic of %zu bytes", terms->topic.len);
	}
	request_reset(req);
	if (!put_path(&p, req)) {
		reason = REASON_BAD_TARGET;
	} else if (!apns_plan_make(&p)) {
		reason = REASON_BAD_MESSAGE;
	} else {
		put_headers(&p, req);
		put_body(&p, req);
		if (!fit(&p, terms->shortens, req)) {
			reason = REASON_PAYLOAD_TOO_LARGE;
		}
	}
	if (why != NULL) {
		*why = p.why;
	}
	return reason;
}
