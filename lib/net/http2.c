/* A connection's life: opened, used, watched, closed. */
#include "net/http2_conn.h"

#include <nghttp2/nghttp2.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	WATCH_MS = 1000,             /* how often we look for silence */
	BUSY_QUIET_MS = 3000,        /* silence that is odd with requests out */
	PING_ANSWER_MS = 5 * 1000,   /* no answer for so long: lost */
	STREAM_ID_LAST = 0x40000000, /* long before they run out: replaced */
};

/* --- requests --- */

void http2_request_init(struct http2_request *q)
{
	*q = (struct http2_request){ .conn = NULL };
}

struct http2_answer *http2_answer(struct http2_request *q)
{
	if (q->answer == NULL) {
		q->answer = mem_alloc(sizeof(*q->answer));
		buf_init(&q->answer->body, HTTP2_ANSWER_MAX_BYTES);
		memset(q->answer->len, 0, sizeof(q->answer->len));
	}
	return q->answer;
}

void http2_answer_free(struct http2_answer *a)
{
	if (a != NULL) {
		buf_release(&a->body);
		mem_free(a);
	}
}

struct span http2_body(const struct http2_request *q)
{
	if (q->answer == NULL) {
		return (struct span){ NULL, 0 };
	}
	return (struct span){ q->answer->body.data, q->answer->body.len };
}

struct span http2_value(const struct http2_request *q, enum http2_value which)
{
	if (q->answer == NULL || q->answer->len[which] == 0) {
		return (struct span){ NULL, 0 };
	}
	return (struct span){ q->answer->text[which], q->answer->len[which] };
}

void http2_link(struct http2 *c, struct http2_request *q)
{
	q->conn = c;
	q->prev = NULL;
	q->next = c->first;
	if (c->first != NULL) {
		c->first->prev = q;
	}
	c->first = q;
	c->in_flight++;
	c->body_waiting_bytes += q->body.len;
}

void http2_unlink(struct http2_request *q)
{
	struct http2 *c = q->conn;

	if (q->prev != NULL) {
		q->prev->next = q->next;
	} else {
		c->first = q->next;
	}
	if (q->next != NULL) {
		q->next->prev = q->prev;
	}
	c->in_flight--;
	c->body_waiting_bytes -= q->body.len - q->body_sent_bytes;
	http2_head_drop(c, q);
	q->conn = NULL;
}

/* Each write is one TLS record: written whole, or the server cannot read it. */
static bool http2_is_written(const struct http2_request *q)
{
	return q->write_no != 0 && q->write_no < q->conn->write_no;
}

void http2_end(struct http2_request *q, uint32_t error_code)
{
	struct http2 *c = q->conn;
	struct http2_answer *answer = q->answer;
	enum http2_end end = HTTP2_UNKNOWN;

	if (q->has_head) {
		end = HTTP2_ANSWERED;
	} else if (!http2_is_written(q) || q->stream_id > c->goaway_last_id) {
		end = HTTP2_UNPROCESSED;
	} else if (error_code == NGHTTP2_REFUSED_STREAM) {
		end = HTTP2_REFUSED;
	}
	http2_unlink(q);
	c->events->on_end(c->self, q, end); /* may submit it again */
	http2_answer_free(answer);
}

/* --- the connection's state --- */

void http2_wake(struct http2 *c)
{
	if (!c->is_busy && !loop_timer_is_set(&c->flush)) {
		loop_timer_set(c->loop, &c->flush, 0, http2_on_flush_due, c);
	}
}

void http2_lose(struct http2 *c, const char *why)
{
	if (c->state == CLOSING) {
		return;
	}
	(void)err_set(&c->err, 0, "%s", why);
	c->is_lost = true;
	c->state = CLOSING;
}

void http2_end_all(struct http2 *c)
{
	loop_timer_stop(c->loop, &c->flush);
	loop_timer_stop(c->loop, &c->deadline);
	loop_unwatch(c->watch);
	c->watch = NULL;
	while (c->first != NULL) {
		http2_end(c->first, NGHTTP2_NO_ERROR);
	}
	c->events->on_closed(c->self, c->is_lost ? &c->err : NULL);
}

/* --- the watchdog --- */

void http2_ping(struct http2 *c)
{
	if ((c->state != READY && c->state != FINISHING) ||
		c->ping_mono_ms != 0) {
		return;
	}
	if (nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL) != 0) {
		http2_lose(c, "cannot ask for a sign of life");
	}
	c->ping_mono_ms = clock_mono_ms();
	http2_wake(c);
}

/* Once a second: is the other side still there? */
static void http2_on_watch(void *self)
{
	struct http2 *c = self;
	int64_t now = clock_mono_ms();
	int64_t limit_ms = c->in_flight > 0 && BUSY_QUIET_MS < c->ping_ms
				   ? BUSY_QUIET_MS
				   : c->ping_ms;

	loop_timer_set(
		c->loop, &c->deadline, WATCH_MS * 1000, http2_on_watch, c);
	if (c->ping_mono_ms != 0 && c->quiet_mono_ms >= c->ping_mono_ms) {
		c->ping_mono_ms = 0; /* whatever was heard is a sign of life */
	}
	if (c->ping_mono_ms != 0 && now - c->ping_mono_ms > PING_ANSWER_MS) {
		http2_lose(c, "the server gives no sign of life");
		http2_wake(c);
	} else if (now - c->quiet_mono_ms > limit_ms) {
		http2_ping(c);
	}
}

