/*
 * Reading a line into a record: parse once, take the known members, find the
 * seam.
 */
#include "record/record.h"

#include <string.h>

#include "base/mem.h"
#include "record/body.h"

enum { LINE_STEP_BYTES = 64 /* room of lines: many may be held at once */ };

void body_clear(struct record *r, int64_t in_unix_us)
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
	b->was_parked = b->had_stamp = false;
	b->is_empty_task = b->is_empty_trace = false;
	b->seam = b->trace_end = 0;
	b->replay_out_unix_us = 0;
	if (b->captured != NULL) {
		json_free(b->captured);
		b->captured = NULL;
	}
	b->captured_reason = REASON_NONE;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const struct json *body_parse_text(struct record_body *b, struct span text)
{
	size_t need = text.len + JSON_PADDING_BYTES;

	if (need > b->text_cap) {
		mem_free(b->text);
		b->text_cap = need < 1024 ? 1024 : need;
		b->text = mem_alloc(b->text_cap);
	}
	memcpy(b->text, text.ptr, text.len);
	memset(b->text + text.len, 0, JSON_PADDING_BYTES);
	return json_parse_in_place(&b->arena, b->text, text.len);
}

int body_parse(struct record *r)
{
	struct record_body *b = r->body;

	r->root = body_parse_text(b, b->line);
	if (json_type(r->root) != JSON_OBJECT) {
		r->root = NULL;
		return -1;
	}
	return 0;
}

/* Where the blanks end that stand in front of `at'. */
static size_t back_over_blanks(struct span line, size_t at)
{
	while (at > 0 && is_blank(line.ptr[at - 1])) {
		at--;
	}
	return at;
}

/* Finds the seam; the line ends in the brace of the root. */
void body_find_seam(struct record *r, struct span trace_name)
{
	struct record_body *b = r->body;
	size_t root_end = b->line.len - 1;

	if (trace_name.ptr == NULL) {
		b->seam = b->trace_end = back_over_blanks(b->line, root_end);
		b->is_empty_task = json_count(r->root) == 0;
		b->is_new_trace = true;
		return;
	}
	b->seam = body_name_at(b, trace_name);
	b->trace_end = back_over_blanks(b->line, root_end) - 1;
	b->is_empty_trace = json_count(r->trace) == 0;
}

void body_give_uid(struct record *r)
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
	body_take_line(r->body, &whole);
}

/* Reads body->line, which holds one trimmed line. */
void body_take(struct record *r, bool is_object)
{
	struct span last = { NULL, 0 };
	struct span bad;
	unsigned traces = 0;

	/* What stages add may take a line over the maximum, a task may not be. */
	if (r->body->line.len > r->body->pool->max_bytes &&
		json_get(r->root, "trace") == NULL) {
		reject_long_line(r);
		return;
	}
	if (!is_object) {
		reject_raw(r, REASON_MALFORMED);
		body_give_uid(r);
		return;
	}
	bad = members_take(r, &last, &traces);
	if (traces > 1 ||
		(traces == 1 && bad.ptr != NULL && span_is(bad, "trace"))) {
		reject_raw(r, REASON_BAD_MEMBER);
		record_fact_text(r, "member", span_of("trace"));
		body_give_uid(r);
		return;
	}
	if (traces == 1 && (!span_is(last, "trace") ||
				   json_type(r->trace) != JSON_OBJECT)) {
		move_trace_last(r);
		body_clear(r, r->in_unix_us);
		body_read(r); /* once: now it has the usual shape */
		return;
	}
	body_find_seam(r, traces == 1 ? last : (struct span){ NULL, 0 });
	if (r->trace != NULL) {
		trace_take(r);
	}
	if (bad.ptr != NULL && !r->was_decided) {
		record_fact_text(r, "member", bad);
		record_decide(r, REASON_BAD_MEMBER);
	}
	if (r->uid.ptr == NULL) {
		body_give_uid(r);
	}
}

void body_read(struct record *r)
{
	body_take(r, body_parse(r) == 0);
}

void body_borrow_line(struct record_body *b, struct span line)
{
	line.len = back_over_blanks(line, line.len);
	b->line = line;
}

void body_set_line(struct record_body *b, struct span line)
{
	size_t need;

	line.len = back_over_blanks(line, line.len);
	need = (line.len + LINE_STEP_BYTES) / LINE_STEP_BYTES * LINE_STEP_BYTES;
	if (need > b->own_cap) {
		mem_free(b->own);
		b->own = NULL;
		b->own_cap =
			0; /* should this allocation be the one that fails */
		b->own = mem_alloc(need);
		b->own_cap = need;
	}
	if (line.len > 0) {
		memcpy(b->own, line.ptr, line.len);
	}
	b->line = (struct span){ b->own, line.len };
}

void record_keep(struct record *r)
{
	if (r->body->line.ptr != r->body->own) {
		body_set_line(r->body, r->body->line);
	}
}

struct buf body_own_room(struct record_body *b)
{
	struct buf room = {
		.data = b->own, .cap = b->own_cap, .max = SIZE_MAX
	};

	b->own = NULL;
	b->own_cap = 0;
	return room;
}

void body_take_line(struct record_body *b, struct buf *whole)
{
	mem_free(b->own);
	b->own = whole->data;
	b->own_cap = whole->cap;
	b->line = (struct span){ b->own, whole->len };
}

void body_flatten(struct record_body *b)
{
	char *at = b->own;
	char *end = at + b->line.len;

	/* Inside a valid JSON text a newline can only be white space. */
	while (at < end &&
		(at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		*at++ = ' ';
	}
}

void body_set_text(struct record_body *b, struct span text)
{
	body_set_line(b, text);
	body_flatten(b);
}

struct record *record_read(struct record_pool *pool, const char *line,
	size_t len, int64_t in_unix_us)
{
	struct record *r = pool_take(pool);

	body_clear(r, in_unix_us);
	body_set_line(r->body, (struct span){ line, len });
	body_read(r);
	return r;
}

struct record *record_read_borrowed(
	struct record_pool *pool, struct span line, int64_t in_unix_us)
{
	struct record *r = pool_take(pool);

	body_clear(r, in_unix_us);
	body_borrow_line(r->body, line);
	body_read(r);
	return r;
}

struct record *record_read_too_long(struct record_pool *pool, struct span head,
	size_t total, int64_t in_unix_us)
{
	struct record *r = pool_take(pool);

	body_clear(r, in_unix_us);
	reject_long(r, head, total);
	return r;
}

struct record *record_claim(
	struct record_pool *pool, struct span task, int64_t t0_unix_us)
{
	struct record *r = pool_take(pool);
	bool is_object;

	body_clear(r, t0_unix_us);
	if (task.len > record_line_max_bytes(pool)) {
		reject_long(r, task, task.len);
		r->body->is_new_uid = false;
		return r;
	}
	body_set_text(r->body, task);
	is_object = body_parse(r) == 0;
	if (is_object && json_get(r->root, "trace") != NULL) {
		/* A producer's trace is nobody's business. */
		struct buf whole;

		buf_init(&whole, SIZE_MAX);
		record_task(r, NULL, &whole);
		body_take_line(r->body, &whole);
		is_object = body_parse(r) == 0;
	}
	body_take(r, is_object);
	r->body->is_new_uid = false; /* the caller names it in its facts */
	return r;
}
