/*
 * Replay: a captured record as it was before this node had seen it.
 */
#include "base/err.h"
#include "record/body.h"

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

/* Whether this node gave the outcome: what is decided is not stamped by the
 * stages behind, but by push-ack. */
static bool is_decider(const struct record *r, const char *node)
{
	struct json_iter it = json_iter(r->trace);
	struct record_stamp stamp;
	bool is = false;

	while (record_stamp_next(&it, &stamp)) {
		if (!span_is(stamp.node, "ack")) {
			is = span_is(stamp.node, node);
		}
	}
	return is;
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
	enum reason own_reason;

	if (r->trace == NULL) {
		rewind_task(r);
		return;
	}
	own_reason = is_decider(r, node) ? r->reason : REASON_NONE;
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
		body_take_line(b, &whole);
		body_clear(r, in_unix_us);
		body_read(r);
	}
	if (reason == REASON_MALFORMED || reason == REASON_TOO_LARGE) {
		record_decide(
			r, reason); /* the reader's own, whatever the stage */
	}
	buf_release(&trace);
	r->in_unix_us = r->now_unix_us = in_unix_us;
	b->replay_out_unix_us = own.out_us;
	b->captured = captured;
	b->captured_reason = own_reason;
	b->pool->replay_unix_us = in_unix_us;
}
