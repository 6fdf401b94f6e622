/* What a message asks of Apple, checked. */
#include "wire/apns_plan.h"

#include <string.h>

#include "wire/apns.h"

/* --- push types --- */

enum { TYPE_ALERT, TYPE_BACKGROUND, TYPE_LIVEACTIVITY };

enum {
	USUAL_BYTES = APNS_PAYLOAD_MAX_BYTES,
	VOIP_BYTES = APNS_PAYLOAD_MAX_VOIP_BYTES
};

/* Background must be 5, Apple answers BadPriority to 10; location knows no 1;
 * push-to-talk is for now or never. */
/* clang-format off */
static const struct apns_type types[] = {
	[TYPE_ALERT] = { "alert", "", USUAL_BYTES, true, NULL, "1", false, false, false },
	[TYPE_BACKGROUND] = { "background", "", USUAL_BYTES, true, "5", "5", false, false, false },
	[TYPE_LIVEACTIVITY] = { "liveactivity", ".push-type.liveactivity", USUAL_BYTES, false, NULL, "1", false, true, false },
	{ "widgets", ".push-type.widgets", USUAL_BYTES, false, NULL, "1", false, false, false },
	{ "controls", ".push-type.controls", USUAL_BYTES, false, NULL, "1", false, false, false },
	{ "location", ".location-query", USUAL_BYTES, false, NULL, "5", false, true, false },
	{ "voip", ".voip", VOIP_BYTES, false, NULL, "1", false, false, false },
	{ "pushtotalk", ".voip-ptt", USUAL_BYTES, false, NULL, "1", true, false, false },
	{ "complication", ".complication", USUAL_BYTES, false, NULL, "1", false, false, false },
	{ "fileprovider", ".pushkit.fileprovider", USUAL_BYTES, false, NULL, "1", false, false, false },
	{ "mdm", "", USUAL_BYTES, false, NULL, "1", false, false, true },
};
/* clang-format on */

enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

/* --- checks --- */

bool apns_plan_wrong(struct apns_plan *p, const char *why)
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
static bool read_message(struct apns_plan *p)
{
	const struct json *message = p->r->message;
	const struct json *apns = json_get(message, "apns");

	if (json_type(message) != JSON_OBJECT) {
		return apns_plan_wrong(p, "message is missing or no object");
	}
	p->notification = json_get(message, "notification");
	p->data = json_get(message, "data");
	p->payload = json_get(apns, "payload");
	p->aps = json_get(p->payload, "aps");
	if (!is_object_or_absent(apns) || !is_object_or_absent(p->payload) ||
		!is_object_or_absent(p->aps) ||
		!is_object_or_absent(json_get(apns, "headers"))) {
		return apns_plan_wrong(p,
			"message.apns, its headers, payload or "
			"payload.aps is no object");
	}
	if (!is_object_or_absent(p->notification) ||
		!is_text_or_absent(json_get(p->notification, "title")) ||
		!is_text_or_absent(json_get(p->notification, "body")) ||
		!is_text_or_absent(json_get(p->notification, "image"))) {
		return apns_plan_wrong(
			p, "message.notification is no object of texts");
	}
	if (!is_object_or_absent(p->data)) {
		return apns_plan_wrong(p, "message.data is no object");
	}
	if (json_get(p->data, "aps") != NULL) {
		return apns_plan_wrong(
			p, "message.data may not have a member 'aps'");
	}
	return true;
}

/* A closed list: anything else would be sent to Apple in our name. */
static bool read_headers(struct apns_plan *p)
{
	struct json_iter it =
		json_iter(json_path(p->r->message, "apns.headers"));
	const struct json *v = json_next(&it);

	for (; v != NULL; v = json_next(&it)) {
		struct span text = json_text(v);

		if (!request_is_word(text, APNS_TOPIC_MAX_BYTES)) {
			return apns_plan_wrong(p,
				"a member of message.apns.headers is "
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
			return apns_plan_wrong(p,
				"message.apns.headers has a member "
				"that is not one of push-type, topic, "
				"collapse-id, priority, expiration");
		}
	}
	if (p->collapse_id.len > APNS_COLLAPSE_ID_MAX_BYTES) {
		return apns_plan_wrong(
			p, "apns-collapse-id is longer than 64 bytes");
	}
	if (p->priority.ptr != NULL && !span_is(p->priority, "10") &&
		!span_is(p->priority, "5") && !span_is(p->priority, "1")) {
		return apns_plan_wrong(p, "apns-priority is not 10, 5 or 1");
	}
	if (p->expiration.ptr != NULL && !is_digits(p->expiration)) {
		return apns_plan_wrong(
			p, "apns-expiration is no time in seconds");
	}
	return true;
}

bool apns_is_topic(struct span topic)
{
	return request_is_word(topic, APNS_TOPIC_MAX_BYTES);
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
static bool choose_type(struct apns_plan *p)
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
		return apns_plan_wrong(
			p, "apns-push-type is not one that Apple has");
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
			return apns_plan_wrong(p,
				"message has nothing for an iOS "
				"device");
		}
	}
	return true;
}

bool apns_plan_make(struct apns_plan *p)
{
	if (!read_message(p) || !read_headers(p) || !choose_type(p)) {
		return false;
	}
	if (p->topic.ptr != NULL && !is_topic_of_app(p->topic, p->app_topic)) {
		return apns_plan_wrong(
			p, "apns-topic is not the app's or below it");
	}
	if (p->has_certificate && p->type->needs_token) {
		return apns_plan_wrong(p, "this push type needs a signing key, "
					  "not a certificate");
	}
	if (p->is_broadcast && p->aps == NULL) {
		return apns_plan_wrong(
			p, "a broadcast needs message.apns.payload.aps");
	}
	return true;
}
