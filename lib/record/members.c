/*
 * The members of a task that some stage knows: one table, read in one pass.
 */
#include <string.h>

#include "base/err.h"
#include "record/body.h"
#include "record/json_inner.h"

enum member_type {
	MEMBER_TEXT,
	MEMBER_KEY, /* a text; an empty one is none */
	MEMBER_ID,  /* such a one, and short */
	MEMBER_TIME,
	MEMBER_OBJECT,
	MEMBER_PART,
	MEMBER_ARRAY,
	MEMBER_PRIORITY,
	MEMBER_KIND,
	MEMBER_TRACE
};

struct member {
	const char *name;
	enum member_type type;
	size_t offset; /* in struct record; 0: only checked */
};

#define AT(name, type, member)                              \
	{                                                   \
		name, type, offsetof(struct record, member) \
	}
#define CHECKED(name, type)   \
	{                     \
		name, type, 0 \
	}

/* Every member that a stage knows; what is not here passes unseen. */
static const struct member members[] = {
	AT("id", MEMBER_ID, id),
	AT("app", MEMBER_TEXT, app),
	AT("jws", MEMBER_TEXT, jws),
	AT("user", MEMBER_TEXT, user),
	AT("users", MEMBER_ARRAY, users),
	AT("device", MEMBER_OBJECT, device),
	AT("devices", MEMBER_ARRAY, devices),
	AT("topic", MEMBER_TEXT, topic),
	AT("condition", MEMBER_TEXT, condition),
	AT("channel", MEMBER_TEXT, channel),
	AT("segment", MEMBER_TEXT, segment),
	CHECKED("segment_after", MEMBER_TEXT),
	CHECKED("kind", MEMBER_KIND),
	CHECKED("priority", MEMBER_PRIORITY),
	AT("category", MEMBER_TEXT, category),
	AT("campaign", MEMBER_TEXT, campaign),
	AT("dedupe_key", MEMBER_KEY, dedupe_key),
	AT("created_ms", MEMBER_TIME, created_unix_ms),
	AT("not_before_ms", MEMBER_TIME, not_before_unix_ms),
	AT("expires_ms", MEMBER_TIME, expires_unix_ms),
	CHECKED("time_zone", MEMBER_TEXT),
	AT("message", MEMBER_OBJECT, message),
	CHECKED("part", MEMBER_PART),
	CHECKED("trace", MEMBER_TRACE),
};
enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

#define LITERAL(text)                  \
	{                              \
		text, sizeof(text) - 1 \
	}
static const struct span priority_names[] = { LITERAL("high"),
	LITERAL("normal"), LITERAL("low") };
static const struct span kind_names[] = { LITERAL("single"), LITERAL("batch") };
static const struct span platform_names[] = { LITERAL("none"), LITERAL("ios"),
	LITERAL("android") };

const char *priority_name(enum priority priority)
{
	return priority_names[priority].ptr;
}

const char *kind_name(enum kind kind)
{
	return kind_names[kind].ptr;
}

const char *platform_name(enum platform platform)
{
	return platform_names[platform].ptr;
}

static int place_in(struct span text, const struct span *names, int count)
{
	for (int i = 0; i < count; i++) {
		if (span_equal(text, names[i])) {
			return i;
		}
	}
	return -1;
}

enum platform platform_parse(struct span name)
{
	return span_is(name, "ios")       ? PLATFORM_IOS
	       : span_is(name, "android") ? PLATFORM_ANDROID
					  : PLATFORM_NONE;
}

/* What is looked at once all members are known. */
struct late {
	const struct json *part;
	struct span kind;
	unsigned traces;
};

