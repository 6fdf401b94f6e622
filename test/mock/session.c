/*
 * The HTTP/2 side of a connection, on libnghttp2: frames in become exchanges,
 * verdicts become frames.
 *
 * Nothing here closes the connection; callbacks only mark it, because the
 * session that calls must outlive the call.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "connection.h"

/* A stream that will get an answer has its exchange as user data.  Streams
 * that are not taken (after GOAWAY, or refused) have none. */

static struct exchange *stream_exchange(nghttp2_session *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2, id);
}

static void session_reset(
	struct connection *c, int32_t stream_id, uint32_t code)
{
	if (nghttp2_submit_rst_stream(
		    c->h2, NGHTTP2_FLAG_NONE, stream_id, code) != 0) {
		connection_doom(c);
	}
	connection_touch(c);
}

static void session_goaway(struct connection *c, const char *reason)
{
	char text[REASON_MAX_BYTES + 32];

	c->goaway_id = c->newest_id;
	if (reason[0] == '\0' || fmt_into(text, sizeof(text),
					 "{\"reason\":\"%s\"}", reason) != 0) {
		text[0] = '\0';
	}
	if (nghttp2_submit_goaway(c->h2, NGHTTP2_FLAG_NONE, c->goaway_id,
		    NGHTTP2_NO_ERROR, (const uint8_t *)text,
		    strlen(text)) != 0) {
		connection_doom(c);
	}
	connection_touch(c);
}

static int on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *self)
{
	struct connection *c = self;
	struct mock *m = c->mock;
	const struct orders *o = &m->control.of[c->vendor];
	struct progress *p = &m->progress[c->vendor];
	int32_t id = frame->hd.stream_id;

	if (frame->hd.type != NGHTTP2_HEADERS ||
		frame->headers.cat != NGHTTP2_HCAT_REQUEST ||
		(c->goaway_id >= 0 && id > c->goaway_id)) {
		return 0;
	}
	p->begun++;
	if (o->refuse_every > 0 && p->begun % o->refuse_every == 0) {
		session_reset(c, id, NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	struct exchange *x = connection_take_exchange(c);
	x->stream_id = id;
	if (nghttp2_session_set_stream_user_data(h2, id, x) != 0) {
		BUG("stream %d began but is not there", id);
	}
	c->newest_id = id;
	c->begun++;
	if (o->goaway_after > 0 && c->begun == o->goaway_after) {
		session_goaway(c, o->goaway_reason);
	}
	return 0;
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2's signature */
static int on_header(nghttp2_session *h2, const nghttp2_frame *frame,
	const uint8_t *name, size_t name_bytes, const uint8_t *value,
	size_t value_bytes, uint8_t flags, void *self)
{
	struct exchange *x = stream_exchange(h2, frame->hd.stream_id);

	(void)flags;
	(void)self;
	if (x == NULL || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
		return 0;
	}
	enum field f = field_of_name((const char *)name, name_bytes);
	if (f != FIELD_COUNT) {
		exchange_put_field(x, f, (const char *)value, value_bytes);
	}
	return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *self)
{
	bool is_head = frame->hd.type == NGHTTP2_HEADERS;

	(void)self;
	if (!is_head && frame->hd.type != NGHTTP2_DATA) {
		return 0;
	}
	struct exchange *x = stream_exchange(h2, frame->hd.stream_id);
	if (x == NULL) {
		return 0;
	}
	if (is_head && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		answer_head(x);
	}
	/* answer_head() may have refused the stream and dropped it. */
	x = stream_exchange(h2, frame->hd.stream_id);
	if (x != NULL && !x->is_judged &&
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
		answer_request(x);
	}
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id,
	const uint8_t *ptr, size_t len, void *self)
{
	struct exchange *x = stream_exchange(h2, id);

	(void)flags;
	(void)self;
	if (x != NULL && !x->is_judged) {
		buf_put(&x->body, ptr, len);
	}
	return 0;
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *self)
{
	struct exchange *x = stream_exchange(h2, id);

	(void)code;
	(void)self;
	if (x == NULL) {
		return 0;
	}
	connection_drop_exchange(x);
	return 0;
}

static int on_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *self)
{
	struct connection *c = self;
	struct tally *t = c->mock->tally;

	if (frame->hd.type == NGHTTP2_GOAWAY) {
		tally_event(t, c->vendor, TALLY_GOAWAY);
		c->is_last_word = c->mock->control.of[c->vendor].is_goaway_hard;
		return 0;
	}
	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		if (frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM) {
			tally_event(t, c->vendor, TALLY_REFUSED);
		}
		return 0;
	}
	if ((frame->hd.type != NGHTTP2_HEADERS &&
		    frame->hd.type != NGHTTP2_DATA) ||
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
		return 0;
	}
	struct exchange *x = stream_exchange(h2, frame->hd.stream_id);
	if (x == NULL) {
		return 0;
	}
	x->is_answered = true;
	if (x->is_early && nghttp2_session_get_stream_remote_close(
				   h2, x->stream_id) == 0) {
		/* RFC 9113 section 8.1: a server that has answered all may ask
		 * the client to stop sending. */
		session_reset(c, x->stream_id, NGHTTP2_NO_ERROR);
	}
	return 0;
}

static int on_invalid(
	nghttp2_session *h2, const nghttp2_frame *frame, int code, void *self)
{
	struct connection *c = self;

	(void)h2;
	log_info("connection %llu: invalid frame of type %d: %s",
		(unsigned long long)c->peer.number, frame->hd.type,
		nghttp2_strerror(code));
	return 0;
}

static nghttp2_session_callbacks *callbacks_new(void)
{
	nghttp2_session_callbacks *cb = NULL;

	if (nghttp2_session_callbacks_new(&cb) != 0) {
		return NULL;
	}
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
		cb, on_invalid);
	return cb;
}

