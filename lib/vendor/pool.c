/*
 * Where a flight waits, on which connection it goes, and when connections are
 * opened.  What an answer means is the engine's business.
 */
#include "vendor/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "vendor/backoff.h"
#include "vendor/breaker.h"
#include "vendor/credential.h"

enum {
	CONNECT_TIMEOUT_MS = 10 * 1000,
	OBSTACLE_WAIT_MS = 2 * 1000, /* for a first connection or a token */
	LEAST_RETRY_MS = 1000,
	CLOSED_MS = 60 * 1000, /* after a GOAWAY about the credential */
	STALL_MS = 2 * 1000,   /* without an answer */
	BURST = 32, /* requests in a row on one connection, for full records */
	HOST_MAX_BYTES = 256,
	CODED_MAX_BYTES = 16 * 1024,
};

struct conn {
	struct pool *pool;
	struct http2 *http2; /* owned; NULL: the place is free */
	uint64_t no;         /* 1 for the pool's first connection */
	bool is_ready;
	bool is_retired;   /* takes no more; its place may be taken over */
	bool has_answered; /* proved that it is good for something */
};

struct pool {
	const struct pool_setup *setup;
	struct credential *credential;
	struct pool_counts *counts;
	char authority[HOST_MAX_BYTES];
	struct buf coded;          /* what every request says */
	struct token *coded_token; /* counted; that it says it with */
	struct conn *conns; /* owned; the second half of the places is for
	                       replacements of those that are retired */
	size_t places;
	struct conn *current;
	size_t burst;
	uint64_t last_no;
	size_t connecting;
	size_t ready;
	struct breaker breaker;
	struct pace pace;
	uint64_t put_off;
	int failures; /* to connect, in a row */
	int64_t next_connect_mono_ms;
	struct flight_list waiting;
	size_t streams;        /* in flight on all connections */
	int64_t heard_mono_ms; /* last answer, or first request after a pause */
	bool is_pumping;
};

/* --- the breaker ------------------------------------------------------------------ */

static void pool_tell(struct pool *p, enum breaker_event event)
{
	const struct breaker *b = &p->breaker;

	if (event == BREAKER_RECOVERED) {
		pace_restart(&p->pace);
	}
	if (event == BREAKER_OPENED) {
		log_error("%s: breaker open: %s; a probe in %lld ms",
			p->authority, reason_row(b->reason)->name,
			(long long)breaker_wait_ms(b, clock_mono_ms()));
	} else if (event == BREAKER_RECOVERED) {
		log_warn("%s: breaker closed: the probe was answered",
			p->authority);
	}
}

void pool_good(struct pool *p)
{
	pool_tell(p, breaker_good(&p->breaker));
}

void pool_bad(struct pool *p)
{
	pool_tell(p, breaker_bad(&p->breaker, clock_mono_ms()));
}

void pool_break(struct pool *p, enum reason reason, int64_t for_ms)
{
	bool is_news = p->breaker.state != BREAKER_OPEN;

	breaker_open(&p->breaker, reason, clock_mono_ms() + for_ms);
	pool_tell(p, is_news ? BREAKER_OPENED : BREAKER_SAME);
}

bool pool_is_broken(const struct pool *p)
{
	return p->breaker.state != BREAKER_CLOSED;
}

/* --- obstacles ------------------------------------------------------------------ */

/* Why nothing can be sent, if that will not pass at once. */
struct obstacle {
	enum reason reason; /* REASON_NONE: no such obstacle */
	int64_t after_ms;
	bool is_waiting; /* for a token or a connection that is coming */
};

static struct obstacle obstacle_until(
	enum reason reason, int64_t until_mono_ms, int64_t now_mono_ms)
{
	int64_t left = until_mono_ms - now_mono_ms;

	return (struct obstacle){ reason,
		left > LEAST_RETRY_MS ? left : LEAST_RETRY_MS, false };
}

