/*
 * Reading a line into a record: parse once, take the known members, find the
 * seam.  What is not a record is wrapped so that it flows on with its reason.
 */
#include "record/record.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "record/body.h"

enum {
	POOL_KEEPS = 4096,
	LINE_STEP_BYTES = 64, /* room of lines: many may be held at once */
	FORMS_KEPT = 16,
	FORM_KEPT_BYTES = 64 * 1024, /* of one form */
};

/* Where a line is parsed: its copy and the values. */
struct form {
	char *text;
	size_t text_cap;
	struct json_arena arena;
};

enum { NAME_MAX_BYTES = 15 /* of the members that we know */ };

struct record_pool {
	struct form forms[FORMS_KEPT]; /* of records that were shrunk */
	size_t form_count;
	size_t max_bytes;
	char *uid_seed; /* owned */
	uint64_t uid_count;
	int64_t replay_unix_us; /* of the last record that told its time */
	struct record *free;    /* by next */
	size_t free_count;
	unsigned char
		first[NAME_MAX_BYTES +
			1]; /* by length of a name: where the table begins */
};

/* --- the pool -------------------------------------------------------------- */

static void destroy(struct record *r)
{
	struct record_body *b = r->body;

	buf_release(&b->line);
	buf_release(&b->facts);
	json_free(b->captured);
	buf_release(&b->members);
	mem_free(b->text);
	mem_free(b->arena.mem);
	mem_free(b);
	mem_free(r);
}

void record_pool_free(struct record_pool *pool)
{
	if (pool == NULL) {
		return;
	}
	while (pool->free != NULL) {
		struct record *r = pool->free;

		pool->free = r->next;
		destroy(r);
	}
	while (pool->form_count > 0) {
		struct form *form = &pool->forms[--pool->form_count];

		mem_free(form->text);
		mem_free(form->arena.mem);
	}
	mem_free(pool->uid_seed);
	mem_free(pool);
}

static struct record *take(struct record_pool *pool)
{
	struct record *r = pool->free;

	if (r == NULL) {
		r = mem_array(1, sizeof(*r));
		r->body = mem_array(1, sizeof(*r->body));
		buf_init(&r->body->line, SIZE_MAX);
		buf_init(&r->body->facts, SIZE_MAX);
		buf_init(&r->body->members, SIZE_MAX);
		r->body->pool = pool;
		return r;
	}
	pool->free = r->next;
	pool->free_count--;
	return r;
}

void record_free(struct record_pool *pool, struct record *r)
{
	if (r == NULL) {
		return;
	}
	/* A body swollen by a giant is not kept for the dwarfs. */
	if (pool->free_count >= POOL_KEEPS ||
		r->body->line.cap > RECORD_MAX_BYTES) {
		destroy(r);
		return;
	}
	r->next = pool->free;
	pool->free = r;
	pool->free_count++;
}

/* --- members --------------------------------------------------------------- */

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
static void index_members(unsigned char *first)
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

struct record_pool *record_pool_new(size_t max_bytes, const char *uid_seed)
{
	struct record_pool *pool = mem_array(1, sizeof(*pool));

