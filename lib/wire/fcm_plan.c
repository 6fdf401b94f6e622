/* What a message says, checked, and how long Google may find it. */
#include "wire/fcm_plan.h"

#include <string.h>

#include "wire/request.h"

bool fcm_plan_wrong(struct fcm_plan *p, const char *why)
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
static bool check_data(struct fcm_plan *p)
{
	struct json_iter it = json_iter(p->data);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		if (json_type(v) != JSON_TEXT) {
			return fcm_plan_wrong(
				p, "a value of message.data is no text");
		}
		if (span_is(it.name, "from") ||
			span_is(it.name, "message_type") ||
			begins_with(it.name, "google.") ||
			begins_with(it.name, "gcm.notification.")) {
			return fcm_plan_wrong(p,
				"message.data has a name that Google "
				"keeps for itself");
		}
	}
	return true;
}

bool fcm_plan_make(struct fcm_plan *p)
{
	const struct json *message = p->r->message;

	if (json_type(message) != JSON_OBJECT) {
		return fcm_plan_wrong(p, "message is missing or no object");
	}
	if (json_get(message, "token") != NULL ||
		json_get(message, "topic") != NULL ||
		json_get(message, "condition") != NULL) {
		return fcm_plan_wrong(
			p, "message may not name a target: the task does");
	}
	p->notification = json_get(message, "notification");
	p->data = json_get(message, "data");
	p->android = json_get(message, "android");
	if (!is_object_or_absent(p->notification) ||
		!is_object_or_absent(p->data) ||
		!is_object_or_absent(p->android) ||
		!is_object_or_absent(json_get(p->android, "notification"))) {
		return fcm_plan_wrong(p,
			"message.notification, data, android or "
			"android.notification is no object");
	}
	if (p->notification == NULL && json_count(p->data) == 0 &&
		p->android == NULL && json_get(message, "apns") == NULL &&
		json_get(message, "webpush") == NULL) {
		return fcm_plan_wrong(p, "message has nothing to deliver");
	}
	return check_data(p);
}

/* Texts that are shown and data. */
size_t fcm_plan_bytes(const struct fcm_plan *p)
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

size_t fcm_plan_bytes_perhaps(const struct fcm_plan *p)
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
