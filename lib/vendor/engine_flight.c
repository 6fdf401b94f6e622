/* How one flight is sent again, in this process, or ends. */
#include "base/clock.h"
#include "vendor/backoff.h"
#include "vendor/engine_core.h"

enum {
	RETRIES_MAX = 2,            /* in this process, for one notification */
	RETRY_BUDGET_MS = 2 * 1000, /* in this process, all waits together */
	REFUSALS_MAX = 10,    /* of one stream; then the vendor is not well */
	REFUSALS_AT_ONCE = 3, /* later ones wait a little */
	REFUSAL_WAIT_MS = 25,
	AMBIGUOUS_MS = 1000,
};

/* --- how a flight ends --- */

static void engine_decide(const struct engine *e, struct record *r,
	enum reason reason, int64_t after_ms)
{
	int64_t floor_ms =
		backoff_retry_ms(e->setup.vendor->retry_floor_ms, r->attempt);

	if (reason_row(reason)->outcome != OUTCOME_RETRY) {
		record_decide(r, reason);
	} else {
		record_retry(r, reason,
			backoff_jitter_ms(
				after_ms > floor_ms ? after_ms : floor_ms));
	}
}

void engine_give_back_request(struct engine *e, struct flight *f)
{
	if (f->request != NULL) {
		request_shelf_put(&e->requests, f->request);
		f->request = NULL;
	}
}

void engine_conclude(struct engine *e, struct flight *f, enum reason reason,
	int64_t after_ms)
{
	struct record *r = flight_record(f);

	if (reason == REASON_AMBIGUOUS &&
		e->setup.vendor->drops_ambiguous(f->app->account)) {
		reason = REASON_UNCONFIRMED;
	}
	if (f->tries > 1) {
		record_fact_int(r, "tries", f->tries);
	}
	engine_decide(e, r, reason, after_ms);
	engine_give_back_request(e, f);
	token_release(f->token);
	f->token = NULL;
	app_release(e->credentials, f->app);
	f->app = NULL;
	flight_give_back(&e->spare, f);
	e->out--;
	e->setup.emit(e->setup.self, r);
}

void engine_why(struct flight *f, const char *why)
{
	record_fact_text(flight_record(f), "why", span_of(why));
}

void engine_lose(struct engine *e, struct flight *f, const char *why)
{
	e->ambiguous++;
	engine_why(f, why);
	engine_conclude(e, f, REASON_AMBIGUOUS, AMBIGUOUS_MS);
}

void engine_unsent(struct engine *e, struct flight *f, const char *why,
	enum reason reason, int64_t after_ms)
{
	if (f->tries == 0) { /* for push-ack: this was no attempt */
		record_fact_bool(flight_record(f), "unsent", true);
	}
	engine_why(f, why);
	engine_conclude(e, f, reason, after_ms);
}

/* --- sending, and sending again, in this process --- */

bool engine_build(struct engine *e, struct flight *f)
{
	const char *why = NULL;
	enum reason reason;

	if (f->request == NULL) {
		f->request = request_shelf_take(&e->requests);
	}
	reason = e->setup.vendor->build(
		f->app->account, f->record, f->request, &why);
	if (reason == REASON_NONE) {
		return true;
	}
	if (why != NULL) {
		engine_why(f, why);
	}
	engine_conclude(e, f, reason, 0);
	return false;
}

bool engine_rebuild(struct engine *e, struct flight *f)
{
	if (f->request == NULL) {
		record_restore(flight_record(f));
		if (!engine_build(e, f)) {
			return false;
		}
		flight_park(f, e->setup.node);
	}
	return true;
}

bool engine_again(struct engine *e, struct flight *f, int64_t delay_ms)
{
	if (f->retries >= RETRIES_MAX ||
		f->waited_ms + delay_ms > RETRY_BUDGET_MS) {
		return false;
	}
	f->retries++;
	f->waited_ms += delay_ms;
	e->retried++;
	if (delay_ms == 0) {
		pool_send(f->pool, f);
	} else {
		f->due_mono_ms = clock_mono_ms() + delay_ms;
		flight_append(&e->delayed, f);
	}
	return true;
}

/* Not looked at because the connection ended: not an attempt, and another
 * connection is as good.  One that never answers counts as a failure there. */
void engine_on_unprocessed(struct engine *e, struct flight *f)
{
	f->tries--;
	e->unprocessed++;
	pool_send(f->pool, f);
}

/* The server does not want this stream now: not an attempt either, but one that
 * is refused again and again must not go round for ever. */
void engine_on_refused(struct engine *e, struct flight *f)
{
	f->tries--;
	f->refusals++;
	e->refused++;
	if (f->refusals > REFUSALS_MAX) {
		engine_why(f, "refused too often");
		engine_conclude(e, f, REASON_VENDOR_UNAVAILABLE, 0);
	} else if (f->refusals > REFUSALS_AT_ONCE) {
		f->due_mono_ms = clock_mono_ms() +
				 (int64_t)REFUSAL_WAIT_MS * f->refusals;
		flight_append(&e->delayed, f);
	} else {
		pool_send(f->pool, f);
	}
}