	pool->max_bytes = max_bytes;
	pool->replay_unix_us = 1; /* 0 would be "none" */
	pool->uid_seed = mem_text(uid_seed);
	index_members(pool->first);
	return pool;
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

/* Where an in-place name stood in the line; the bytes keep their places. */
static size_t name_at(const struct record_body *b, struct span name)
{
	return (size_t)(name.ptr - b->text) - 1;
}

/*
 * Takes the known members.  The name of the first bad one, or { NULL, 0 }.
 * `*last' is the name of the last member, `*traces' how many `trace' there are.
 */
static struct span take_members(
	struct record *r, struct span *last, unsigned *traces)
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
			r->body->line.data[name_at(r->body, it.name) +
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

/* --- the trace ------------------------------------------------------------- */

bool record_stamp_next(struct json_iter *it, struct record_stamp *stamp)
{
	const struct json *v;

	while ((v = json_next(it)) != NULL) {
		if (json_type(v) == JSON_ARRAY &&
			json_int(json_at(v, 0), &stamp->in_us) == 0 &&
			json_int(json_at(v, 1), &stamp->out_us) == 0) {
			stamp->node = it->name;
			stamp->facts = json_at(v, 2);
			return true;
		}
	}
	return false;
}

const struct json *record_facts(const struct record *r, const char *node)
{
	return json_at(json_get(r->trace, node), 2);
}

bool record_passed(const struct record *r, const char *node)
{
	return json_get(r->trace, node) != NULL;
}

/* What push-pop told about the claim. */
static void take_claim(struct record *r, const struct json *facts)
{
	r->uid = json_text(json_get(facts, "uid"));
	r->queue = json_text(json_get(facts, "q"));
	r->receipt = json_text(json_get(facts, "receipt"));
	r->is_resumed = json_bool(json_get(facts, "resumed"), false);
	if (json_int(json_get(facts, "attempt"), &r->attempt) != 0) {
		r->attempt = 0;
	}
	if (json_int(json_get(facts, "lease_ms"), &r->lease_unix_ms) != 0) {
		r->lease_unix_ms = 0;
	}
}

static void take_trace(struct record *r)
{
	struct json_iter it = json_iter(r->trace);
	const struct json *v;
	bool has_t0 = false;

	while ((v = json_next(&it)) != NULL) {
		const struct json *facts;

		if (span_is(it.name, "t0_us")) {
			has_t0 = json_int(v, &r->t0_unix_us) == 0;
		} else if (span_is(it.name, "uid")) {
			r->uid = json_text(v);
		} else if (span_is(it.name, "outcome")) {
			r->outcome = outcome_parse(json_text(v));
		} else if (span_is(it.name, "reason")) {
			r->reason = reason_parse(json_text(v));
		} else if (span_is(it.name, "after_ms")) {
			if (json_int(v, &r->after_ms) != 0) {
				r->after_ms = 0;
			}
		} else if (r->receipt.ptr == NULL &&
			   (facts = json_at(v, 2)) != NULL &&
			   json_get(facts, "receipt") != NULL) {
			take_claim(r, facts);
		}
	}
	r->was_decided = r->outcome != OUTCOME_UNDECIDED;
	if (!has_t0) {
		r->t0_unix_us = r->in_unix_us;
		r->body->is_new_trace = json_get(r->trace, "t0_us") == NULL;
	}
}

/* --- reading a line -------------------------------------------------------- */

static void clear(struct record *r, int64_t in_unix_us)
{
	struct record_body *b = r->body;

	*r = (struct record){ .body = b,
		.priority = PRIORITY_NORMAL,
		.in_unix_us = in_unix_us,
		.now_unix_us = in_unix_us,
		.t0_unix_us = in_unix_us };
	buf_reset(&b->facts);
	buf_reset(&b->members);
	b->is_new_trace = b->is_new_uid = false;
	b->is_shrunk = b->had_stamp = false;
	b->is_empty_task = b->is_empty_trace = false;
	b->seam = b->trace_end = 0;
	b->replay_out_unix_us = 0;
	if (b->captured != NULL) {
		json_free(b->captured);
		b->captured = NULL;
	}
	b->captured_reason = REASON_NONE;
}

static struct span trimmed(struct span s)
{
	while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]) != NULL &&
		s.ptr[s.len - 1] != '\0') {
		s.len--;
	}
	return s;
}

/* The memory that another record has let go of, still warm. */
static void take_form(struct record_body *b)
{
	struct record_pool *pool = b->pool;

	if (b->text == NULL && pool->form_count > 0) {
		struct form form = pool->forms[--pool->form_count];

		b->text = form.text;
		b->text_cap = form.text_cap;
		b->arena = form.arena;
	}
}

/* Parses what body->line holds; -1 when it is not one JSON object. */
static int parse_line(struct record *r)
{
	struct record_body *b = r->body;
	size_t need = b->line.len + JSON_PADDING_BYTES;

	take_form(b);
	if (need > b->text_cap) {
		mem_free(b->text);
		b->text_cap = need < 1024 ? 1024 : need;
		b->text = mem_alloc(b->text_cap);
	}
	memcpy(b->text, b->line.data, b->line.len);
	memset(b->text + b->line.len, 0, JSON_PADDING_BYTES);
	r->root = json_parse_in_place(&b->arena, b->text, b->line.len);
	if (json_type(r->root) != JSON_OBJECT) {
		r->root = NULL;
		return -1;
	}
	return 0;
}

