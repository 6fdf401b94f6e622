/*
 * Records in, requests out, answers in, records out.  A flight is in one of
 * three places: in its pool's queue, in `sent' with a deadline, in `delayed'
 * until it is sent again.  One tick looks after all deadlines.
 */
#include "vendor/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http.h"
#include "vendor/backoff.h"
#include "vendor/credential.h"
#include "vendor/flight.h"
#include "vendor/pool.h"

enum {
	TICK_MS = 50,
	PING_MS = 60 * 1000,        /* Apple: look after idle connections */
	RETRIES_MAX = 2,            /* in this process, for one notification */
	RETRY_BUDGET_MS = 2 * 1000, /* in this process, all waits together */
	REFUSALS_MAX = 10,    /* of one stream; then the vendor is not well */
	REFUSALS_AT_ONCE = 3, /* later ones wait a little */
	REFUSAL_WAIT_MS = 25,
	CLOSED_MS = 30 * 1000, /* until a closed credential is tried again */
	AMBIGUOUS_MS = 1000,
	REQUESTS_KEPT = 256, /* spare ones */
	REQUESTS_MAX = 1024, /* of flights that wait; later ones are built
	                        again when it is their turn */
	HOST_MAX_BYTES = 250,
	NAME_MAX_BYTES = 256,
};

struct engine {
	struct engine_setup setup;
	size_t endpoints;
	struct http *http;               /* owned */
	struct credentials *credentials; /* owned */
	struct pool_setup pools[VENDOR_ENDPOINTS_MAX];
	struct pool_counts counts;
	uint64_t ambiguous;
	uint64_t unprocessed;
	uint64_t refused;
	uint64_t retried;
	uint64_t timeouts;

	struct record *incoming; /* taken in handle(), sent from the loop */
	struct record *incoming_last;
	struct loop_timer arrival;
	struct flight_list sent;
	struct flight_list delayed;
	struct flight_list spare;
	struct request *requests; /* spare ones, by next */
	size_t requests_kept;
	size_t requests_out;
	size_t out; /* flights that are not spare */
	struct loop_timer tick;
	bool is_draining;
	int64_t drain_end_mono_ms;
};

/* For push-ack: this was no attempt. */
static void engine_say_unsent(struct flight *f)
{
	if (f->tries == 0) {
		record_fact_bool(f->record, "unsent", true);
	}
}

/* --- requests, which are there only until they are written --------------------------- */

static struct request *request_take(struct engine *e)
{
	struct request *req = e->requests;

	e->requests_out++;
	if (req == NULL) {
		req = mem_alloc(sizeof(*req));
		request_init(req);
		return req;
	}
	e->requests = req->next;
	e->requests_kept--;
	return req;
}

static void request_free(struct request *req)
{
	request_release(req);
	mem_free(req);
}

static void request_give_back(struct engine *e, struct flight *f)
{
	struct request *req = f->request;

	f->request = NULL;
	if (req == NULL) {
		return;
	}
	e->requests_out--;
	if (e->requests_kept == REQUESTS_KEPT) {
		request_free(req);
		return;
	}
	req->next = e->requests;
	e->requests = req;
	e->requests_kept++;
}

static void engine_on_written(void *self, struct flight *f)
{
	request_give_back(self, f);
}

/* --- how a flight ends ----------------------------------------------------------- */

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

/* Decides the flight's record, gives it back and the flight to the spare
 * ones. */
static void engine_conclude(struct engine *e, struct flight *f,
	enum reason reason, int64_t after_ms)
{
	struct record *r = f->record;

	if (f->tries > 1) {
		record_fact_int(r, "tries", f->tries);
	}
	engine_decide(e, r, reason, after_ms);
	request_give_back(e, f);
	token_release(f->token);
	f->token = NULL;
	app_release(e->credentials, f->app);
	f->app = NULL;
	flight_give_back(&e->spare, f);
	e->out--;
	e->setup.emit(e->setup.self, r);
}

static void engine_why(struct flight *f, const char *why)
{
	record_fact_text(f->record, "why", span_of(why));
}

/* --- sending, and sending again, in this process -------------------------------------------------- */

/* Builds the request; the record is whole for as long as that takes.  False: it
 * cannot be built, and the flight has ended. */
