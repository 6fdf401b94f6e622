/*
 * The bytes of a record: what is added is spliced into the line as it came, so
 * that everything else in it stays byte for byte.
 */
#include "record/body.h"

#include <string.h>

#include "base/err.h"

/* --- walking the bytes of an object that was parsed before --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_blank(struct span s, size_t at)
{
	while (at < s.len && is_blank(s.ptr[at])) {
		at++;
	}
	return at;
}

/* `at' stands on the opening quote; the result behind the closing one. */
static size_t skip_string(struct span s, size_t at)
{
	const char *begin = s.ptr + at + 1;
	const char *end = s.ptr + s.len;
	const char *quote = begin;

	while (quote < end &&
		(quote = memchr(quote, '"', (size_t)(end - quote))) != NULL) {
		const char *before = quote;

		while (before > begin && before[-1] == '\\') {
			before--;
		}
		quote++;
		if ((quote - before) % 2 == 1) {
			return (size_t)(quote - s.ptr); /* not escaped */
		}
	}
	return s.len;
}

static size_t skip_value(struct span s, size_t at)
{
	size_t depth = 0;

	while (at < s.len) {
		char c = s.ptr[at];

		if (c == '"') {
			at = skip_string(s, at);
			if (depth == 0) {
				return at;
			}
			continue;
		}
		if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
			return at; /* behind a number or a word */
		}
		depth += c == '{' || c == '[';
		if (c == '}' || c == ']') {
			depth--;
			if (depth == 0) {
				return at + 1;
			}
		}
		at++;
	}
	return at;
}

bool member_next(
	struct member_walk *w, struct span *quoted_name, struct span *member)
{
	struct span s = w->object;
	size_t at = skip_blank(s, w->at == 0 ? skip_blank(s, 0) + 1 : w->at);
	size_t start;

	if (at < s.len && s.ptr[at] == ',') {
		at = skip_blank(s, at + 1);
	}
	if (at >= s.len || s.ptr[at] != '"') {
		return false;
	}
	start = at;
	at = skip_string(s, at);
	*quoted_name = (struct span){ s.ptr + start, at - start };
	at = skip_blank(s, at) + 1; /* the colon */
	at = skip_value(s, skip_blank(s, at));
	*member = (struct span){ s.ptr + start, at - start };
	while (member->len > 0 && is_blank(member->ptr[member->len - 1])) {
		member->len--;
	}
	w->at = at;
	return true;
}

/* Is the quoted name, as it stands, this one?  A name that is written with
 * escapes is not recognised; the parser, which sees through them, refuses
 * known members that stand twice. */
static bool is_named(struct span quoted, const char *name)
{
	size_t len = strlen(name);

	return quoted.len == len + 2 && memcmp(quoted.ptr + 1, name, len) == 0;
}

static bool is_listed(struct span quoted, const char *const *names)
{
	for (; names != NULL && *names != NULL; names++) {
		if (is_named(quoted, *names)) {
			return true;
		}
	}
	return false;
}

void record_task(
	const struct record *r, const char *const *without, struct buf *out)
{
	struct member_walk walk = { r->body->line, 0 };
	struct span name;
	struct span member;
	size_t start = out->len;

	buf_putc(out, '{');
	while (r->root != NULL && member_next(&walk, &name, &member)) {
		if (is_named(name, "trace") || is_listed(name, without)) {
			continue;
		}
		if (out->len > start + 1) {
			buf_putc(out, ',');
		}
		buf_put(out, member.ptr, member.len);
	}
	buf_putc(out, '}');
}

struct span body_trace(const struct record_body *b)
{
	struct span all = { b->line.ptr + b->seam, b->trace_end + 1 - b->seam };
	const char *open;

	if (b->trace_end == b->seam) {
		return (struct span){ NULL, 0 };
	}
	open = memchr(all.ptr, '{', all.len);
	return (struct span){ open, (size_t)(all.ptr + all.len - open) };
}

/* --- adding --- */

static void put_name(struct buf *b, const char *name)
{
	if (b->len > 0) {
		buf_putc(b, ',');
	}
	buf_putc(b, '"');
	buf_text(b, name);
	buf_put(b, "\":", 2);
}