static size_t back_over_blanks(const struct buf *line, size_t at)
{
	while (at > 0 && strchr(" \t\r", line->data[at - 1]) != NULL) {
		at--;
	}
	return at;
}

/* Finds the seam; the line ends in the brace of the root. */
static void find_seam(struct record *r, struct span trace_name)
{
	struct record_body *b = r->body;
	size_t root_end = b->line.len - 1;

	if (trace_name.ptr == NULL) {
		b->seam = b->trace_end = back_over_blanks(&b->line, root_end);
		b->is_empty_task = json_count(r->root) == 0;
		b->is_new_trace = true;
		return;
	}
	b->seam = name_at(b, trace_name);
	b->trace_end = back_over_blanks(&b->line, root_end) - 1;
	b->is_empty_trace = json_count(r->trace) == 0;
}

static void give_uid(struct record *r)
{
	struct record_pool *pool = r->body->pool;
	const char *dash = pool->uid_seed[0] == '\0' ? "" : "-";

	if (fmt_into(r->body->uid, sizeof(r->body->uid), "%.24s%s%llu",
		    pool->uid_seed, dash,
		    (unsigned long long)++pool->uid_count) != 0) {
		BUG("no room for a uid");
	}
	r->uid = (struct span){ r->body->uid, strlen(r->body->uid) };
	r->body->is_new_uid = true;
}

/* Puts the line together again with its one trace at the end. */
static void move_trace_last(struct record *r)
{
	struct buf whole;

	buf_init(&whole, SIZE_MAX);
	record_task(r, NULL, &whole);
	if (json_type(r->trace) == JSON_OBJECT) {
		whole.len--;
		json_put_name(&whole, "trace");
		json_write(&whole, r->trace);
		buf_putc(&whole, '}');
	}
	buf_release(&r->body->line);
	r->body->line = whole;
}

/*
 * The line becomes {"raw":…}.  What is not UTF-8, or would swell by escapes so
 * that the next stage might refuse the line, is kept as base64.
 */
static void wrap_raw(struct record *r, struct span raw, size_t total)
{
	struct buf whole;

	buf_init(&whole, SIZE_MAX);
	buf_text(&whole, "{\"raw\":");
	json_put_span(&whole, raw);
	if (!json_is_utf8(raw.ptr, raw.len) ||
		whole.len > raw.len + raw.len / 2 + 64) {
		buf_reset(&whole);
		buf_text(&whole, "{\"raw_base64\":");
		json_put_base64(&whole, raw.ptr, raw.len);
	}
	if (total > raw.len) {
		buf_text(&whole, ",\"raw_bytes\":");
		buf_u64(&whole, total);
	}
	buf_putc(&whole, '}');
	buf_release(&r->body->line);
	r->body->line = whole;
	if (parse_line(r) != 0) {
		BUG("a wrapped line does not parse");
	}
	r->trace = NULL;
	find_seam(r, (struct span){ NULL, 0 });
}

static void reject_raw(struct record *r, enum reason reason)
{
	struct buf line = r->body->line;
	int64_t in_unix_us = r->in_unix_us;

	clear(r, in_unix_us);
	buf_init(&r->body->line, SIZE_MAX);
	wrap_raw(r, (struct span){ line.data, line.len }, line.len);
	buf_release(&line);
	record_decide(r, reason);
}

/* Keeps the beginning of a line that is too long. */
static void reject_long(struct record *r, struct span head, size_t total)
{
	if (head.len > RECORD_RAW_KEPT_BYTES) {
		head.len = RECORD_RAW_KEPT_BYTES;
	}
	/* Not in the middle of a character. */
	for (size_t cut = 0; cut < 4 && cut < head.len; cut++) {
		if (json_is_utf8(head.ptr, head.len - cut)) {
			head.len -= cut;
			break;
		}
	}
	wrap_raw(r, head, total);
	record_decide(r, REASON_TOO_LARGE);
	give_uid(r);
}

static void reject_long_line(struct record *r)
{
	struct buf line = r->body->line;

	clear(r, r->in_unix_us);
	buf_init(&r->body->line, SIZE_MAX);
	reject_long(r, (struct span){ line.data, line.len }, line.len);
	buf_release(&line);
}