void http2_greeted(struct http2 *c)
{
	if (c->state != GREETING) {
		return; /* a change: http2_has_room() looks each time */
	}
	c->state = READY;
	loop_timer_set(
		c->loop, &c->deadline, WATCH_MS * 1000, http2_on_watch, c);
	c->events->on_ready(c->self);
}

/* --- opening --- */

static void http2_greet(struct http2 *c)
{
	if (http2_session_open(c) != 0) {
		http2_lose(c, "no memory for the connection");
		return;
	}
	c->state = GREETING;
	c->watch =
		loop_watch(c->loop, tls_fd(c->tls), LOOP_READ, http2_on_fd, c);
}

static void http2_on_open(void *self, const struct err *err)
{
	struct http2 *c = self;

	if (err != NULL) {
		http2_lose(c, err->text);
	} else {
		http2_greet(c);
	}
	http2_settle(c);
}

static void http2_on_connect_late(void *self)
{
	struct http2 *c = self;

	http2_lose(c, c->state == CONNECTING ? "connecting took too long"
					     : "the server does not speak");
	http2_settle(c);
}

struct http2 *http2_open(struct loop *l, const struct http2_target *target,
	const struct http2_events *events, void *self)
{
	struct http2 *c = mem_array(1, sizeof(*c));
	const struct tls_target tls = {
		.url = target->url,
		.ca_file = target->ca_file,
		.identity = target->identity,
		.connect_timeout_ms = target->connect_timeout_ms,
	};

	c->loop = l;
	c->events = events;
	c->self = self;
	c->streams_max = target->streams_max;
	c->write_no = 1;
	c->goaway_last_id = INT32_MAX;
	c->ping_ms = target->ping_ms;
	buf_init(&c->goaway_debug, HTTP2_DEBUG_MAX_BYTES);
	buf_init(&c->heads, SIZE_MAX);
	buf_init(&c->head, 2 * HTTP2_PACK_BYTES);
	c->tls = tls_open(l, &tls, http2_on_open, c);
	loop_timer_set(l, &c->deadline, target->connect_timeout_ms * 1000,
		http2_on_connect_late, c);
	return c;
}

/* --- in use --- */

size_t http2_in_flight(const struct http2 *c)
{
	return c->in_flight;
}

size_t http2_stream_limit(const struct http2 *c)
{
	uint32_t theirs;

	if (c->state != READY) {
		return 0;
	}
	theirs = nghttp2_session_get_remote_settings(
		c->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	return theirs < c->streams_max ? theirs : c->streams_max;
}

bool http2_has_room(const struct http2 *c, size_t body_bytes)
{
	int32_t window;

	if (c->in_flight >= http2_stream_limit(c) ||
		c->heads_waiting >= HTTP2_UNPACKED_MAX) {
		return false;
	}
	/* A head without its body only occupies a stream. */
	window = nghttp2_session_get_remote_window_size(c->session);
	return c->in_flight == 0 ||
	       (window > 0 &&
		       (size_t)window >= c->body_waiting_bytes + body_bytes);
}

static void http2_request_reset(struct http2_request *q)
{
	q->status = 0;
	q->head_len = 0;
	q->body_sent_bytes = 0;
	q->write_no = 0;
	q->has_head = false;
	q->answer = NULL;
}

void http2_submit(
	struct http2 *c, struct http2_request *q, const struct http2_head *head)
{
	http2_request_reset(q);
	if (c->in_flight == 0) {
		c->quiet_mono_ms = clock_mono_ms();
	}
	http2_link(c, q);
	q->stream_id = http2_session_submit(c, q, head);
	if (q->stream_id < 0) {
		http2_lose(c, nghttp2_strerror(q->stream_id));
	} else if (q->stream_id > STREAM_ID_LAST && c->state == READY) {
		c->state = FINISHING;
	}
	http2_wake(c);
}

bool http2_cancel(struct http2_request *q)
{
	struct http2 *c = q->conn;
	bool is_written = http2_is_written(q);

	if (q->stream_id > 0) {
		(void)nghttp2_session_set_stream_user_data(
			c->session, q->stream_id, NULL);
		(void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE,
			q->stream_id, NGHTTP2_CANCEL);
	}
	http2_unlink(q);
	http2_answer_free(q->answer);
	q->answer = NULL;
	http2_wake(c);
	return is_written;
}

void http2_finish(struct http2 *c)
{
	if (c->state == READY) {
		c->state = FINISHING;
	} else if (c->state < READY) {
		c->state = CLOSING;
	}
	http2_wake(c);
}

void http2_close(struct http2 *c)
{
	c->state = CLOSING;
	http2_wake(c);
}

void http2_free(struct http2 *c)
{
	if (c == NULL) {
		return;
	}
	loop_timer_stop(c->loop, &c->flush);
	loop_timer_stop(c->loop, &c->deadline);
	loop_unwatch(c->watch);
	nghttp2_session_del(c->session);
	cells_release(&c->cells);
	tls_close(c->tls);
	buf_release(&c->goaway_debug);
	buf_release(&c->heads);
	buf_release(&c->head);
	mem_free(c);
}
