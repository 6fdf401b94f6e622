/* Lists of names, and the topics inside FCM conditions. */
#include "policy/allow.h"

#include <string.h>

static bool read_names(const struct json *list, struct nameset *set)
{
	struct json_iter it = json_iter(list);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		(void)nameset_add(set, json_text(v));
	}
	return list != NULL;
}

void allow_init(struct allow *allow, const struct json *app)
{
	const struct json *priorities = json_get(app, "priorities");
	struct json_iter it = json_iter(priorities);
	const struct json *v;

	*allow = (struct allow){ .platforms = platforms_read(app),
		.has_priorities = priorities != NULL };
	while ((v = json_next(&it)) != NULL) {
		for (int i = 0; i < PRIORITY_COUNT; i++) {
			if (json_is_text(v, priority_name((enum priority)i))) {
				allow->priorities[i] = true;
			}
		}
	}
	allow->has_categories =
		read_names(json_get(app, "categories"), &allow->categories);
	allow->has_topics = read_names(json_get(app, "topics"), &allow->topics);
	allow->has_channels =
		read_names(json_get(app, "channels"), &allow->channels);
}

void allow_release(struct allow *allow)
{
	nameset_release(&allow->categories);
	nameset_release(&allow->topics);
	nameset_release(&allow->channels);
}

/* By its whole name or by a beginning: "news-*" holds "news-de". */
static bool has_topic(const struct nameset *topics, struct span topic)
{
	if (nameset_has(topics, topic)) {
		return true;
	}
	for (size_t i = 0; i < topics->slot_count; i++) {
		struct span name = topics->slots[i].name;

		if (name.ptr != NULL && name.len > 0 &&
			name.ptr[name.len - 1] == '*' &&
			topic.len >= name.len - 1 &&
			memcmp(topic.ptr, name.ptr, name.len - 1) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_made_of(struct span text, const char *signs)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool is_letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!is_letter && (c == '\0' || strchr(signs, c) == NULL)) {
			return false;
		}
	}
	return true;
}

/*
 * The first topic of a condition that is not allowed, or absent.  A condition
 * is 'a' in topics && ('b' in topics || ...), a topic [a-zA-Z0-9-_.~%]+: FCM,
 * "Send messages to topics", read 2026-11.  What is written otherwise might
 * name topics that only Google sees: then it is the rest of the condition.
 */
static struct span bad_topic(
	const struct nameset *topics, struct span condition)
{
	const char *at = condition.ptr;
	const char *end = condition.ptr + condition.len;
	bool has_any = false;

	for (;;) {
		struct span rest = { at, (size_t)(end - at) };
		const char *open = memchr(at, '\'', rest.len);
		struct span between = { at,
			(size_t)((open == NULL ? end : open) - at) };
		const char *close = open == NULL
					    ? NULL
					    : memchr(open + 1, '\'',
						      (size_t)(end - open - 1));

		if (!is_made_of(between, " \t()&|!") ||
			(open == NULL && !has_any)) {
			return rest;
		}
		if (open == NULL) {
			return (struct span){ NULL, 0 };
		}
		if (close == NULL) {
			return (struct span){ open, (size_t)(end - open) };
		}
		struct span topic = { open + 1, (size_t)(close - open - 1) };

		if (!is_made_of(topic, "0123456789-_.~%") ||
			!has_topic(topics, topic)) {
			return topic;
		}
		has_any = true;
		at = close + 1;
	}
}

/* The first platform of the task's devices that is not allowed. */
static struct span bad_platform(
	const struct allow *allow, const struct record *r)
{
	struct json_iter it = json_iter(r->devices);
	const struct json *v;
	struct span name;

	if (r->device != NULL &&
		!platforms_allow(&allow->platforms, r->platform)) {
		return span_of(platform_name(r->platform));
	}
	while ((v = json_next(&it)) != NULL) {
		name = json_text(json_get(v, "platform"));
		if (!platforms_allow(&allow->platforms, platform_parse(name))) {
			return name;
		}
	}
	/* Topics and conditions are FCM's, channels Apple's; FCM reaches both. */
	if (r->channel.ptr != NULL &&
		!platforms_allow(&allow->platforms, PLATFORM_IOS)) {
		return span_of(platform_name(PLATFORM_IOS));
	}
	return (struct span){ NULL, 0 };
}

struct allow_fault allow_judge(
	const struct allow *allow, const struct record *r)
{
	struct span bad = { NULL, 0 };

	if (allow->platforms.is_listed) {
		bad = bad_platform(allow, r);
	}
	if (bad.ptr != NULL) {
		return (struct allow_fault){ "platform", bad };
	}
	if (allow->has_priorities && !allow->priorities[r->priority]) {
		return (struct allow_fault){ "priority",
			span_of(priority_name(r->priority)) };
	}
	if (allow->has_categories &&
		!nameset_has(&allow->categories, r->category)) {
		return (struct allow_fault){ "category", r->category };
	}
	if (allow->has_topics && r->topic.ptr != NULL &&
		!has_topic(&allow->topics, r->topic)) {
		return (struct allow_fault){ "topic", r->topic };
	}
	if (allow->has_topics && r->condition.ptr != NULL) {
		bad = bad_topic(&allow->topics, r->condition);
	}
	if (bad.ptr != NULL) {
		return (struct allow_fault){ "topic", bad };
	}
	if (allow->has_channels && r->channel.ptr != NULL &&
		!nameset_has(&allow->channels, r->channel)) {
		return (struct allow_fault){ "channel", r->channel };
	}
	return (struct allow_fault){ NULL, { NULL, 0 } };
}
