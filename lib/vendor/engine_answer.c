/* What the vendor's answer means for a flight. */
#include "base/clock.h"
#include "base/log.h"
#include "vendor/backoff.h"
#include "vendor/engine_core.h"

enum {
	CLOSED_MS = 30 * 1000, /* until a closed credential is tried again */
	NAME_MAX_BYTES = 256,
};

/* When the app's registry got the token after the vendor's date, the vendor
 * speaks of an earlier life of it. */
static bool token_is_newer(const struct flight *f, int64_t vendor_unix_ms)
{
	return vendor_unix_ms > 0 && f->registered_unix_ms > vendor_unix_ms;
}

/* The reason of an answer after which nothing more is tried here. */
static enum reason answer_reason(const struct answer *a, const struct flight *f)
{
	if (a->row->reason != REASON_TOKEN_DEAD) {
		return a->row->reason;
	}
	if (token_is_newer(f, a->vendor_unix_ms)) {
		return REASON_TOKEN_NEWER;
	}
	if (a->row->action == ANSWER_OTHER_ENVIRONMENT && !f->has_environment &&
		!f->was_elsewhere) {
		return REASON_WRONG_ENVIRONMENT;
	}
	return REASON_TOKEN_DEAD;
}

/* Every endpoint refuses what one has refused. */
static void credential_break(struct credential *c, enum reason reason)
{
	for (size_t i = 0; i < VENDOR_ENDPOINTS_MAX; i++) {
		if (c->pools[i] != NULL) {
			pool_break(c->pools[i], reason, CLOSED_MS);
		}
	}
}

/* An answer that only a server in trouble gives, whoever asks. */
static bool is_trouble(const struct answer *a)
{
	return a->row->reason == REASON_VENDOR_UNAVAILABLE &&
	       a->row->action == ANSWER_RETRY;
}

/* A bad token may be one of the other environment; once, if the app wants that. */
static bool engine_try_other(struct engine *e, struct flight *f)
{
	const struct vendor *v = e->setup.vendor;

	if (f->was_elsewhere || v->tries_other == NULL ||
		!v->tries_other(f->app->account) || e->endpoints < 2) {
		return false;
	}
	f->was_elsewhere = true;
	f->endpoint = 1 - f->endpoint;
	f->pool = engine_pool(e, f->app->credential, f->endpoint);
	f->last_conn_no = 0;
	pool_send(f->pool, f);
	return true;
}

/* Does what the answer asks for; true when the flight goes on. */
static bool engine_act(
	struct engine *e, struct flight *f, const struct answer *a)
{
	struct credential *c = f->app->credential;

	switch (a->row->action) {
	case ANSWER_NONE:
		return false;
	case ANSWER_OTHER_ENVIRONMENT:
		return engine_try_other(e, f);
	case ANSWER_RETRY:
		return engine_again(e, f, backoff_jitter_ms(a->after_ms));
	case ANSWER_RECONNECT:
		pool_retire(f->pool, f);
		return engine_again(e, f, a->after_ms);
	case ANSWER_NEW_TOKEN:
		if (e->setup.vendor->token != NULL && f->token == c->token &&
			f->renewals == 0) {
			credential_blame_clock(c, f->app->name);
		}
		credential_drop_token(c, f->token);
		if (e->setup.vendor->is_token_bound) {
			pool_retire(f->pool, f);
		}
		return f->renewals++ == 0 && engine_again(e, f, 0);
	case ANSWER_HOLD_CREDENTIAL:
		c->held_mono_ms = clock_mono_ms() + a->after_ms;
		return false;
	case ANSWER_CLOSE_CREDENTIAL:
		credential_break(c, a->row->reason);
		return false;
	}
	return false;
}

static void engine_add_facts(
	const struct engine *e, struct flight *f, const struct answer *a)
{
	struct http2_request *q = &f->http;
	struct record *r = flight_record(f);
	struct span id = http2_value(q, HTTP2_VALUE_APNS_ID);
	struct buf name;

	record_fact_int(r, "status", q->status);
	record_fact_text(r, "answer", span_of(a->row->name));
	if (f->shortened_bytes > 0) {
		record_fact_int(r, "shortened", (int64_t)f->shortened_bytes);
	}
	if (f->was_elsewhere) {
		record_fact_text(r, "environment",
			span_of(e->setup.vendor->endpoint_names[f->endpoint]));
	}
	if (a->vendor_unix_ms > 0) { /* for the feedback that push-ack gives */
		record_fact_int(r, "vendor_ms", a->vendor_unix_ms);
	}
	buf_init(&name, NAME_MAX_BYTES);
	if (e->setup.vendor->message_name != NULL) {
		e->setup.vendor->message_name(http2_body(q), &name);
		id = (struct span){ name.data, name.len };
	}
	if (id.len > 0 && !buf_is_over(&name)) {
		record_fact_text(r, "id", id);
	}
	buf_release(&name);
}

void engine_on_answer(struct engine *e, struct flight *f)
{
	struct http2_request *q = &f->http;
	int64_t now_unix_ms = clock_rough_unix_ms();
	struct answer a = e->setup.vendor->classify(q->status, http2_body(q),
		http2_value(q, HTTP2_VALUE_RETRY_AFTER), now_unix_ms);

	skew_note(&e->skew, http2_value(q, HTTP2_VALUE_DATE), now_unix_ms);
	if (is_trouble(&a)) {
		pool_bad(f->pool);
	} else if (a.row->action != ANSWER_CLOSE_CREDENTIAL) {
		pool_good(f->pool);
	}
	if (a.row->is_alarm) {
		log_error("app '%s': %s answers %d %s", f->app->name,
			e->setup.vendor->name, q->status, a.row->name);
	}
	if (engine_act(e, f, &a)) {
		return;
	}
	engine_add_facts(e, f, &a);
	engine_conclude(e, f, answer_reason(&a, f), a.after_ms);
}