/* The control file comes before the option, that before the vendor's custom. */
static uint32_t limit_now(const struct connection *c)
{
	const struct mock *m = c->mock;
	const struct vendor *v = &m->vendors[c->vendor];
	uint64_t ordered = m->control.of[c->vendor].stream_limit;
	uint32_t first = (uint32_t)m->first_streams;
	uint32_t full = v->stream_limit;

	if (ordered > 0) {
		full = ordered < INT32_MAX ? (uint32_t)ordered : INT32_MAX;
	} else if (m->stream_limit > 0) {
		full = (uint32_t)m->stream_limit;
	}
	if (v->has_probation && !c->peer.is_trusted && first < full) {
		return first;
	}
	return full;
}

static void session_limit(struct connection *c)
{
	const nghttp2_settings_entry limit = {
		NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		limit_now(c),
	};

	c->is_unlimited = c->peer.is_trusted;
	if (nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, &limit, 1) != 0) {
		connection_doom(c);
	}
	connection_touch(c);
}

static int session_read(struct connection *c, const uint8_t *ptr, size_t len)
{
	ssize_t n = nghttp2_session_mem_recv(c->h2, ptr, len);

	if (n < 0) {
		log_info("connection %llu: %s",
			(unsigned long long)c->peer.number,
			nghttp2_strerror((int)n));
		return -1;
	}
	connection_touch(c);
	return 0;
}

/* Whether these bytes, which begin with a frame's head, end a stream. */
static bool ends_stream(const uint8_t *ptr, size_t len)
{
	return len >= 9 &&
	       (ptr[3] == NGHTTP2_HEADERS || ptr[3] == NGHTTP2_DATA) &&
	       (ptr[4] & NGHTTP2_FLAG_END_STREAM) != 0;
}

static int session_fill(struct connection *c)
{
	while (c->out_bytes < sizeof(c->out) && !c->is_last_word) {
		bool is_last = false;
		if (c->rest_bytes == 0) {
			ssize_t n = nghttp2_session_mem_send(c->h2, &c->rest);
			if (n < 0) {
				return -1;
			}
			if (n == 0) {
				break;
			}
			c->rest_bytes = (size_t)n;
			is_last = ends_stream(c->rest, c->rest_bytes);
		}
		size_t room = sizeof(c->out) - c->out_bytes;
		size_t n = c->rest_bytes < room ? c->rest_bytes : room;
		memcpy(c->out + c->out_bytes, c->rest, n);
		c->out_bytes += n;
		c->rest += n;
		c->rest_bytes -= n;
		if (c->rest_bytes == 0 && c->is_last_word) {
			break;
		}
		if (is_last && c->mock->is_record_each) {
			break;
		}
	}
	return 0;
}

static void session_close(struct connection *c)
{
	while (c->exchanges != NULL) {
		connection_drop_exchange(c->exchanges);
	}
	nghttp2_session_del(c->h2);
	c->h2 = NULL;
}