/* Reads body->line, which holds one trimmed line. */
static void read_line(struct record *r)
{
	struct span last = { NULL, 0 };
	struct span bad;
	unsigned traces = 0;
	bool is_object = parse_line(r) == 0;

	/* What stages add may take a line over the maximum, a task may not be. */
	if (r->body->line.len > r->body->pool->max_bytes &&
		json_get(r->root, "trace") == NULL) {
		reject_long_line(r);
		return;
	}
	if (!is_object) {
		reject_raw(r, REASON_MALFORMED);
		give_uid(r);
		return;
	}
	bad = take_members(r, &last, &traces);
	if (traces > 1 ||
		(traces == 1 && bad.ptr != NULL && span_is(bad, "trace"))) {
		reject_raw(r, REASON_BAD_MEMBER);
		record_fact_text(r, "member", span_of("trace"));
		give_uid(r);
		return;
	}
	if (traces == 1 && (!span_is(last, "trace") ||
				   json_type(r->trace) != JSON_OBJECT)) {
		move_trace_last(r);
		clear(r, r->in_unix_us);
		read_line(r); /* once: now it has the usual shape */
		return;
	}
	find_seam(r, traces == 1 ? last : (struct span){ NULL, 0 });
	if (r->trace != NULL) {
		take_trace(r);
	}
	if (bad.ptr != NULL && !r->was_decided) {
		record_fact_text(r, "member", bad);
		record_decide(r, REASON_BAD_MEMBER);
	}
	if (r->uid.ptr == NULL) {
		give_uid(r);
	}
}

/* Into body->line, without what surrounds it; inside a valid JSON text a
 * newline can only be white space. */
static void set_line(struct record *r, struct span line)
{
	char *data;

	line = trimmed(line);
	buf_fit(&r->body->line, (line.len + LINE_STEP_BYTES) / LINE_STEP_BYTES *
					LINE_STEP_BYTES);
	buf_put(&r->body->line, line.ptr, line.len);
	data = r->body->line.data;
	while (line.len > 0 && data != NULL &&
		(data = memchr(data, '\n',
			 (size_t)(r->body->line.data + line.len - data))) !=
			NULL) {
		*data++ = ' ';
	}
}

struct record *record_read(struct record_pool *pool, const char *line,
	size_t len, int64_t in_unix_us)
{
	struct record *r = take(pool);

	clear(r, in_unix_us);
	set_line(r, (struct span){ line, len });
	read_line(r);
	return r;
}

struct record *record_read_too_long(struct record_pool *pool, struct span head,
	size_t total, int64_t in_unix_us)
{
	struct record *r = take(pool);

	clear(r, in_unix_us);
	reject_long(r, head, total);
	return r;
}

size_t record_line_max_bytes(const struct record_pool *pool)
{
	return pool->max_bytes * 2 + RECORD_MAX_BYTES;
}

struct record *record_claim(
	struct record_pool *pool, struct span task, int64_t t0_unix_us)
{
	struct record *r = take(pool);

	clear(r, t0_unix_us);
	if (task.len > record_line_max_bytes(pool)) {
		reject_long(r, task, task.len);
		r->body->is_new_uid = false;
		return r;
	}
	set_line(r, task);
	if (parse_line(r) == 0 && json_get(r->root, "trace") != NULL) {
		/* A producer's trace is nobody's business. */
		struct buf whole;

		buf_init(&whole, SIZE_MAX);
		record_task(r, NULL, &whole);
		buf_release(&r->body->line);
		r->body->line = whole;
	}
	clear(r, t0_unix_us);
	read_line(r);
	r->body->is_new_uid = false; /* the caller names it in its facts */
	return r;
}

/* --- changing it ----------------------------------------------------------- */

void record_decide(struct record *r, enum reason reason)
{
	if (r->outcome != OUTCOME_UNDECIDED) {
		BUG("record decided twice: %s, then %s",
			reason_row(r->reason)->name, reason_row(reason)->name);
	}
	r->outcome = reason_row(reason)->outcome;
	r->reason = reason;
}

void record_retry(struct record *r, enum reason reason, int64_t after_ms)
{
	record_decide(r, reason);
	if (r->outcome != OUTCOME_RETRY) {
		BUG("'%s' is not a reason to retry", reason_row(reason)->name);
	}
	r->after_ms = after_ms;
}

