/*
 * What stages do to a record: decide it, put another task in its place, make
 * others of it.
 */
#include "record/body.h"

#include "base/digest.h"
#include "base/err.h"

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
	struct record *task = pool_take(r->body->pool);
	struct buf bare;
	bool is_object;

	body_clear(task, 0);
	body_set_text(task, json);
	is_object = body_parse(task) == 0;
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
	body_clear(r, old.in_unix_us);
	body_read(r);
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

struct span record_name(const struct record *r)
{
	return r->id.ptr != NULL ? r->id : r->uid;
}

void record_token_hash(struct span token, char dst[9])
{
	struct digest d = digest_of(token.ptr, token.len);

	digest_hex(&d, 4, dst);
}
