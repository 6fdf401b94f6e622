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

/* Every member that a stage knows, shortest first; others pass unseen. */
static const struct member members[] = {
	AT("id", MEMBER_ID, id),
	AT("app", MEMBER_TEXT, app),
	AT("jws", MEMBER_TEXT, jws),
	AT("user", MEMBER_TEXT, user),
	CHECKED("kind", MEMBER_KIND),
	CHECKED("part", MEMBER_OBJECT),
	AT("topic", MEMBER_TEXT, topic),
	CHECKED("trace", MEMBER_TRACE),
	CHECKED("users", MEMBER_ARRAY),
	AT("device", MEMBER_OBJECT, device),
	AT("channel", MEMBER_TEXT, channel),
	AT("segment", MEMBER_TEXT, segment),
	CHECKED("devices", MEMBER_ARRAY),
	AT("message", MEMBER_OBJECT, message),
	AT("campaign", MEMBER_TEXT, campaign),
	AT("category", MEMBER_TEXT, category),
	CHECKED("priority", MEMBER_PRIORITY),
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

static int place_in(const struct json *v, const char *const *names, int count)
{
	for (int i = 0; i < count; i++) {
		if (json_is_text(v, names[i])) {
			return i;
		}
	}
	return -1;
}

static int take_member(
	struct record *r, const struct member *m, const struct json *v)
{
	char *at = (char *)r + m->offset;
	struct span text = json_text(v);
	int64_t n = 0;
	int place;

	switch (m->type) {
	case MEMBER_ID:
		if (text.len > RECORD_ID_MAX_BYTES) {
			return -1;
		}
		/* fall through */
	case MEMBER_TEXT:
		if (m->offset != 0) {
			memcpy(at, &text, sizeof(text));
		}
		return text.ptr == NULL ? -1 : 0;
	case MEMBER_TIME:
		if (json_int(v, &n) != 0 || n < 0) {
			return -1;
		}
		memcpy(at, &n, sizeof(n));
		return 0;
	case MEMBER_OBJECT:
		if (m->offset != 0) {
			memcpy(at, &v, sizeof(v)); /* the pointer */
		}
		return json_type(v) == JSON_OBJECT ? 0 : -1;
	case MEMBER_ARRAY:
		r->kind = KIND_BATCH;
		return json_type(v) == JSON_ARRAY ? 0 : -1;
	case MEMBER_PRIORITY:
		place = place_in(v, priority_names, PRIORITY_COUNT);
		r->priority =
			place < 0 ? PRIORITY_NORMAL : (enum priority)place;
		return place < 0 ? -1 : 0;
	case MEMBER_KIND:
		return place_in(v, kind_names, KIND_COUNT) < 0 ? -1 : 0;
	case MEMBER_TRACE:
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
		if (name.ptr[0] == members[i].name[0] &&
			memcmp(name.ptr, members[i].name, name.len) == 0) {
			return &members[i];
		}
	}
	return NULL;
}

static int take_device(struct record *r)
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

struct span members_take(struct record *r, struct span *last, unsigned *traces)
{
	struct json_iter it = json_iter(r->root);
	const struct json *v;
	const struct json *part = NULL;
	const struct json *kind = NULL;
	struct span bad = { NULL, 0 };
	uint32_t seen = 0;

	while ((v = json_next(&it)) != NULL) {
		const struct member *m = member_of(r->body->pool, it.name);
		uint32_t bit;

		*last = it.name;
		if (m == NULL) {
			continue;
		}
		bit = UINT32_C(1) << (m - members);
		/* A name with escapes could not be found again in the bytes. */
		if ((seen & bit) != 0 ||
			r->body->line.data[body_name_at(r->body, it.name) +
					   it.name.len + 1] != '"') {
			bad = it.name;
		}
		seen |= bit;
		if (m->type == MEMBER_TRACE) {
			(*traces)++;
			r->trace = v;
		} else if (take_member(r, m, v) != 0) {
			bad = it.name;
		} else if (m->type == MEMBER_KIND) {
			kind = v;
		} else if (m->len == 4 && memcmp(m->name, "part", 4) == 0) {
			part = v;
		}
	}
	if (r->topic.ptr != NULL || r->condition.ptr != NULL ||
		r->channel.ptr != NULL || r->segment.ptr != NULL) {
		r->kind = KIND_BATCH;
	}
	if (kind != NULL) {
		r->kind =
			json_is_text(kind, "batch") ? KIND_BATCH : KIND_SINGLE;
	}
	if (r->device != NULL && bad.ptr == NULL && take_device(r) != 0) {
		bad = (struct span){ "device", 6 };
	}
	if (part != NULL && bad.ptr == NULL && take_part(r, part) != 0) {
		bad = (struct span){ "part", 4 };
	}
	return bad;
}
