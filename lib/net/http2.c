/*
 * nghttp2 speaks on a TLS connection that libcurl opened (net/tls).
 *
 * Bytes out are packed: what nghttp2 has to send is put together to 16 KiB, one
 * full TLS record, and written with one call.  Bytes in are read until there
 * are none, then the caller may submit more, then all is flushed.
 *
 * nghttp2 calls back while it reads and writes; nothing is freed and no
 * connection is ended from in there, only marked, and settled by http2_settle(),
 * which each callback of the loop ends with.
 */
#include "net/http2.h"

#include <nghttp2/nghttp2.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"

enum {
	PACK_BYTES = 16 * 1024,      /* one TLS record */
	WINDOW_BYTES = 1024 * 1024,  /* ours, for the whole connection */
	READS_PER_TURN = 64,         /* then others have a turn */
	WATCH_MS = 1000,             /* how often we look for silence */
	BUSY_QUIET_MS = 3000,        /* silence that is odd with requests out */
	PING_ANSWER_MS = 5 * 1000,   /* no answer for so long: lost */
	STREAM_ID_LAST = 0x40000000, /* long before they run out: replaced */
};

/*
 * CONNECTING: TLS is being opened.
 * GREETING:   open; our settings are sent, the server's not yet here.
 * READY:      takes requests.
 * FINISHING:  takes no new ones (GOAWAY, http2_finish, ids used up); those in
 *             flight go on, and with the last of them it closes.
 * CLOSING:    lost or to be closed; ended by http2_settle().
 */
enum state { CONNECTING, GREETING, READY, FINISHING, CLOSING };

struct http2 {
	enum state state;
	struct loop *loop;
	const struct http2_events *events;
	void *self;
	struct tls *tls;             /* owned */
	struct loop_fd *watch;       /* owned */
	nghttp2_session *session;    /* owned; NULL while CONNECTING */
	struct http2_request *first; /* in flight, newest first */
	size_t in_flight;
	size_t streams_max;
	size_t body_waiting_bytes; /* of bodies submitted and not yet framed */

	struct loop_timer flush; /* due: bytes to write, or state to settle */
	struct loop_timer deadline; /* of connecting, then the watchdog's */
	int64_t ping_ms;
	int64_t quiet_mono_ms; /* since when nothing was heard */
	int64_t ping_mono_ms;  /* when we asked; 0: no question is open */
	bool is_busy;          /* http2_settle() will come: no need to wake */
	bool has_unread;       /* stopped reading to let others have a turn */

	bool is_write_blocked; /* out[] is offered again when writable */
	uint64_t write_no;     /* of the write that out[] will be, from 1 */
	size_t out_len;
	const uint8_t *rest; /* of a frame that did not fit; nghttp2's */
	size_t rest_len;
	struct err err; /* why CLOSING */
	bool is_lost;   /* err is set: not our wish */

	bool has_goaway; /* to be told */
	uint32_t goaway_code;
	int32_t goaway_last_id; /* streams above it are not processed */
	struct buf goaway_debug;

	char out[PACK_BYTES];
	char in[PACK_BYTES];
};

/* --- requests ------------------------------------------------------------- */

void http2_request_init(struct http2_request *q)
{
	*q = (struct http2_request){ 0 };
	buf_init(&q->answer, HTTP2_ANSWER_MAX_BYTES);
}

void http2_request_release(struct http2_request *q)
{
	buf_release(&q->answer);
}

struct span http2_value(const struct http2_request *q, enum http2_value which)
{
	if (q->value_len[which] == 0) {
		return (struct span){ NULL, 0 };
	}
	return (struct span){ q->values[which], q->value_len[which] };
}

static void http2_link(struct http2 *c, struct http2_request *q)
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

static void http2_unlink(struct http2_request *q)
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
	q->conn = NULL;
}

/* Each write is one TLS record: written whole, or the server cannot read it. */
static bool http2_is_written(const struct http2_request *q)
{
	return q->write_no != 0 && q->write_no < q->conn->write_no;
}

/* The one end of a request that is told. */
static void http2_end(struct http2_request *q, uint32_t error_code)
{
	struct http2 *c = q->conn;
	enum http2_end end = HTTP2_UNKNOWN;

	if (q->has_head) {
		end = HTTP2_ANSWERED;
	} else if (!http2_is_written(q) || q->stream_id > c->goaway_last_id) {
		end = HTTP2_UNPROCESSED;
	} else if (error_code == NGHTTP2_REFUSED_STREAM) {
		end = HTTP2_REFUSED;
	}
	http2_unlink(q);
	c->events->on_end(c->self, q, end);
}

/* --- the connection's state -------------------------------------------------- */

static void http2_on_flush_due(void *self);