/* -1: the member is not what it should be. */
static int take_member(struct record *r, const struct member *m,
	const struct json_member *is, struct late *late)
{
	struct span text = json_member_text(is);
	char *at = (char *)r + m->offset;
	int64_t n = 0;
	int place;

	switch (m->type) {
	case MEMBER_ID:
		if (text.len > RECORD_ID_MAX_BYTES) {
			return -1;
		}
		/* fall through */
	case MEMBER_KEY:
		if (text.ptr != NULL && text.len == 0) {
			return 0;
		}
		/* fall through */
	case MEMBER_TEXT:
		if (m->offset != 0) {
			memcpy(at, &text, sizeof(text));
		}
		return text.ptr == NULL ? -1 : 0;
	case MEMBER_TIME:
		if (json_int(is->value, &n) != 0 || n < 0) {
			return -1;
		}
		memcpy(at, &n, sizeof(n));
		return 0;
	case MEMBER_OBJECT:
		memcpy(at, &is->value, sizeof(is->value));
		return json_member_is_object(is) ? 0 : -1;
	case MEMBER_PART:
		late->part = is->value;
		return json_member_is_object(is) ? 0 : -1;
	case MEMBER_ARRAY:
		memcpy(at, &is->value, sizeof(is->value));
		r->kind = KIND_BATCH;
		return json_member_is_array(is) ? 0 : -1;
	case MEMBER_PRIORITY:
		place = place_in(text, priority_names, PRIORITY_COUNT);
		r->priority =
			place < 0 ? PRIORITY_NORMAL : (enum priority)place;
		return place < 0 ? -1 : 0;
	case MEMBER_KIND:
		late->kind = text;
		return place_in(text, kind_names, KIND_COUNT) < 0 ? -1 : 0;
	case MEMBER_TRACE:
		r->trace = is->value;
		late->traces++;
		return 0;
	}
	return -1;
}

void members_names(struct names *names)
{
	const char *list[MEMBERS];

	for (size_t i = 0; i < MEMBERS; i++) {
		list[i] = members[i].name;
	}
	names_init(names, list, MEMBERS);
}

size_t members_trace_count(const struct record *r)
{
	struct json_walk walk = json_walk(r->root);
	struct json_member is;
	size_t traces = 0;

	while (json_walk_next(&walk, &is)) {
		traces += span_is(is.name, "trace");
	}
	return traces;
}

static uint32_t bit_of(const char *name)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		if (strcmp(members[i].name, name) == 0) {
			return UINT32_C(1) << i;
		}
	}
	BUG("'%s' is not in the table of members", name);
}

uint32_t members_mask(const char *const *names)
{
	uint32_t mask = 0;

	for (; *names != NULL; names++) {
		mask |= bit_of(*names);
	}
	return mask;
}

int members_device(struct record *r)
{
	struct json_walk walk = json_walk(r->device);
	struct json_member is;
	struct span platform = { NULL, 0 };

	while (json_walk_next(&walk, &is)) {
		if (r->token.ptr == NULL && span_is(is.name, "token")) {
			r->token = json_member_text(&is);
		} else if (platform.ptr == NULL &&
			   span_is(is.name, "platform")) {
			platform = json_member_text(&is);
		}
	}
	if (r->token.len == 0) {
		return -1;
	}
	r->platform = platform_parse(platform);
	return 0;
}

static int take_part(struct record *r, const struct json *part)
{
	if (json_int(json_get(part, "n"), &r->part_n) != 0 ||
		json_int(json_get(part, "of"), &r->part_of) != 0 ||
		r->part_n < 0 || r->part_n >= r->part_of) {
		r->part_n = r->part_of = 0;
		return -1;
	}
	return 0;
}

/* Is a name written as it is meant?  One with escapes could not be found again
 * in the bytes. */
static bool is_plain(const struct record_body *b, struct span name)
{
	return b->line.ptr[body_name_at(b, name) + name.len + 1] == '"';
}

struct span members_take(struct record *r, struct span *last, unsigned *traces)
{
	const struct record_body *b = r->body;
	struct json_walk walk = json_walk(r->root);
	struct json_member is = { .value = NULL };
	struct late late = { .part = NULL };
	struct span bad = { NULL, 0 };
	uint32_t seen = 0;

	while (json_walk_next(&walk, &is)) {
		int place = names_find(&b->pool->members, is.name);
		uint32_t bit;

		if (place < 0) {
			continue;
		}
		bit = UINT32_C(1) << place;
		if (take_member(r, &members[place], &is, &late) != 0 ||
			(seen & bit) != 0 || !is_plain(b, is.name)) {
			bad = is.name;
		}
		seen |= bit;
	}
	*last = is.name;
	*traces = late.traces;
	r->body->known = seen;
	if (r->topic.ptr != NULL || r->condition.ptr != NULL ||
		r->channel.ptr != NULL || r->segment.ptr != NULL) {
		r->kind = KIND_BATCH;
	}
	if (late.kind.ptr != NULL) {
		r->kind =
			span_is(late.kind, "batch") ? KIND_BATCH : KIND_SINGLE;
	}
	if (r->device != NULL && bad.ptr == NULL && members_device(r) != 0) {
		bad = (struct span){ "device", 6 };
	}
	if (late.part != NULL && bad.ptr == NULL &&
		take_part(r, late.part) != 0) {
		bad = (struct span){ "part", 4 };
	}
	return bad;
}