/* Appends `json' as an object that ends in the trace of `r'. */
static void compose(const struct record *r, struct span json, struct buf *whole)
{
	const struct record_body *b = r->body;
	struct span trace = body_trace(b);

	buf_put(whole, json.ptr, json.len - 1);
	json_put_name(whole, "trace");
	buf_putc(whole, '{');
	if (b->is_new_trace) {
		json_put_name(whole, "t0_us");
		buf_i64(whole, r->t0_unix_us);
	}
	if (b->is_new_uid) {
		json_put_name(whole, "uid");
		json_put_span(whole, r->uid);
	}
	if (trace.ptr != NULL && !b->is_empty_trace) {
		if (whole->data[whole->len - 1] != '{') {
			buf_putc(whole, ',');
		}
		buf_put(whole, trace.ptr + 1, trace.len - 2);
	}
	buf_text(whole, "}}");
}

/* The whole line of `r' with another task; false when that is no object. */
static bool with_task(const struct record *r, struct span json, struct buf *out)
{
	struct record *task = take(r->body->pool);
	struct buf bare;
	bool is_object;

	clear(task, 0);
	set_line(task, json);
	is_object = parse_line(task) == 0;
	if (is_object) {
		buf_init(&bare, SIZE_MAX);
		record_task(task, NULL, &bare);
		compose(r, (struct span){ bare.data, bare.len }, out);
		buf_release(&bare);
	}
	record_free(r->body->pool, task);
	return is_object;
}

int record_replace(struct record *r, struct span json)
{
	struct record_body *b = r->body;
	struct record old = *r;
	struct buf whole;
	struct buf facts = b->facts;
	int64_t replay_out_unix_us = b->replay_out_unix_us;

	buf_init(&whole, SIZE_MAX);
	if (!with_task(r, json, &whole)) {
		return -1;
	}
	buf_release(&b->line);
	b->line = whole;
	buf_init(&b->facts, SIZE_MAX);
	clear(r, old.in_unix_us);
	read_line(r);
	/* What was found out before stands before what is wrong with it now. */
	if (facts.len > 0 && b->facts.len > 0) {
		buf_putc(&facts, ',');
	}
	buf_put(&facts, b->facts.data, b->facts.len);
	buf_release(&b->facts);
	b->facts = facts;
	b->replay_out_unix_us = replay_out_unix_us;
	r->now_unix_us = old.now_unix_us;
	r->is_timeless = old.is_timeless;
	r->next = old.next;
	r->place = old.place;
	return 0;
}

struct record *record_child(
	struct record_pool *pool, const struct record *parent, struct span json)
{
	struct record *child;
	struct buf whole;

	buf_init(&whole, SIZE_MAX);
	if (!with_task(parent, json, &whole)) {
		return NULL;
	}
	child = take(pool);
	clear(child, parent->in_unix_us);
	buf_release(&child->body->line);
	child->body->line = whole;
	read_line(child);
	child->now_unix_us = parent->now_unix_us;
	child->body->replay_out_unix_us = parent->body->replay_out_unix_us;
	return child;
}

struct span record_name(const struct record *r)
{
	return r->id.ptr != NULL ? r->id : r->uid;
}

void record_token_hash(struct span token, char dst[9])
{
	struct digest d = digest_of(token.ptr, token.len);

	digest_hex(&d, 4, dst);
}

void record_shrink(struct record *r, const char *node)
{
	struct record_body *b = r->body;
	struct record_pool *pool = b->pool;
	const struct span none = { NULL, 0 };

	b->had_stamp = record_passed(r, node);
	b->is_shrunk = true;
	r->root = r->device = r->message = r->trace = NULL;
	r->app = r->id = r->user = r->category = r->campaign = none;
	r->dedupe_key = r->topic = r->condition = r->channel = none;
	r->token = r->queue = r->receipt = none;
	if (!b->is_new_uid) {
		r->uid = none;
	}
	if (pool->form_count < FORMS_KEPT &&
		b->text_cap + b->arena.cap <= FORM_KEPT_BYTES) {
		pool->forms[pool->form_count++] =
			(struct form){ b->text, b->text_cap, b->arena };
	} else {
		mem_free(b->text);
		mem_free(b->arena.mem);
	}
	b->text = NULL;
	b->text_cap = 0;
	b->arena = (struct json_arena){ NULL, 0 };
}