/* Has http2_settle() and http2_flush() called on the next turn. */
static void http2_wake(struct http2 *c)
{
	if (!c->is_busy && !loop_timer_is_set(&c->flush)) {
		loop_timer_set(c->loop, &c->flush, 0, http2_on_flush_due, c);
	}
}

static void http2_lose(struct http2 *c, const char *why)
{
	if (c->state == CLOSING) {
		return;
	}
	(void)err_set(&c->err, 0, "%s", why);
	c->is_lost = true;
	c->state = CLOSING;
}

/* All that ends with the connection; `c' is gone if the caller frees it. */
static void http2_end_all(struct http2 *c)
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

/* --- reading ------------------------------------------------------------------- */

static void http2_read(struct http2 *c)
{
	c->has_unread = false;
	for (int reads = 0; reads < READS_PER_TURN; reads++) {
		struct err err = { 0 };
		ssize_t n = tls_read(c->tls, c->in, sizeof(c->in), &err);
		ssize_t used;

		if (n == TLS_AGAIN) {
			return;
		}
		if (n == 0 && c->state == FINISHING && c->in_flight == 0) {
			c->state = CLOSING; /* as both sides wanted */
			return;
		}
		if (n <= 0) {
			http2_lose(
				c, n == 0 ? "the server closed the connection"
					  : err.text);
			return;
		}
		c->quiet_mono_ms = clock_mono_ms();
		used = nghttp2_session_mem_recv(
			c->session, (const uint8_t *)c->in, (size_t)n);
		if (used < 0) {
			http2_lose(c, nghttp2_strerror((int)used));
			return;
		}
	}
	c->has_unread =
		true; /* it may be inside TLS, where poll does not see it */
}

/* --- writing ------------------------------------------------------------------- */

/* Fills out[] with what nghttp2 has to send. */
static void http2_pack(struct http2 *c)
{
	while (c->out_len < PACK_BYTES) {
		size_t room = PACK_BYTES - c->out_len;
		size_t n;

		if (c->rest_len == 0) {
			ssize_t len =
				nghttp2_session_mem_send(c->session, &c->rest);

			if (len < 0) {
				http2_lose(c, nghttp2_strerror((int)len));
			}
			if (len <= 0) {
				return;
			}
			c->rest_len = (size_t)len;
		}
		n = c->rest_len < room ? c->rest_len : room;
		memcpy(c->out + c->out_len, c->rest, n);
		c->out_len += n;
		c->rest += n;
		c->rest_len -= n;
	}
}

/* The server takes no more, but what it has said may still be here, the GOAWAY
 * above all that tells what it has not processed. */
static void http2_hear_out(struct http2 *c, const char *why)
{
	c->state = FINISHING;
	http2_read(c);
	http2_lose(c, why);
}

static void http2_flush(struct http2 *c)
{
	while (c->state != CLOSING && c->session != NULL &&
		!c->is_write_blocked) {
		struct err err = { 0 };
		ssize_t n;

		http2_pack(c);
		if (c->out_len == 0 || c->state == CLOSING) {
			return;
		}
		n = tls_write(c->tls, c->out, c->out_len, &err);
		if (n == TLS_AGAIN) {
			c->is_write_blocked = true;
			loop_events(c->watch, LOOP_READ | LOOP_WRITE);
		} else if (n < 0) {
			http2_hear_out(c, err.text);
		} else {
			c->write_no++;
			c->out_len -= (size_t)n;
			memmove(c->out, c->out + n, c->out_len);
		}
	}
}

/* A last word, so that the server does not take us for lost. */
static void http2_say_goodbye(struct http2 *c)
{
	if (nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR) ==
		0) {
		http2_flush(c);
	}
	c->state = CLOSING;
}

/* Tells what was marked, flushes, and ends the connection if its time has
 * come: `c' may be gone afterwards. */
static void http2_settle(struct http2 *c)
{
	c->is_busy = true;
	if (c->has_goaway) {
		c->has_goaway = false;
		c->events->on_goaway(c->self, c->goaway_code,
			(struct span){
				c->goaway_debug.data, c->goaway_debug.len });
	}
	if (c->state == READY) {
		c->events->on_room(c->self);
	}
	http2_flush(c);
	if (c->state == FINISHING && c->in_flight == 0) {
		http2_say_goodbye(c);
	}
	if (c->session != NULL && c->state != CLOSING &&
		nghttp2_session_want_read(c->session) == 0 &&
		nghttp2_session_want_write(c->session) == 0) {
		http2_lose(c, "the session has ended");
	}
	c->is_busy = false;
	if (c->state == CLOSING) {
		http2_end_all(c);
	} else if (c->has_unread) {
		http2_wake(c);
	}
}

/* --- the loop's callbacks --------------------------------------------------------- */

static void http2_on_flush_due(void *self)
{
	struct http2 *c = self;

	c->is_busy = true;
	if (c->has_unread) {
		http2_read(c);
	}
	http2_settle(c);
}

