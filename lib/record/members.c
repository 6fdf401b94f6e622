/*
 * The members of a task that some stage knows: one table, read in one pass.
 */
#include <string.h>

#include "base/err.h"
#include "record/body.h"

enum member_type {
	MEMBER_TEXT,
	MEMBER_ID,
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
	size_t len;
	enum member_type type;
	size_t offset; /* in struct record; 0: only checked */
};

#define AT(name, type, member)                                                \
	{                                                                     \
		name, sizeof(name) - 1, type, offsetof(struct record, member) \
	}
#define CHECKED(name, type)                     \
	{                                       \
		name, sizeof(name) - 1, type, 0 \
	}

/* Every member that a stage knows, shortest first, the usual ones
 * before others of their length; what is not here passes unseen. */
static const struct member members[] = {
	AT("id", MEMBER_ID, id),
	AT("app", MEMBER_TEXT, app),
	AT("jws", MEMBER_TEXT, jws),
	AT("user", MEMBER_TEXT, user),
	CHECKED("kind", MEMBER_KIND),
	CHECKED("part", MEMBER_PART),
	CHECKED("trace", MEMBER_TRACE),
	AT("topic", MEMBER_TEXT, topic),
	AT("users", MEMBER_ARRAY, users),
	AT("device", MEMBER_OBJECT, device),
	AT("message", MEMBER_OBJECT, message),
	AT("channel", MEMBER_TEXT, channel),
	AT("segment", MEMBER_TEXT, segment),
	AT("devices", MEMBER_ARRAY, devices),
	CHECKED("priority", MEMBER_PRIORITY),
	AT("category", MEMBER_TEXT, category),
	AT("campaign", MEMBER_TEXT, campaign),
	AT("condition", MEMBER_TEXT, condition),
	CHECKED("time_zone", MEMBER_TEXT),
	AT("created_ms", MEMBER_TIME, created_unix_ms),
	AT("dedupe_key", MEMBER_TEXT, dedupe_key),
	AT("expires_ms", MEMBER_TIME, expires_unix_ms),
	AT("not_before_ms", MEMBER_TIME, not_before_unix_ms),
	CHECKED("segment_after", MEMBER_TEXT),
};
enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static const char *const priority_names[] = { "high", "normal", "low" };
static const char *const kind_names[] = { "single", "batch" };
static const char *const platform_names[] = { "none", "ios", "android" };

const char *priority_name(enum priority priority)
{
	return priority_names[priority];
}

const char *kind_name(enum kind kind)
{
	return kind_names[kind];
}

const char *platform_name(enum platform platform)
{
	return platform_names[platform];
}

enum platform platform_parse(struct span name)
{
	return span_is(name, "ios")       ? PLATFORM_IOS
	       : span_is(name, "android") ? PLATFORM_ANDROID
					  : PLATFORM_NONE;
}

static int place_in(struct span text, const char *const *names, int count)
{
	for (int i = 0; i < count; i++) {
		if (span_is(text, names[i])) {
			return i;
		}
	}
	return -1;
}

/* What is looked at once all members are known. */
struct late {
	const struct json *part;
	struct span kind;
};

