/* The connections of a pool: opened on demand, chosen for what is sent. */
#include "base/clock.h"
#include "base/log.h"
#include "vendor/backoff.h"
#include "vendor/pool_core.h"

enum {
	CONNECT_TIMEOUT_MS = 10 * 1000,
	CLOSED_MS = 60 * 1000, /* after a GOAWAY about the credential */
	BURST = 32, /* requests in a row on one connection, for full records */
};

/* --- sending --- */

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

void conn_submit(struct conn *conn, struct flight *f)
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
struct conn *pool_pick(struct pool *p, const struct flight *f)
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

/* --- what they tell --- */

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

void pool_connect(struct pool *p)
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
