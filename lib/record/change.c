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
		json_put_int(whole, "t0_us", r->t0_unix_us);
	}
	if (b->is_new_uid) {
		json_put_member(whole, "uid", r->uid);
	}
	if (trace.ptr != NULL && !b->is_empty_trace) {
		if (whole->data[whole->len - 1] != '{') {
			buf_putc(whole, ',');
		}
		buf_put(whole, trace.ptr + 1, trace.len - 2);
	}
	buf_text(whole, "}}");
}

/* `json' and the trace of `r', parsed.  False when what came of it is no object,
 * or has another trace. */
static bool joined(
	const struct record *r, struct span json, struct record *fresh)
{
	struct buf whole = body_own_room(fresh->body);

	compose(r, json, &whole);
	body_take_line(fresh->body, &whole);
	body_flatten(fresh->body);
	return body_parse(fresh) == 0 && members_trace_count(fresh) == 1;
}

/* With its last brace put behind the trace a text is an object exactly when it
 * was one before, so that nearly always one look is enough. */
struct record *record_draft(const struct record *r, struct span json)
{
	struct record *fresh = pool_take(r->body->pool);
	struct buf bare;

	body_clear(fresh, r->in_unix_us);
	if (json.len >= 2 && json.ptr[0] == '{' &&
		json.ptr[json.len - 1] == '}' && joined(r, json, fresh)) {
		return fresh;
	}
	body_set_text(fresh->body, json);
	if (body_parse(fresh) != 0) {
		record_free(r->body->pool, fresh);
		return NULL;
	}
	buf_init(&bare, SIZE_MAX);
	record_task(fresh, NULL, &bare);
	/* Whatever it says: body_take() has a reason for each. */
	(void)joined(r, (struct span){ bare.data, bare.len }, fresh);
	buf_release(&bare);
	return fresh;
}

void record_discard(struct record *draft)
{
	if (draft != NULL) {
		record_free(draft->body->pool, draft);
	}
}

void record_become(struct record *r, struct record *draft)
{
	struct record_body *spent = r->body;
	struct record old = *r;
	struct buf facts;

	body_take(draft, draft->root != NULL);
	*r = *draft;
	/* What was found out before stands before what is wrong with it now. */
	facts = spent->facts;
	spent->facts = r->body->facts;
	if (facts.len > 0 && spent->facts.len > 0) {
		buf_putc(&facts, ',');
	}
	buf_put(&facts, spent->facts.data, spent->facts.len);
	r->body->facts = facts;
	r->body->replay_out_unix_us = spent->replay_out_unix_us;
	r->now_unix_us = old.now_unix_us;
	r->is_timeless = old.is_timeless;
	r->next = old.next;
	r->place = old.place;
	draft->body = spent;
	record_discard(draft);
}

int record_replace(struct record *r, struct span json)
{
	struct record *draft = record_draft(r, json);

	if (draft == NULL) {
		return -1;
	}
	record_become(r, draft);
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
