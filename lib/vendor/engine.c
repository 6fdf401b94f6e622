/* Records in, requests out, answers in, records out. */
#include "vendor/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "vendor/engine_core.h"

enum {
	PING_MS = 60 * 1000, /* Apple: look after idle connections */
	HOST_MAX_BYTES = 250,
};

/* --- pools --- */

struct pool *engine_pool(
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

/* --- what the pools tell --- */

static void engine_on_written(void *self, struct flight *f)
{
	engine_give_back_request(self, f);
}

static bool engine_on_sending(void *self, struct flight *f)
{
	struct engine *e = self;
	int64_t now_unix_ms = clock_rough_unix_ms();

	if (f->lease_unix_ms > 0 && now_unix_ms >= f->lease_unix_ms) {
		engine_conclude(e, f, REASON_LEASE_LOST, 0);
		return false;
	}
	if (f->expires_unix_ms > 0 && now_unix_ms >= f->expires_unix_ms) {
		engine_conclude(e, f, REASON_EXPIRED, 0);
		return false;
	}
	if (!engine_rebuild(e, f)) {
		return false;
	}
	f->due_mono_ms = clock_rough_mono_ms() + e->setup.timeout_ms;
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
		engine_lose(e, f, "connection lost");
		break;
	}
}

static void engine_on_unsent(
	void *self, struct flight *f, enum reason reason, int64_t after_ms)
{
	engine_unsent(self, f, "not sent", reason, after_ms);
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

/* --- records in --- */

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

/* What is needed of the record later, when its parsed form is gone. */
static void engine_note(const struct engine *e, struct flight *f)
{
	const struct json *device = f->record->device;

	if (json_int(json_get(device, "registered_ms"),
		    &f->registered_unix_ms) != 0) {
		f->registered_unix_ms = 0;
	}
	f->has_environment = json_get(device, "environment") != NULL;
	flight_park(f, e->setup.node);
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
		loop_timer_set(e->setup.loop, &e->tick, ENGINE_TICK_MS * 1000,
			engine_on_tick, e);
	}
	f->body_bytes = f->request->body.len;
	f->shortened_bytes = f->request->shortened_bytes;
	if (request_shelf_is_short(&e->requests)) {
		engine_give_back_request(e, f);
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
	if (req->shortened_bytes > 0) {
		record_fact_int(r, "shortened", (int64_t)req->shortened_bytes);
	}
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

/* --- life --- */

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

static int engine_check_places(
	const struct engine_places *places, struct err *err)
{
	for (size_t i = 0; i < VENDOR_ENDPOINTS_MAX; i++) {
		if (places->urls[i] != NULL &&
			engine_check_url(places->urls[i], err) != 0) {
			return -1;
		}
	}
	return 0;
}

static void engine_set_pools(struct engine *e)
{
	const struct engine_setup *setup = &e->setup;

	while (e->endpoints < VENDOR_ENDPOINTS_MAX &&
		setup->places.urls[e->endpoints] != NULL) {
		e->urls[e->endpoints] =
			mem_text(setup->places.urls[e->endpoints]);
		e->pools[e->endpoints] = (struct pool_setup){
			.loop = setup->loop,
			.vendor = setup->vendor,
			.url = e->urls[e->endpoints],
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
}

/* All connections to this endpoint, whatever the credential. */
static void engine_move_endpoint(
	struct engine *e, size_t endpoint, const char *url)
{
	char *old = e->urls[endpoint];

	if (strcmp(old, url) == 0) {
		return;
	}
	log_info("%s: %s is now at %s", e->setup.vendor->name, old, url);
	e->urls[endpoint] = mem_text(url);
	e->pools[endpoint].url = e->urls[endpoint];
	mem_free(old);
	for (struct credential *c = credentials_first(e->credentials);
		c != NULL; c = c->next) {
		if (c->pools[endpoint] != NULL) {
			pool_move(c->pools[endpoint]);
		}
	}
}

static void engine_move(struct engine *e, const struct engine_places *places)
{
	char *old = e->token_url;

	e->token_url = mem_text(places->token_url);
	credentials_set_token_url(e->credentials, e->token_url);
	mem_free(old);
	for (size_t i = 0; i < e->endpoints; i++) {
		engine_move_endpoint(e, i, places->urls[i]);
	}
}

struct engine *engine_new(const struct engine_setup *setup,
	const struct conf *conf, struct err *err)
{
	struct engine *e = mem_array(1, sizeof(*e));
	struct credentials_setup credentials = {
		.vendor = setup->vendor,
		.loop = setup->loop,
		.ca_file = setup->ca_file,
		.skew = &e->skew,
		.on_token = engine_on_token,
		.self = e,
	};

	e->setup = *setup;
	e->skew.vendor = setup->vendor->name;
	e->token_url = mem_text(setup->places.token_url);
	credentials.token_url = e->token_url;
	e->http = http_new(setup->loop);
	credentials.http = e->http;
	e->credentials = credentials_new(&credentials);
	if (engine_check_places(&setup->places, err) != 0 ||
		credentials_load(e->credentials, conf, err) != 0) {
		engine_free(e);
		return NULL;
	}
	engine_set_pools(e);
	engine_set_shares(e);
	return e;
}

int engine_reload(struct engine *e, const struct conf *conf,
	const struct engine_places *places, struct err *err)
{
	if (engine_check_places(places, err) != 0 ||
		credentials_load(e->credentials, conf, err) != 0) {
		return -1;
	}
	engine_move(e, places);
	engine_set_shares(e);
	/* The tick frees what nobody uses any more. */
	loop_timer_set(e->setup.loop, &e->tick, 0, engine_on_tick, e);
	return 0;
}

static void engine_discard(struct engine *e, struct flight *f)
{
	struct record *r = flight_record(f);

	(void)pool_take_back(f->pool, f);
	flight_remove(f);
	engine_give_back_request(e, f);
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
	request_shelf_release(&e->requests);
	for (size_t i = 0; i < e->endpoints; i++) {
		mem_free(e->urls[i]);
	}
	mem_free(e->token_url);
	mem_free(e);
}