static struct obstacle pool_obstacle(struct pool *p, int64_t now)
{
	struct credential *c = p->credential;
	struct obstacle none = { REASON_NONE, 0, false };

	if (!breaker_lets(&p->breaker, now)) {
		return (struct obstacle){ p->breaker.reason,
			breaker_wait_ms(&p->breaker, now), false };
	}
	if (now < c->held_mono_ms) {
		return obstacle_until(REASON_THROTTLED, c->held_mono_ms, now);
	}
	switch (credential_token(c, clock_unix_ms(), now)) {
	case TOKEN_READY:
		break;
	case TOKEN_COMING:
		none.is_waiting = true;
		break;
	case TOKEN_FAILING:
		return obstacle_until(
			REASON_VENDOR_UNAVAILABLE, c->next_try_mono_ms, now);
	case TOKEN_REFUSED:
		return obstacle_until(
			REASON_VENDOR_CONFIG, c->next_try_mono_ms, now);
	}
	if (p->ready == 0) {
		/* One failure may be a hiccup: what waits may go on waiting. */
		if (p->failures > 1 && now < p->next_connect_mono_ms) {
			return obstacle_until(REASON_VENDOR_UNAVAILABLE,
				p->next_connect_mono_ms, now);
		}
		none.is_waiting = true;
	}
	return none;
}

static void pool_give_back(
	struct pool *p, struct flight *f, const struct obstacle *o)
{
	flight_remove(f);
	p->setup->events->on_unsent(
		p->setup->self, f, o->reason, backoff_jitter_ms(o->after_ms));
}

/* What has waited longer than it should; all of it when there is no room and
 * no answer comes that could make some, since what waits takes the place of
 * others. */
static void pool_expire(struct pool *p, const struct obstacle *o, int64_t now)
{
	static const struct obstacle late = { REASON_VENDOR_UNAVAILABLE,
		LEAST_RETRY_MS, false };
	bool is_stalled = p->streams > 0 && now - p->heard_mono_ms > STALL_MS;
	int64_t limit_ms = p->setup->wait_ms;

	if (o->is_waiting) {
		limit_ms = OBSTACLE_WAIT_MS;
	} else if (is_stalled) {
		limit_ms = -1;
	}
	while (p->waiting.first != NULL &&
		now - p->waiting.first->due_mono_ms > limit_ms) {
		pool_give_back(p, p->waiting.first, &late);
	}
}

/* --- sending ---------------------------------------------------------------------- */

static struct http2_field field_of(
	const char *name, struct span value, bool is_unindexed)
{
	return (struct http2_field){ span_of(name), value, is_unindexed };
}

/* What every request says with this token, coded when the token is new. */
static struct span pool_coded(struct pool *p, struct token *token)
{
	if (p->coded.len == 0 || token != p->coded_token) {
		const struct http2_field fields[] = {
			field_of(":method", span_of("POST"), false),
			field_of(":scheme", span_of("https"), false),
			field_of(":authority", span_of(p->authority), false),
			field_of("authorization",
				token != NULL ? token->text : span_of(""),
				true),
		};

		token_release(p->coded_token);
		p->coded_token = token_hold(token);
		buf_reset(&p->coded);
		http2_code(&p->coded, fields, token != NULL ? 4 : 3);
	}
	return (struct span){ p->coded.data, p->coded.len };
}

static void conn_submit(struct conn *conn, struct flight *f)
{
	struct pool *p = conn->pool;
	struct http2_request *q = &f->http;
	const struct request *req = f->request;
	struct http2_field fields[HTTP2_FIELDS_MAX];
	struct http2_head head = {
		.path = { req->path.data, req->path.len },
		.fields = fields,
	};

	if (f->token != p->credential->token) {
		token_release(f->token);
		f->token = token_hold(p->credential->token);
	}
	head.coded = pool_coded(p, f->token);
	for (size_t i = 0; i < req->header_count; i++) {
		fields[head.field_count++] = field_of(req->headers[i].name,
			request_value(req, i), req->headers[i].is_unindexed);
	}
	q->body = (struct span){ req->body.data, req->body.len };
	f->tries++;
	f->last_conn_no = conn->no;
	if (p->streams++ == 0) {
		p->heard_mono_ms = clock_rough_mono_ms();
	}
	http2_submit(conn->http2, q, &head);
}