static void http2_on_fd(void *self, int fd, unsigned ready)
{
	struct http2 *c = self;

	(void)fd;
	c->is_busy = true;
	if ((ready & LOOP_WRITE) != 0) {
		c->is_write_blocked = false;
		loop_events(c->watch, LOOP_READ);
	}
	http2_read(c); /* TLS may want to read for a write, too */
	http2_settle(c);
}

/* --- nghttp2's callbacks ------------------------------------------------------------ */

static struct http2_request *http2_request_of(
	nghttp2_session *session, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int http2_on_begin_headers(
	nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
	struct http2_request *q =
		http2_request_of(session, frame->hd.stream_id);

	(void)self;
	if (q != NULL && !q->has_head) {
		q->status = 0; /* an interim answer went before */
		memset(q->value_len, 0, sizeof(q->value_len));
	}
	return 0;
}

static const char *const value_names[HTTP2_VALUE_COUNT] = {
	[HTTP2_VALUE_APNS_ID] = "apns-id",
	[HTTP2_VALUE_RETRY_AFTER] = "retry-after",
	[HTTP2_VALUE_DATE] = "date",
};

/* NOLINTNEXTLINE(readability-function-size): nghttp2's signature */
static int http2_on_header(nghttp2_session *session, const nghttp2_frame *frame,
	const uint8_t *name, size_t name_len, const uint8_t *value,
	size_t value_len, uint8_t flags, void *self)
{
	struct http2_request *q =
		http2_request_of(session, frame->hd.stream_id);
	struct span n = { (const char *)name, name_len };

	(void)flags;
	(void)self;
	if (q == NULL || q->has_head) {
		return 0; /* given up, or a trailer */
	}
	if (span_is(n, ":status") && value_len == 3) {
		/* nghttp2 has checked that these are three digits. */
		q->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 +
			    (value[2] - '0');
		return 0;
	}
	for (int i = 0; i < HTTP2_VALUE_COUNT; i++) {
		if (span_is(n, value_names[i]) &&
			value_len <= HTTP2_VALUE_MAX_BYTES) {
			memcpy(q->values[i], value, value_len);
			q->value_len[i] = (uint8_t)value_len;
		}
	}
	return 0;
}

static int http2_on_data(nghttp2_session *session, uint8_t flags,
	int32_t stream_id, const uint8_t *data, size_t len, void *self)
{
	struct http2_request *q = http2_request_of(session, stream_id);

	(void)flags;
	(void)self;
	if (q != NULL) {
		size_t room = HTTP2_ANSWER_MAX_BYTES - q->answer.len;

		buf_put(&q->answer, data, len < room ? len : room);
	}
	return 0;
}

/* The server has said all: that is the answer, even if it did not wait for the
 * whole body (RFC 9113 section 8.1). */
static void http2_on_answer_end(struct http2 *c, struct http2_request *q)
{
	int32_t id = q->stream_id;

	if (q->body_sent_bytes < q->body.len) {
		(void)nghttp2_submit_rst_stream(
			c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	}
	(void)nghttp2_session_set_stream_user_data(c->session, id, NULL);
	http2_end(q, NGHTTP2_NO_ERROR);
}

static void http2_on_watch(void *self);

static void http2_on_settings(struct http2 *c)
{
	if (c->state != GREETING) {
		return; /* a change: http2_has_room() looks each time */
	}
	c->state = READY;
	loop_timer_set(
		c->loop, &c->deadline, WATCH_MS * 1000, http2_on_watch, c);
	c->events->on_ready(c->self);
}

static void http2_on_goaway(struct http2 *c, const nghttp2_goaway *goaway)
{
	size_t len = goaway->opaque_data_len;

	if (c->state < FINISHING) {
		c->state = FINISHING;
	}
	c->has_goaway = true;
	c->goaway_code = goaway->error_code;
	c->goaway_last_id = goaway->last_stream_id;
	buf_reset(&c->goaway_debug);
	buf_put(&c->goaway_debug, goaway->opaque_data,
		len < HTTP2_DEBUG_MAX_BYTES ? len : HTTP2_DEBUG_MAX_BYTES);
}

static int http2_on_frame(
	nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
	struct http2 *c = self;
	struct http2_request *q;

	if (frame->hd.type == NGHTTP2_SETTINGS) {
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
			http2_on_settings(c);
		}
		return 0;
	}
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		http2_on_goaway(c, &frame->goaway);
		return 0;
	}
	if (frame->hd.type == NGHTTP2_PING) {
		return 0; /* that we heard it is the answer */
	}
	q = http2_request_of(session, frame->hd.stream_id);
	if (q == NULL) {
		return 0;
	}
	if (frame->hd.type == NGHTTP2_HEADERS && q->status >= 200) {
		q->has_head = true;
	}
	if ((frame->hd.type == NGHTTP2_HEADERS ||
		    frame->hd.type == NGHTTP2_DATA) &&
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
		q->has_head) {
		http2_on_answer_end(c, q);
	}
	return 0;
}

