/*
 * The bytes of a connection.  Those out are packed: what nghttp2 has to send is
 * put together to one full TLS record and written with one call.  Those in are
 * read until there are none, then the caller may submit more, then all is
 * flushed.
 */
#include "net/http2_conn.h"

#include <nghttp2/nghttp2.h>

#include "base/clock.h"

enum { READS_PER_TURN = 64 /* then others have a turn */ };

/* --- reading --- */

static void http2_read(struct http2 *c)
{
	static char in[HTTP2_PACK_BYTES]; /* nothing stays in it */

	c->has_unread = false;
	for (int reads = 0; reads < READS_PER_TURN; reads++) {
		struct err err = { 0 };
		ssize_t n = tls_read(c->tls, in, sizeof(in), &err);
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
			c->session, (const uint8_t *)in, (size_t)n);
		if (used < 0) {
			http2_lose(c, nghttp2_strerror((int)used));
			return;
		}
	}
	c->has_unread =
		true; /* it may be inside TLS, where poll does not see it */
}

/* --- writing --- */

/* Has the next frame in `rest'; false when there is none. */
static bool http2_next_frame(struct http2 *c)
{
	const uint8_t *frame;
	ssize_t len = nghttp2_session_mem_send(c->session, &frame);

	if (len < 0) {
		http2_lose(c, nghttp2_strerror((int)len));
	}
	if (len <= 0) {
		return false;
	}
	c->rest = (struct span){ (const char *)frame, (size_t)len };
	if (c->packed != NULL) {
		c->rest = http2_head_frame(c, c->packed, c->rest);
		c->packed = NULL;
	}
	return true;
}

/* Fills out[] with what nghttp2 has to send. */
static void http2_pack(struct http2 *c)
{
	while (c->out_len < HTTP2_PACK_BYTES) {
		size_t room = HTTP2_PACK_BYTES - c->out_len;
		size_t n;

		if (c->rest.len == 0 && !http2_next_frame(c)) {
			return;
		}
		n = c->rest.len < room ? c->rest.len : room;
		memcpy(c->out + c->out_len, c->rest.ptr, n);
		c->out_len += n;
		c->rest.ptr += n;
		c->rest.len -= n;
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

/* Has requests submitted and writes them, a few at a time: what they are made
 * of is needed until then. */
static void http2_make_room(struct http2 *c)
{
	bool is_full;

	do {
		if (c->state == READY) {
			c->events->on_room(c->self);
		}
		is_full = c->heads_waiting >= HTTP2_UNPACKED_MAX;
		http2_flush(c);
	} while (is_full && c->heads_waiting < HTTP2_UNPACKED_MAX);
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

void http2_settle(struct http2 *c)
{
	c->is_busy = true;
	if (c->has_goaway) {
		c->has_goaway = false;
		c->events->on_goaway(c->self, c->goaway_code,
			(struct span){
				c->goaway_debug.data, c->goaway_debug.len });
	}
	http2_make_room(c);
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

/* --- the loop's callbacks --- */

void http2_on_flush_due(void *self)
{
	struct http2 *c = self;

	c->is_busy = true;
	if (c->has_unread) {
		http2_read(c);
	}
	http2_settle(c);
}

void http2_on_fd(void *self, int fd, unsigned ready)
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
