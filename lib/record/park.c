/*
 * Records that are kept in great numbers are parked: the line and what is known
 * of it in one piece of memory, and the record's own is free for others.
 */
#include <string.h>

#include "base/mem.h"
#include "record/body.h"

/* Records are alike, so that one fits where another was. */
enum { STEP_BYTES = 64 };

struct record_parked {
	struct record_pool *pool;
	size_t line_len; /* bytes of the line, then the other texts */
	size_t seam;
	size_t trace_end;
	size_t facts_len;
	size_t members_len;
	size_t uid_len; /* 0: it is in the line */
	int64_t t0_unix_us;
	int64_t in_unix_us;
	int64_t now_unix_us;
	int64_t created_unix_ms;
	int64_t not_before_unix_ms;
	int64_t expires_unix_ms;
	int64_t lease_unix_ms;
	int64_t attempt;
	unsigned is_empty_task : 1;
	unsigned is_empty_trace : 1;
	unsigned is_new_trace : 1;
	unsigned had_stamp : 1;
	unsigned is_resumed : 1;
	unsigned is_held : 1;
	char bytes[];
};

struct record_parked *record_park(struct record *r, const char *node)
{
	const struct record_body *b = r->body;
	size_t uid_len = b->is_new_uid ? r->uid.len : 0;
	size_t size = sizeof(struct record_parked) + b->line.len +
		      b->facts.len + b->members.len + uid_len;
	struct record_parked *p =
		mem_alloc((size + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES);
	char *at = p->bytes;

	if (b->captured != NULL || r->outcome != OUTCOME_UNDECIDED) {
		BUG("a record that is replayed or decided is not parked");
	}
	*p = (struct record_parked){
		.pool = b->pool,
		.line_len = b->line.len,
		.seam = b->seam,
		.trace_end = b->trace_end,
		.facts_len = b->facts.len,
		.members_len = b->members.len,
		.uid_len = uid_len,
		.t0_unix_us = r->t0_unix_us,
		.in_unix_us = r->in_unix_us,
		.now_unix_us = r->now_unix_us,
		.created_unix_ms = r->created_unix_ms,
		.not_before_unix_ms = r->not_before_unix_ms,
		.expires_unix_ms = r->expires_unix_ms,
		.lease_unix_ms = r->lease_unix_ms,
		.attempt = r->attempt,
		.is_empty_task = b->is_empty_task,
		.is_empty_trace = b->is_empty_trace,
		.is_new_trace = b->is_new_trace,
		.had_stamp = record_passed(r, node),
		.is_resumed = r->is_resumed,
		.is_held = r->is_held,
	};
	memcpy(at, b->line.ptr, b->line.len);
	at += b->line.len;
	if (b->facts.len > 0) {
		memcpy(at, b->facts.data, b->facts.len);
		at += b->facts.len;
	}
	if (b->members.len > 0) {
		memcpy(at, b->members.data, b->members.len);
		at += b->members.len;
	}
	if (uid_len > 0) {
		memcpy(at, r->uid.ptr, uid_len);
	}
	record_free(b->pool, r);
	return p;
}

struct record *record_unpark(struct record_parked *p)
{
	struct record *r = pool_take(p->pool);
	struct record_body *b = r->body;
	const char *at = p->bytes;

	body_clear(r, p->in_unix_us);
	r->t0_unix_us = p->t0_unix_us;
	r->now_unix_us = p->now_unix_us;
	r->created_unix_ms = p->created_unix_ms;
	r->not_before_unix_ms = p->not_before_unix_ms;
	r->expires_unix_ms = p->expires_unix_ms;
	r->lease_unix_ms = p->lease_unix_ms;
	r->attempt = p->attempt;
	r->is_resumed = p->is_resumed;
	r->is_held = p->is_held;
	b->seam = p->seam;
	b->trace_end = p->trace_end;
	b->is_empty_task = p->is_empty_task;
	b->is_empty_trace = p->is_empty_trace;
	b->is_new_trace = p->is_new_trace;
	b->was_parked = true;
	b->had_stamp = p->had_stamp;
	body_set_line(b, (struct span){ at, p->line_len });
	at += p->line_len;
	buf_put(&b->facts, at, p->facts_len);
	at += p->facts_len;
	buf_put(&b->members, at, p->members_len);
	at += p->members_len;
	if (p->uid_len > 0) {
		memcpy(b->uid, at, p->uid_len);
		b->uid[p->uid_len] = '\0';
		b->is_new_uid = true;
		r->uid = (struct span){ b->uid, p->uid_len };
	}
	mem_free(p);
	return r;
}

void record_restore(struct record *r)
{
	struct record_body *b = r->body;
	struct span last;
	unsigned traces = 0;

	if (!b->was_parked) {
		return;
	}
	b->was_parked = false;
	if (body_parse(r) != 0) {
		BUG("a record that was read does not parse again");
	}
	(void)members_take(r, &last, &traces); /* as it did before */
	if (r->trace != NULL) {
		trace_take(r);
	}
}