static bool session_is_over(const struct connection *c)
{
	return c->rest_bytes == 0 && c->out_bytes == 0 &&
	       nghttp2_session_want_read(c->h2) == 0 &&
	       nghttp2_session_want_write(c->h2) == 0;
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2's signature */
static ssize_t read_answer(nghttp2_session *h2, int32_t id, uint8_t *dst,
	size_t room, uint32_t *flags, nghttp2_data_source *source, void *self)
{
	struct exchange *x = source->ptr;
	size_t left = x->answer.len - x->answer_sent_bytes;
	size_t n = left < room ? left : room;

	(void)h2;
	(void)id;
	(void)self;
	memcpy(dst, x->answer.data + x->answer_sent_bytes, n);
	x->answer_sent_bytes += n;
	if (x->answer_sent_bytes == x->answer.len) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	}
	return (ssize_t)n;
}

/* Names and values stay where they are until the stream is closed. */
static nghttp2_nv field_of(const char *name, struct span value, uint8_t flags)
{
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name,
		.namelen = strlen(name),
		.value = (uint8_t *)(uintptr_t)value.ptr,
		.valuelen = value.len,
		.flags = (uint8_t)(flags | NGHTTP2_NV_FLAG_NO_COPY_NAME |
				   NGHTTP2_NV_FLAG_NO_COPY_VALUE),
	};
}

static void session_answer(struct exchange *x)
{
	const struct verdict *v = &x->verdict;
	struct connection *c = x->conn;
	const struct orders *o = &c->mock->control.of[c->vendor];
	nghttp2_nv fields[6];
	size_t count = 0;
	char text[24];

	struct span status = span_of("200");
	if (v->status != 200 &&
		fmt_into(text, sizeof(text), "%d", v->status) == 0) {
		status = exchange_note(x, text, strlen(text));
	}
	fields[count++] = field_of(":status", status, 0);
	if (x->answer_id_name != NULL && v->id.ptr != NULL) {
		fields[count++] = field_of(
			x->answer_id_name, v->id, NGHTTP2_NV_FLAG_NO_INDEX);
	}
	if (x->answer_type != NULL) {
		fields[count++] =
			field_of("content-type", span_of(x->answer_type), 0);
	}
	if (v->retry_after_s >= 0 &&
		fmt_into(text, sizeof(text), "%lld",
			(long long)v->retry_after_s) == 0) {
		fields[count++] = field_of(
			"retry-after", exchange_note(x, text, strlen(text)), 0);
	}
	if (v->rate_limits.ptr != NULL) {
		fields[count++] =
			field_of("x-sentry-rate-limits", v->rate_limits, 0);
	}
	/* Apple's answers have no date; with an order they do, so that clients
	 * can be tried with one. */
	if (c->mock->vendors[c->vendor].tells_date || o->clock_ahead_s > 0 ||
		o->clock_behind_s > 0) {
		fields[count++] = field_of("date", answer_date(x), 0);
	}
	nghttp2_data_provider body = {
		.source.ptr = x,
		.read_callback = read_answer,
	};
	if (nghttp2_submit_response(c->h2, x->stream_id, fields, count,
		    x->answer.len > 0 ? &body : NULL) != 0) {
		session_reset(c, x->stream_id, NGHTTP2_INTERNAL_ERROR);
	}
	if (c->peer.is_trusted && !c->is_unlimited) {
		session_limit(c);
	}
	connection_touch(c);
}

static const struct protocol http2 = {
	.read = session_read,
	.fill = session_fill,
	.close = session_close,
	.is_over = session_is_over,
	.limit = session_limit,
	.goaway = session_goaway,
	.reset = session_reset,
	.answer = session_answer,
};

int session_open(struct connection *c)
{
	nghttp2_session_callbacks *cb = callbacks_new();
	nghttp2_option *option = NULL;
	int rc = -1;

	if (cb == NULL || nghttp2_option_new(&option) != 0) {
		goto out;
	}
	/* Closed streams are of no use here and cost memory. */
	nghttp2_option_set_no_closed_streams(option, 1);
	if (nghttp2_session_server_new2(&c->h2, cb, c, option) != 0) {
		goto out;
	}
	c->protocol = &http2;
	session_limit(c);
	if (nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0,
		    (int32_t)c->mock->window_bytes) != 0) {
		goto out;
	}
	rc = 0;
out:
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	return rc;
}