void record_fact_text(struct record *r, const char *name, struct span text)
{
	put_name(&r->body->facts, name);
	json_put_span(&r->body->facts, text);
}

void record_fact_int(struct record *r, const char *name, int64_t n)
{
	put_name(&r->body->facts, name);
	buf_i64(&r->body->facts, n);
}

void record_fact_bool(struct record *r, const char *name, bool is_true)
{
	put_name(&r->body->facts, name);
	buf_text(&r->body->facts, is_true ? "true" : "false");
}

void record_add(struct record *r, const char *name, struct span json)
{
	put_name(&r->body->members, name);
	buf_put(&r->body->members, json.ptr, json.len);
}

/* --- writing --- */

static void put_stamp(struct buf *out, struct record *r, const char *node,
	int64_t out_unix_us)
{
	buf_putc(out, '"');
	buf_text(out, node);
	buf_put(out, "\":[", 3);
	buf_i64(out, r->in_unix_us - r->t0_unix_us);
	buf_putc(out, ',');
	buf_i64(out, out_unix_us - r->t0_unix_us);
	if (r->body->facts.len > 0) {
		buf_put(out, ",{", 2);
		buf_put(out, r->body->facts.data, r->body->facts.len);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
}

static void put_outcome(struct buf *out, const struct record *r)
{
	buf_text(out, ",\"outcome\":\"");
	buf_text(out, outcome_name(r->outcome));
	buf_text(out, "\",\"reason\":\"");
	buf_text(out, reason_row(r->reason)->name);
	buf_putc(out, '"');
	if (r->outcome == OUTCOME_RETRY) {
		buf_text(out, ",\"after_ms\":");
		buf_i64(out, r->after_ms);
	}
}

/* What the trace holds already, without a stamp of `node'. */
static void put_trace_without(
	struct buf *out, struct span trace, const char *node)
{
	struct member_walk walk = { trace, 0 };
	struct span name;
	struct span member;

	while (member_next(&walk, &name, &member)) {
		if (!is_named(name, node)) {
			buf_put(out, member.ptr, member.len);
			buf_putc(out, ',');
		}
	}
}

static bool has_stamp(const struct record *r, const char *node)
{
	return r->body->was_parked ? r->body->had_stamp
				   : record_passed(r, node);
}

/* The line up to where the stamp goes, with its comma where one is due. */
static void put_head(struct buf *out, const struct record *r, const char *node)
{
	const struct record_body *b = r->body;

	buf_put(out, b->line.ptr, b->seam);
	if (b->members.len > 0) {
		if (b->trace_end == b->seam && !b->is_empty_task) {
			buf_putc(out, ',');
		}
		buf_put(out, b->members.data, b->members.len);
		if (b->trace_end != b->seam) {
			buf_putc(out, ',');
		}
	}
	if (b->trace_end == b->seam) {
		if (!b->is_empty_task || b->members.len > 0) {
			buf_putc(out, ',');
		}
		buf_text(out, "\"trace\":{");
	} else if (has_stamp(r, node)) {
		buf_text(out, "\"trace\":{");
		put_trace_without(out, body_trace(b), node);
	} else {
		buf_put(out, b->line.ptr + b->seam, b->trace_end - b->seam);
		if (!b->is_empty_trace) {
			buf_putc(out, ',');
		}
	}
}

void record_write(struct record *r, const char *node, int64_t out_unix_us,
	struct buf *out)
{
	const struct record_body *b = r->body;

	if (node == NULL) {
		buf_put(out, b->line.ptr, b->line.len);
		buf_putc(out, '\n');
		return;
	}
	if (b->replay_out_unix_us != 0) {
		out_unix_us = b->replay_out_unix_us;
	}
	put_head(out, r, node);
	if (b->is_new_trace) {
		buf_text(out, "\"t0_us\":");
		buf_i64(out, r->t0_unix_us);
		buf_putc(out, ',');
	}
	if (b->is_new_uid) {
		buf_text(out, "\"uid\":");
		json_put_text(out, b->uid, strlen(b->uid));
		buf_putc(out, ',');
	}
	put_stamp(out, r, node, out_unix_us);
	if (r->outcome != OUTCOME_UNDECIDED && !r->was_decided) {
		put_outcome(out, r);
	}
	buf_put(out, "}}\n", 3);
}