static bool engine_build(struct engine *e, struct flight *f)
{
	const char *why = NULL;
	enum reason reason;

	if (f->request == NULL) {
		f->request = request_take(e);
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

/* Has the request there again.  False: the flight has ended. */
static bool engine_rebuild(struct engine *e, struct flight *f)
{
	if (f->request == NULL) {
		record_restore(f->record);
		if (!engine_build(e, f)) {
			return false;
		}
		record_shrink(f->record, e->setup.node);
	}
	return true;
}

/* Sends it again after `delay_ms', if this process may; false when the record
 * should rather become a retry. */
static bool engine_again(struct engine *e, struct flight *f, int64_t delay_ms)
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
static void engine_on_unprocessed(struct engine *e, struct flight *f)
{
	f->tries--;
	e->unprocessed++;
	pool_send(f->pool, f);
}

/* The server does not want this stream now: not an attempt either, but one that
 * is refused again and again must not go round for ever. */
static void engine_on_refused(struct engine *e, struct flight *f)
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

static struct pool *engine_pool(
	struct engine *e, struct credential *c, size_t endpoint)
{
	if (endpoint >= e->endpoints) {
		BUG("%s has no endpoint %zu", e->setup.vendor->name, endpoint);
	}
	if (c->pools[endpoint] == NULL) {
		c->pools[endpoint] =
			pool_new(&e->pools[endpoint], c, &e->counts);
	}
	return c->pools[endpoint];
}

/* --- answers ------------------------------------------------------------------------- */

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
	struct span id = http2_value(q, HTTP2_VALUE_APNS_ID);
	struct buf name;

	record_fact_int(f->record, "status", q->status);
	record_fact_text(f->record, "answer", span_of(a->row->name));
	if (f->was_elsewhere) {
		record_fact_text(f->record, "environment",
			span_of(e->setup.vendor->endpoint_names[f->endpoint]));
	}
	if (a->vendor_unix_ms > 0) { /* for the feedback that push-ack gives */
		record_fact_int(f->record, "vendor_ms", a->vendor_unix_ms);
	}
	buf_init(&name, NAME_MAX_BYTES);
	if (e->setup.vendor->message_name != NULL) {
		e->setup.vendor->message_name(
			(struct span){ q->answer.data, q->answer.len }, &name);
		id = (struct span){ name.data, name.len };
	}
	if (id.len > 0 && !buf_is_over(&name)) {
		record_fact_text(f->record, "id", id);
	}
	buf_release(&name);
}

static void engine_on_answer(struct engine *e, struct flight *f)
{
	struct http2_request *q = &f->http;
	struct answer a = e->setup.vendor->classify(q->status,
		(struct span){ q->answer.data, q->answer.len },
		http2_value(q, HTTP2_VALUE_RETRY_AFTER), clock_unix_ms());

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

/* --- what the pools tell ------------------------------------------------------------- */

static bool engine_on_sending(void *self, struct flight *f)
{
	struct engine *e = self;
	const struct record *r = f->record;
	int64_t now_unix_ms = clock_unix_ms();

	if (r->lease_unix_ms > 0 && now_unix_ms >= r->lease_unix_ms) {
		engine_conclude(e, f, REASON_LEASE_LOST, 0);
		return false;
	}
	if (r->expires_unix_ms > 0 && now_unix_ms >= r->expires_unix_ms) {
		engine_conclude(e, f, REASON_EXPIRED, 0);
		return false;
	}
	if (!engine_rebuild(e, f)) {
		return false;
	}
	f->due_mono_ms = clock_mono_ms() + e->setup.timeout_ms;
	flight_append(&e->sent, f);
	return true;
}

static void engine_on_end(void *self, struct flight *f, enum http2_end end)
{
	struct engine *e = self;

	flight_remove(f);
	switch (end) {
	case HTTP2_ANSWERED:
		engine_on_answer(e, f);
		break;
	case HTTP2_UNPROCESSED:
		engine_on_unprocessed(e, f);
		break;
	case HTTP2_REFUSED:
		engine_on_refused(e, f);
		break;
	case HTTP2_UNKNOWN:
		e->ambiguous++;
		engine_why(f, "connection lost");
		engine_conclude(e, f, REASON_AMBIGUOUS, AMBIGUOUS_MS);
		break;
	}
}

static void engine_on_unsent(
	void *self, struct flight *f, enum reason reason, int64_t after_ms)
{
	engine_say_unsent(f);
	engine_why(f, "not sent");
	engine_conclude(self, f, reason, after_ms);
}

static const struct pool_events engine_pool_events = {
	.on_sending = engine_on_sending,
	.on_written = engine_on_written,
	.on_end = engine_on_end,
	.on_unsent = engine_on_unsent,
};

static void engine_on_token(void *self, struct credential *c)
{
	(void)self;
	for (size_t i = 0; i < VENDOR_ENDPOINTS_MAX; i++) {
		if (c->pools[i] != NULL) {
			pool_pump(c->pools[i]);
		}
	}
}

/* --- records in ----------------------------------------------------------------------- */

/* The app of a record, or NULL and why it cannot be sent. */
static struct app *engine_app(
	const struct engine *e, const struct record *r, enum reason *reason)
{
	struct app *a = r->app.ptr != NULL
				? credentials_app(e->credentials, r->app)
				: NULL;

	if (a == NULL) {
		*reason = REASON_UNKNOWN_APP;
		return NULL;
	}
	if (a->account == NULL) {
		*reason = REASON_VENDOR_CONFIG;
		return NULL;
	}
	return a;
}

static void engine_on_tick(void *self);

/* What is needed of the record later, when its parsed form is gone. */
static void engine_note(const struct engine *e, struct flight *f)
{
	const struct json *device = f->record->device;

	if (json_int(json_get(device, "registered_ms"),
		    &f->registered_unix_ms) != 0) {
		f->registered_unix_ms = 0;
	}
	f->has_environment = json_get(device, "environment") != NULL;
	record_shrink(f->record, e->setup.node);
}

static void engine_admit(struct engine *e, struct record *r)
{
	const struct vendor *v = e->setup.vendor;
	enum reason reason = REASON_NONE;
	struct app *a = engine_app(e, r, &reason);
	struct flight *f;

	if (a == NULL) {
		record_decide(r, reason);
		e->setup.emit(e->setup.self, r);
		return;
	}
	f = flight_take(&e->spare, r);
	e->out++;
	f->app = app_hold(a);
	if (!engine_build(e, f)) {
		return;
	}
	f->endpoint = v->endpoint(a->account, r);
	f->pool = engine_pool(e, a->credential, f->endpoint);
	engine_note(e, f);
	if (!loop_timer_is_set(&e->tick)) {
		loop_timer_set(e->setup.loop, &e->tick, TICK_MS * 1000,
			engine_on_tick, e);
	}
	f->body_bytes = f->request->body.len;
	if (e->requests_out > REQUESTS_MAX) {
		request_give_back(e, f);
	}
	pool_send(f->pool, f);
}

static void engine_on_arrival(void *self)
{
	struct engine *e = self;

	while (e->incoming != NULL) {
		struct record *r = e->incoming;

		e->incoming = r->next;
		r->next = NULL;
		engine_admit(e, r);
	}
	e->incoming_last = NULL;
}

void engine_send(struct engine *e, struct record *r)
{
	r->next = NULL;
	if (e->incoming_last != NULL) {
		e->incoming_last->next = r;
	} else {
		e->incoming = r;
		loop_timer_set(
			e->setup.loop, &e->arrival, 0, engine_on_arrival, e);
	}
	e->incoming_last = r;
}

static void engine_show(const struct request *req, struct record *r)
{
	record_fact_int(r, "dry_run", 1);
	record_fact_text(
		r, "path", (struct span){ req->path.data, req->path.len });
	for (size_t i = 0; i < req->header_count; i++) {
		record_fact_text(
			r, req->headers[i].name, request_value(req, i));
	}
	record_fact_text(
		r, "body", (struct span){ req->body.data, req->body.len });
}

void engine_rehearse(struct engine *e, struct record *r)
{
	enum reason reason = REASON_NONE;
	const char *why = NULL;
	struct app *a = engine_app(e, r, &reason);
	struct request req;

	if (a == NULL) {
		record_decide(r, reason);
		return;
	}
	request_init(&req);
	reason = e->setup.vendor->build(a->account, r, &req, &why);
	if (reason == REASON_NONE) {
		engine_show(&req, r);
		reason = REASON_OK;
	} else if (why != NULL) {
		record_fact_text(r, "why", span_of(why));
	}
	record_decide(r, reason);
	request_release(&req);
}

/* --- deadlines -------------------------------------------------------------------------- */

static void engine_give_up(struct engine *e, struct flight *f, const char *why)
{
	bool is_ambiguous = pool_take_back(f->pool, f);

	flight_remove(f);
	engine_why(f, why);
	if (is_ambiguous) {
		e->ambiguous++;
		engine_conclude(e, f, REASON_AMBIGUOUS, AMBIGUOUS_MS);
	} else {
		engine_say_unsent(f);
		engine_conclude(e, f, REASON_VENDOR_UNAVAILABLE, AMBIGUOUS_MS);
	}
}

static void engine_expire(struct engine *e, int64_t now)
{
	while (e->sent.first != NULL && now >= e->sent.first->due_mono_ms) {
		e->timeouts++;
		pool_suspect(e->sent.first->pool, e->sent.first);
		pool_bad(e->sent.first->pool);
		engine_give_up(e, e->sent.first, "no answer in time");
	}
}

/* Sends again what is due. */
static void engine_resend(struct engine *e, int64_t now)
{
	struct flight_list due = { 0 };
	struct flight *f = e->delayed.first;

	while (f != NULL) {
		struct flight *next = f->next;

		if (now >= f->due_mono_ms) {
			flight_remove(f);
			flight_append(&due, f);
		}
		f = next;
	}
	while ((f = flight_shift(&due)) != NULL) {
		pool_send(f->pool, f);
	}
}

static void engine_each_pool(
	struct engine *e, void (*call)(struct engine *e, struct pool *p))
{
	struct credential *c = credentials_first(e->credentials);

	for (; c != NULL; c = c->next) {
		for (size_t i = 0; i < e->endpoints; i++) {
			if (c->pools[i] != NULL) {
				call(e, c->pools[i]);
			}
		}
	}
}

static void engine_pump_one(struct engine *e, struct pool *p)
{
	(void)e;
	pool_pump(p);
}

static void engine_end_waiting(struct engine *e, struct pool *p)
{
	struct flight *f;

	while ((f = pool_first_waiting(p)) != NULL) {
		engine_give_up(e, f, "stopped before it was sent");
	}
}

static void engine_end_drain(struct engine *e)
{
	engine_each_pool(e, engine_end_waiting);
	while (e->delayed.first != NULL) {
		engine_give_up(e, e->delayed.first,
			"stopped before it was sent again");
	}
	while (e->sent.first != NULL) {
		engine_give_up(e, e->sent.first, "stopped before the answer");
	}
}

static void engine_on_tick(void *self)
{
	struct engine *e = self;
	int64_t now = clock_mono_ms();

	engine_expire(e, now);
	engine_resend(e, now);
	engine_each_pool(e, engine_pump_one);
	if (e->is_draining && now >= e->drain_end_mono_ms) {
		engine_end_drain(e);
	}
	credentials_sweep(e->credentials);
	if (e->out > 0) {
		loop_timer_set(e->setup.loop, &e->tick, TICK_MS * 1000,
			engine_on_tick, e);
	}
}

void engine_drain(struct engine *e, int64_t limit_ms)
{
	e->is_draining = true;
	/* A tenth is for writing what is given back then. */
	e->drain_end_mono_ms = clock_mono_ms() + limit_ms - limit_ms / 10;
}

/* --- life --------------------------------------------------------------------------------- */

static int engine_check_url(const char *url, struct err *err)
{
	static const char scheme[] = "https://";

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 ||
		strlen(url) > HOST_MAX_BYTES ||
		strchr(url + sizeof(scheme) - 1, '/') != NULL ||
		url[sizeof(scheme) - 1] == '\0') {
		return err_usage(err, 0,
			"a vendor's URL is https://host or https://host:port, not '%s'",
			url);
	}
	return 0;
}

/* With several credentials none may fill the whole window: one whose answers do
 * not come leaves room for the others. */
static void engine_set_shares(struct engine *e)
{
	const struct credential *c = credentials_first(e->credentials);
	size_t window = (size_t)e->setup.window;
	bool is_alone = c == NULL || c->next == NULL;

	for (size_t i = 0; i < e->endpoints; i++) {
		e->pools[i].share = is_alone ? window : (window + 1) / 2;
	}
}

static int engine_set_pools(struct engine *e, struct err *err)
{
	const struct engine_setup *setup = &e->setup;

	while (e->endpoints < VENDOR_ENDPOINTS_MAX &&
		setup->urls[e->endpoints] != NULL) {
		if (engine_check_url(setup->urls[e->endpoints], err) != 0) {
			return -1;
		}
		e->pools[e->endpoints] = (struct pool_setup){
			.loop = setup->loop,
			.vendor = setup->vendor,
			.url = setup->urls[e->endpoints],
			.ca_file = setup->ca_file,
			.connections = (size_t)setup->connections,
			.streams = (size_t)setup->window,
			.ping_ms = PING_MS,
			.wait_ms = setup->timeout_ms,
			.pace = setup->pace,
			.events = &engine_pool_events,
			.self = e,
		};
		e->endpoints++;
	}
	return 0;
}

struct engine *engine_new(const struct engine_setup *setup,
	const struct conf *conf, struct err *err)
{
	struct engine *e = mem_array(1, sizeof(*e));
	struct credentials_setup credentials = {
		.vendor = setup->vendor,
		.loop = setup->loop,
		.token_url = setup->token_url,
		.ca_file = setup->ca_file,
		.on_token = engine_on_token,
		.self = e,
	};

	e->setup = *setup;
	e->http = http_new(setup->loop);
	credentials.http = e->http;
	e->credentials = credentials_new(&credentials);
	if (engine_set_pools(e, err) != 0 ||
		credentials_load(e->credentials, conf, err) != 0) {
		engine_free(e);
		return NULL;
	}
	engine_set_shares(e);
	return e;
}

int engine_reload(struct engine *e, const struct conf *conf, struct err *err)
{
	if (credentials_load(e->credentials, conf, err) != 0) {
		return -1;
	}
	engine_set_shares(e);
	/* The tick frees what nobody uses any more. */
	loop_timer_set(e->setup.loop, &e->tick, 0, engine_on_tick, e);
	return 0;
}

static void engine_discard(struct engine *e, struct flight *f)
{
	struct record *r = f->record;

	(void)pool_take_back(f->pool, f);
	flight_remove(f);
	request_give_back(e, f);
	token_release(f->token);
	app_release(e->credentials, f->app);
	flight_give_back(&e->spare, f);
	e->setup.discard(e->setup.self, r);
}

static void engine_discard_waiting(struct engine *e, struct pool *p)
{
	while (pool_first_waiting(p) != NULL) {
		engine_discard(e, pool_first_waiting(p));
	}
}

void engine_free(struct engine *e)
{
	if (e == NULL) {
		return;
	}
	loop_timer_stop(e->setup.loop, &e->arrival);
	loop_timer_stop(e->setup.loop, &e->tick);
	while (e->incoming != NULL) {
		struct record *r = e->incoming;

		e->incoming = r->next;
		e->setup.discard(e->setup.self, r);
	}
	engine_each_pool(e, engine_discard_waiting);
	while (e->sent.first != NULL) {
		engine_discard(e, e->sent.first);
	}
	while (e->delayed.first != NULL) {
		engine_discard(e, e->delayed.first);
	}
	credentials_free(e->credentials);
	http_free(e->http);
	flight_free_all(&e->spare);
	while (e->requests != NULL) {
		struct request *req = e->requests;

		e->requests = req->next;
		request_free(req);
	}
	mem_free(e);
}

void engine_count(const struct engine *e, struct buf *json)
{
	const struct credential *c = credentials_first(e->credentials);
	size_t connections = 0;
	size_t streams = 0;
	size_t waiting = 0;
	size_t broken = 0;
	uint64_t paced = 0;
	int64_t oldest_unix_ms = 0;

	for (; c != NULL; c = c->next) {
		if (c->token != NULL &&
			(oldest_unix_ms == 0 ||
				c->token_made_unix_ms < oldest_unix_ms)) {
			oldest_unix_ms = c->token_made_unix_ms;
		}
		for (size_t i = 0; i < e->endpoints; i++) {
			const struct pool *p = c->pools[i];

			connections += p != NULL ? pool_connections(p) : 0;
			streams += p != NULL ? pool_streams(p) : 0;
			waiting += p != NULL ? pool_waiting(p) : 0;
			paced += p != NULL ? pool_put_off(p) : 0;
			broken += p != NULL && pool_is_broken(p);
		}
	}
	buf_fmt(json,
		",\"vendor\":{\"connections\":%zu,\"streams\":%zu,"
		"\"waiting\":%zu,\"delayed\":%zu,\"connects\":%llu,"
		"\"connect_failures\":%llu,\"lost\":%llu,\"goaways\":%llu,",
		connections, streams, waiting, e->delayed.count,
		(unsigned long long)e->counts.connects,
		(unsigned long long)e->counts.connect_failures,
		(unsigned long long)e->counts.lost,
		(unsigned long long)e->counts.goaways);
	buf_fmt(json,
		"\"ambiguous\":%llu,\"unprocessed\":%llu,\"refused\":%llu,\"retried\":%llu,"
		"\"timeouts\":%llu,\"breakers_open\":%zu,\"put_off\":%llu,\"token_age_s\":%lld}",
		(unsigned long long)e->ambiguous,
		(unsigned long long)e->unprocessed,
		(unsigned long long)e->refused, (unsigned long long)e->retried,
		(unsigned long long)e->timeouts, broken,
		(unsigned long long)paced,
		(long long)(oldest_unix_ms > 0
				    ? (clock_unix_ms() - oldest_unix_ms) / 1000
				    : -1));
}