static int http2_on_stream_close(nghttp2_session *session, int32_t stream_id,
	uint32_t error_code, void *self)
{
	struct http2_request *q = http2_request_of(session, stream_id);

	(void)self;
	if (q != NULL) {
		http2_end(q, error_code);
	}
	return 0;
}

static int http2_on_frame_packed(
	nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
	struct http2 *c = self;
	struct http2_request *q;

	if (frame->hd.type == NGHTTP2_HEADERS) {
		q = http2_request_of(session, frame->hd.stream_id);
		if (q != NULL) {
			q->write_no = c->write_no;
		}
	}
	return 0;
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2's signature */
static ssize_t http2_on_body_wanted(nghttp2_session *session, int32_t stream_id,
	uint8_t *dst, size_t size, uint32_t *flags, nghttp2_data_source *source,
	void *self)
{
	struct http2 *c = self;
	struct http2_request *q = http2_request_of(session, stream_id);
	size_t left;
	size_t n;

	(void)source;
	if (q == NULL) {
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* given up */
	}
	left = q->body.len - q->body_sent_bytes;
	n = left < size ? left : size;
	if (n > 0) {
		memcpy(dst, q->body.ptr + q->body_sent_bytes, n);
	}
	q->body_sent_bytes += n;
	c->body_waiting_bytes -= n;
	if (n == left) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		q->body.ptr = NULL;
		if (c->events->on_written != NULL) {
			c->events->on_written(c->self, q);
		}
	}
	return (ssize_t)n;
}

/* --- opening ----------------------------------------------------------------------- */

/* NULL when there is no memory. */
static nghttp2_session *http2_session(struct http2 *c)
{
	nghttp2_session_callbacks *calls = NULL;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&calls) != 0) {
		return NULL;
	}
	nghttp2_session_callbacks_set_on_begin_headers_callback(
		calls, http2_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(
		calls, http2_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
		calls, http2_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(
		calls, http2_on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(
		calls, http2_on_stream_close);
	nghttp2_session_callbacks_set_before_frame_send_callback(
		calls, http2_on_frame_packed);
	(void)nghttp2_session_client_new(&session, calls, c); /* NULL then */
	nghttp2_session_callbacks_del(calls);
	return session;
}

static void http2_greet(struct http2 *c)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};

	c->session = http2_session(c);
	if (c->session == NULL ||
		nghttp2_submit_settings(
			c->session, NGHTTP2_FLAG_NONE, settings, 1) != 0 ||
		nghttp2_session_set_local_window_size(
			c->session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES) != 0) {
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
	c->tls = tls_open(l, &tls, http2_on_open, c);
	loop_timer_set(l, &c->deadline, target->connect_timeout_ms * 1000,
		http2_on_connect_late, c);
	return c;
}

/* --- in use ------------------------------------------------------------------------- */

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

	if (c->in_flight >= http2_stream_limit(c)) {
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
	q->body_sent_bytes = 0;
	q->write_no = 0;
	q->has_head = false;
	memset(q->value_len, 0, sizeof(q->value_len));
	buf_reset(&q->answer);
}

void http2_submit(struct http2 *c, struct http2_request *q,
	const struct http2_field *fields, size_t field_count)
{
	nghttp2_nv nv[HTTP2_FIELDS_MAX];
	const nghttp2_data_provider body = {
		.read_callback = http2_on_body_wanted,
	};

	if (field_count > HTTP2_FIELDS_MAX) {
		BUG("a request of %zu fields", field_count);
	}
	for (size_t i = 0; i < field_count; i++) {
		const struct http2_field *f = &fields[i];
		unsigned flags =
			NGHTTP2_NV_FLAG_NO_COPY_NAME |
			NGHTTP2_NV_FLAG_NO_COPY_VALUE |
			(f->is_unindexed ? NGHTTP2_NV_FLAG_NO_INDEX : 0U);

		nv[i] = (nghttp2_nv){
			.name = (uint8_t *)f->name.ptr,
			.value = (uint8_t *)f->value.ptr,
			.namelen = f->name.len,
			.valuelen = f->value.len,
			.flags = (uint8_t)flags,
		};
	}
	http2_request_reset(q);
	if (c->in_flight == 0) {
		c->quiet_mono_ms = clock_mono_ms();
	}
	http2_link(c, q);
	q->stream_id = nghttp2_submit_request(c->session, NULL, nv, field_count,
		q->body.len > 0 ? &body : NULL, q);
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
	http2_wake(c);
	return is_written;
}

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
	tls_close(c->tls);
	buf_release(&c->goaway_debug);
	mem_free(c);
}