static bool conn_has_room(const struct conn *conn, const struct flight *f)
{
	return conn->is_ready && !conn->is_retired &&
	       http2_has_room(conn->http2, f->body_bytes);
}

/* The least busy connection with room, for some requests in a row; one that
 * has not just failed this flight, if there is another. */
static struct conn *pool_pick(struct pool *p, const struct flight *f)
{
	struct conn *best = NULL;
	struct conn *avoided = NULL;

	if (p->streams >= p->setup->share) {
		return NULL;
	}
	if (p->burst > 0 && p->current->no != f->last_conn_no &&
		conn_has_room(p->current, f)) {
		p->burst--;
		return p->current;
	}
	for (size_t i = 0; i < p->places; i++) {
		struct conn *conn = &p->conns[i];

		if (!conn_has_room(conn, f)) {
			continue;
		}
		if (conn->no == f->last_conn_no) {
			avoided = conn;
		} else if (best == NULL ||
			   http2_in_flight(conn->http2) <
				   http2_in_flight(best->http2)) {
			best = conn;
		}
	}
	if (best == NULL) {
		return avoided;
	}
	p->current = best;
	p->burst = BURST;
	return best;
}

static void pool_connect(struct pool *p);

void pool_pump(struct pool *p)
{
	int64_t now = clock_rough_mono_ms();
	struct obstacle o;
	bool is_paced = false;

	if (p->waiting.first == NULL || p->is_pumping) {
		return;
	}
	p->is_pumping = true;
	o = pool_obstacle(p, now);
	while (p->waiting.first != NULL) {
		struct flight *f = p->waiting.first;
		struct conn *conn;

		if (o.reason != REASON_NONE) {
			pool_give_back(p, f, &o);
			continue;
		}
		if (!o.is_waiting &&
			!pace_lets(&p->pace, &p->setup->pace, now)) {
			is_paced = true;
			break;
		}
		conn = o.is_waiting ? NULL : pool_pick(p, f);
		if (conn == NULL) {
			break;
		}
		flight_remove(f);
		if (p->setup->events->on_sending(p->setup->self, f)) {
			conn_submit(conn, f);
			breaker_sent(&p->breaker);
			pace_sent(&p->pace);
			if (p->breaker.has_probe) {
				o = pool_obstacle(p, now);
			}
		}
	}
	pool_expire(p, &o, now);
	/* As many at once as there are good ones: one, one, two, four. */
	if (p->waiting.first != NULL && !is_paced &&
		now >= p->next_connect_mono_ms &&
		(p->connecting == 0 || p->connecting < p->ready)) {
		pool_connect(p);
	}
	p->is_pumping = false;
}

/* What would have to wait for long because of the rate leaves, so that it does
 * not take the room of other credentials' records. */
static bool pool_puts_off(struct pool *p, struct flight *f, int64_t now)
{
	const struct pace_limit *limit = &p->setup->pace;

	if (f->tries > 0 || !pace_is_long(&p->pace, limit,
				    (int64_t)p->waiting.count, now)) {
		return false;
	}
	p->put_off++;
	p->setup->events->on_unsent(p->setup->self, f, REASON_THROTTLED,
		pace_put_off_ms(&p->pace, limit, now));
	return true;
}

void pool_send(struct pool *p, struct flight *f)
{
	f->due_mono_ms = clock_rough_mono_ms();
	if (pool_puts_off(p, f, f->due_mono_ms)) {
		return;
	}
	if (f->last_conn_no != 0) {
		flight_prepend(&p->waiting, f);
	} else {
		flight_append(&p->waiting, f);
	}
	pool_pump(p);
}