/* -1: the member is not what it should be. */
static int take_member(struct record *r, const struct member *m,
	const struct json_member *is, struct late *late)
{
	char *at = (char *)r + m->offset;
	int64_t n = 0;
	int place;

	switch (m->type) {
	case MEMBER_ID:
		if (is->text.len > RECORD_ID_MAX_BYTES) {
			return -1;
		}
		/* fall through */
	case MEMBER_TEXT:
		if (m->offset != 0) {
			memcpy(at, &is->text, sizeof(is->text));
		}
		return is->text.ptr == NULL ? -1 : 0;
	case MEMBER_TIME:
		if (json_int(is->value, &n) != 0 || n < 0) {
			return -1;
		}
		memcpy(at, &n, sizeof(n));
		return 0;
	case MEMBER_OBJECT:
		if (m->offset != 0) {
			memcpy(at, &is->value, sizeof(is->value));
		}
		return is->type == JSON_OBJECT ? 0 : -1;
	case MEMBER_PART:
		late->part = is->value;
		return is->type == JSON_OBJECT ? 0 : -1;
	case MEMBER_ARRAY:
		memcpy(at, &is->value, sizeof(is->value));
		r->kind = KIND_BATCH;
		return is->type == JSON_ARRAY ? 0 : -1;
	case MEMBER_PRIORITY:
		place = place_in(is->text, priority_names, PRIORITY_COUNT);
		r->priority =
			place < 0 ? PRIORITY_NORMAL : (enum priority)place;
		return place < 0 ? -1 : 0;
	case MEMBER_KIND:
		late->kind = is->text;
		return place_in(is->text, kind_names, KIND_COUNT) < 0 ? -1 : 0;
	case MEMBER_TRACE:
		r->trace = is->value;
		return 0;
	}
	return -1;
}

/* Where in the table the names of each length begin. */
void members_index(unsigned char first[NAME_MAX_BYTES + 1])
{
	size_t at = 0;

	for (size_t len = 0; len <= NAME_MAX_BYTES; len++) {
		while (at < MEMBERS && members[at].len < len) {
			at++;
		}
		first[len] = (unsigned char)at;
	}
	if (members[MEMBERS - 1].len > NAME_MAX_BYTES) {
		BUG("a member's name is too long for the index");
	}
}

static const struct member *member_of(
	const struct record_pool *pool, struct span name)
{
	size_t i = name.len <= NAME_MAX_BYTES ? pool->first[name.len] : MEMBERS;

	for (; i < MEMBERS && members[i].len == name.len; i++) {
		if (span_same_bytes(name.ptr, members[i].name, name.len)) {
			return &members[i];
		}
	}
	return NULL;
}

size_t members_trace_count(const struct record *r)
{
	struct json_iter it = json_iter(r->root);
	struct json_member some[JSON_SOME];
	size_t traces = 0;
	size_t count;

	while ((count = json_members(&it, some, JSON_SOME)) > 0) {
		for (size_t i = 0; i < count; i++) {
			traces += span_is(some[i].name, "trace");
		}
	}
	return traces;
}

uint32_t members_mask(const struct record_pool *pool, const char *const *names)
{
	uint32_t mask = 0;

	for (; *names != NULL; names++) {
		const struct member *m = member_of(pool, span_of(*names));

		if (m == NULL) {
			BUG("'%s' is not in the table of members", *names);
		}
		mask |= UINT32_C(1) << (m - members);
	}
	return mask;
}

int members_device(struct record *r)
{
	r->token = json_text(json_get(r->device, "token"));
	if (r->token.len == 0) {
		return -1;
	}
	r->platform =
		platform_parse(json_text(json_get(r->device, "platform")));
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
	return b->line.data[body_name_at(b, name) + name.len + 1] == '"';
}

struct span members_take(struct record *r, struct span *last, unsigned *traces)
{
	struct json_iter it = json_iter(r->root);
	struct json_member some[JSON_SOME];
	struct late late = { .part = NULL };
	struct span bad = { NULL, 0 };
	uint32_t seen = 0;
	size_t count;

	while ((count = json_members(&it, some, JSON_SOME)) > 0) {
		*last = some[count - 1].name;
		for (size_t i = 0; i < count; i++) {
			struct span name = some[i].name;
			const struct member *m = member_of(r->body->pool, name);
			uint32_t bit;

			if (m == NULL) {
				continue;
			}
			bit = UINT32_C(1) << (m - members);
			*traces += m->type == MEMBER_TRACE;
			if (take_member(r, m, &some[i], &late) != 0 ||
				(seen & bit) != 0 || !is_plain(r->body, name)) {
				bad = name;
			}
			seen |= bit;
		}
	}
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