void record_restore(struct record *r)
{
	struct record_body *b = r->body;
	struct span last;
	unsigned traces = 0;

	if (!b->is_shrunk) {
		return;
	}
	b->is_shrunk = false;
	if (parse_line(r) != 0) {
		BUG("a record that was read does not parse again");
	}
	(void)take_members(r, &last, &traces); /* as it did before */
	if (r->trace != NULL) {
		take_trace(r);
	}
}

/* --- replay ---------------------------------------------------------------- */

/* The trace up to `node', as text; sets the stamp of `node', if it is there. */
static bool cut_trace(const struct record *r, const char *node,
	struct buf *kept, struct record_stamp *own)
{
	struct json_iter it = json_iter(r->trace);
	const struct json *v;

	buf_putc(kept, '{');
	while ((v = json_next(&it)) != NULL) {
		if (span_is(it.name, node)) {
			own->facts = json_at(v, 2);
			if (json_int(json_at(v, 0), &own->in_us) != 0 ||
				json_int(json_at(v, 1), &own->out_us) != 0) {
				own->in_us = own->out_us = 0;
			}
			buf_putc(kept, '}');
			return true;
		}
		if (kept->len > 1) {
			buf_putc(kept, ',');
		}
		json_put_span(kept, it.name);
		buf_putc(kept, ':');
		json_write(kept, v);
	}
	buf_putc(kept, '}');
	return false;
}

/* The moment the last node let it go. */
static int64_t last_out_us(const struct record *r)
{
	struct json_iter it = json_iter(r->trace);
	struct record_stamp stamp;
	int64_t last = 0;

	while (record_stamp_next(&it, &stamp)) {
		last = stamp.out_us;
	}
	return last;
}

/* A bare task: its time is when it was made, if it says so. */
static void rewind_task(struct record *r)
{
	struct record_pool *pool = r->body->pool;

	r->is_timeless = r->created_unix_ms <= 0;
	if (!r->is_timeless) {
		pool->replay_unix_us = r->created_unix_ms * 1000;
	}
	r->in_unix_us = r->t0_unix_us = r->now_unix_us =
		r->body->replay_out_unix_us = pool->replay_unix_us;
}

/* Keeps what the node had written; `facts' goes away with the old trace. */
static struct json_doc *keep_facts(const struct json *facts)
{
	struct json_doc *kept = NULL;
	struct buf text;

	if (facts != NULL) {
		buf_init(&text, SIZE_MAX);
		json_write(&text, facts);
		kept = json_parse(text.data, text.len, JSON_STRICT, NULL);
		buf_release(&text);
	}
	return kept;
}

const struct json *record_captured(const struct record *r, enum reason *reason)
{
	*reason = r->body->captured_reason;
	return r->body->captured == NULL ? NULL : json_root(r->body->captured);
}

void record_rewind(struct record *r, const char *node)
{
	struct record_body *b = r->body;
	struct record_stamp own = { .in_us = 0 };
	struct buf trace;
	struct buf whole;
	int64_t in_unix_us;
	struct json_doc *captured;
	enum reason reason;

	if (r->trace == NULL) {
		rewind_task(r);
		return;
	}
	buf_init(&trace, SIZE_MAX);
	if (!cut_trace(r, node, &trace, &own)) {
		own.in_us = own.out_us = last_out_us(r);
	}
	in_unix_us = r->t0_unix_us + own.in_us;
	own.out_us += r->t0_unix_us;
	captured = keep_facts(own.facts);
	reason = REASON_NONE;
	if (!r->was_decided || json_get(r->trace, node) != NULL) {
		reason = r->reason;
		buf_init(&whole, SIZE_MAX);
		record_task(r, NULL, &whole);
		whole.len--;
		json_put_name(&whole, "trace");
		buf_put(&whole, trace.data, trace.len);
		buf_putc(&whole, '}');
		buf_release(&b->line);
		b->line = whole;
		clear(r, in_unix_us);
		read_line(r);
	}
	if (reason == REASON_MALFORMED || reason == REASON_TOO_LARGE) {
		record_decide(
			r, reason); /* the reader's own, whatever the stage */
	}
	buf_release(&trace);
	r->in_unix_us = r->now_unix_us = in_unix_us;
	b->replay_out_unix_us = own.out_us;
	b->captured = captured;
	b->captured_reason = reason;
	b->pool->replay_unix_us = in_unix_us;
}