bool pool_take_back(struct pool *p, struct flight *f)
{
	if (f->http.conn != NULL) {
		p->streams--;
		breaker_unknown(&p->breaker);
		return http2_cancel(&f->http);
	}
	flight_remove(f);
	return false;
}

struct flight *pool_first_waiting(const struct pool *p)
{
	return p->waiting.first;
}

/* --- connections -------------------------------------------------------------------- */

static void conn_on_ready(void *self)
{
	struct conn *conn = self;
	struct pool *p = conn->pool;

	conn->is_ready = true;
	p->connecting--;
	p->ready++;
	p->counts->connects++;
	log_debug("%s: connection %llu is open: %zu streams", p->authority,
		(unsigned long long)conn->no, http2_stream_limit(conn->http2));
	pool_pump(p);
}

static void conn_on_end(void *self, struct http2_request *q, enum http2_end end)
{
	struct conn *conn = self;
	struct pool *p = conn->pool;

	p->streams--;
	if (end == HTTP2_ANSWERED) {
		conn->has_answered = true;
		p->failures = 0;
		p->heard_mono_ms = clock_rough_mono_ms();
	} else {
		breaker_unknown(&p->breaker);
	}
	p->setup->events->on_end(p->setup->self, q->self, end);
}

static void conn_on_written(void *self, struct http2_request *q)
{
	struct conn *conn = self;
	struct pool *p = conn->pool;

	p->setup->events->on_written(p->setup->self, q->self);
}

static void conn_on_room(void *self)
{
	struct conn *conn = self;

	pool_pump(conn->pool);
}

static void conn_on_goaway(void *self, uint32_t code, struct span debug)
{
	struct conn *conn = self;
	struct pool *p = conn->pool;
	const struct vendor *v = p->setup->vendor;

	conn->is_retired = true;
	p->counts->goaways++;
	if (code != 0 || debug.len > 0) {
		log_warn("%s: GOAWAY with code %u: %.*s", p->authority, code,
			(int)debug.len, debug.ptr != NULL ? debug.ptr : "");
	}
	if (v->goaway != NULL && debug.len > 0 &&
		v->goaway(debug)->action == ANSWER_CLOSE_CREDENTIAL) {
		pool_break(p, REASON_VENDOR_CONFIG, CLOSED_MS);
	}
	pool_pump(p); /* on another connection */
}

static void pool_count_failure(struct pool *p)
{
	p->failures++;
	p->next_connect_mono_ms = clock_mono_ms() + backoff_ms(p->failures);
}

static void conn_on_closed(void *self, const struct err *err)
{
	struct conn *conn = self;
	struct pool *p = conn->pool;

	if (!conn->is_ready) {
		p->connecting--;
		p->counts->connect_failures++;
		log_warn("%s: cannot connect: %s", p->authority,
			err != NULL ? err->text : "closed by the server");
	} else {
		p->ready--;
		if (err != NULL) {
			p->counts->lost++;
			log_info("%s: connection %llu lost: %s", p->authority,
				(unsigned long long)conn->no, err->text);
		}
	}
	/* One that never answered is as good as none. */
	if (!conn->has_answered) {
		pool_count_failure(p);
	}
	http2_free(conn->http2);
	conn->http2 = NULL;
	conn->is_ready = false;
	if (p->current == conn) {
		p->burst = 0;
	}
	pool_pump(p);
}

static const struct http2_events conn_events = {
	.on_ready = conn_on_ready,
	.on_written = conn_on_written,
	.on_end = conn_on_end,
	.on_room = conn_on_room,
	.on_goaway = conn_on_goaway,
	.on_closed = conn_on_closed,
};

/* Opens one more if there is a place. */
static void pool_connect(struct pool *p)
{
	const struct http2_target target = {
		.url = p->setup->url,
		.ca_file = p->setup->ca_file,
		.identity = p->credential->certificate,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.ping_ms = p->setup->ping_ms,
		.streams_max = p->setup->streams,
	};

	struct conn *conn = NULL;
	size_t used = 0;

	for (size_t i = 0; i < p->places; i++) {
		if (p->conns[i].http2 == NULL) {
			conn = &p->conns[i];
		} else if (!p->conns[i].is_retired) {
			used++;
		}
	}
	if (conn == NULL || used >= p->setup->connections) {
		return;
	}
	*conn = (struct conn){ .pool = p, .no = ++p->last_no };
	p->connecting++;
	conn->http2 = http2_open(p->setup->loop, &target, &conn_events, conn);
}

static struct conn *pool_conn(struct pool *p, uint64_t no)
{
	for (size_t i = 0; i < p->places; i++) {
		if (p->conns[i].http2 != NULL && p->conns[i].no == no) {
			return &p->conns[i];
		}
	}
	return NULL;
}

void pool_retire(struct pool *p, const struct flight *f)
{
	struct conn *conn = pool_conn(p, f->last_conn_no);

	if (conn != NULL) {
		conn->is_retired = true;
		http2_finish(conn->http2);
	}
}

void pool_suspect(struct pool *p, const struct flight *f)
{
	struct conn *conn = pool_conn(p, f->last_conn_no);

	if (conn != NULL) {
		http2_ping(conn->http2);
	}
}

/* --- life --------------------------------------------------------------------------- */

/* Host and port as :authority wants them; the default port is left out. */
static void pool_set_authority(struct pool *p, const char *url)
{
	const char *host = strstr(url, "://");
	size_t len;

	host = host != NULL ? host + 3 : url;
	len = strcspn(host, "/");
	if (len > 4 && memcmp(host + len - 4, ":443", 4) == 0) {
		len -= 4;
	}
	if (fmt_into(p->authority, sizeof(p->authority), "%.*s", (int)len,
		    host) != 0) {
		BUG("host name too long"); /* checked when it was configured */
	}
}

void pool_move(struct pool *p)
{
	for (size_t i = 0; i < p->places; i++) {
		struct conn *conn = &p->conns[i];

		if (conn->http2 == NULL) {
			continue;
		}
		if (conn->is_ready) {
			conn->is_retired = true;
			conn->has_answered = true; /* its end is no failure */
			http2_finish(conn->http2);
		} else {
			http2_free(conn->http2);
			conn->http2 = NULL;
			p->connecting--;
		}
	}
	p->burst = 0;
	p->failures = 0;
	p->next_connect_mono_ms = 0;
	pool_set_authority(p, p->setup->url);
	buf_reset(&p->coded); /* it names the old one */
	pool_pump(p);
}

struct pool *pool_new(const struct pool_setup *setup, struct credential *c,
	struct pool_counts *counts)
{
	struct pool *p = mem_array(1, sizeof(*p));

	p->setup = setup;
	p->credential = c;
	p->counts = counts;
	p->places = 2 * setup->connections;
	p->conns = mem_array(p->places, sizeof(*p->conns));
	pool_set_authority(p, setup->url);
	buf_init(&p->coded, CODED_MAX_BYTES);
	return p;
}

void pool_free(struct pool *p)
{
	if (p == NULL) {
		return;
	}
	for (size_t i = 0; i < p->places; i++) {
		http2_free(p->conns[i].http2);
	}
	token_release(p->coded_token);
	buf_release(&p->coded);
	mem_free(p->conns);
	mem_free(p);
}

size_t pool_connections(const struct pool *p)
{
	return p->ready;
}

size_t pool_streams(const struct pool *p)
{
	return p->streams;
}

size_t pool_waiting(const struct pool *p)
{
	return p->waiting.count;
}

uint64_t pool_put_off(const struct pool *p)
{
	return p->put_off;
}
