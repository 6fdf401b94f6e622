/* What nghttp2 is told and what it tells: settings, requests, answers. */
#include "net/http2_conn.h"

#include <nghttp2/nghttp2.h>

enum { WINDOW_BYTES = 1024 * 1024 /* ours, for the whole connection */ };

static struct http2_request *http2_request_of(
	nghttp2_session *session, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(session, stream_id);
}

/* --- answers --- */

static int http2_on_begin_headers(
	nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
	struct http2_request *q =
		http2_request_of(session, frame->hd.stream_id);

	(void)self;
	if (q != NULL && !q->has_head) {
		q->status = 0; /* an interim answer went before */
		http2_answer_free(q->answer);
		q->answer = NULL;
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
			struct http2_answer *a = http2_answer(q);

			memcpy(a->text[i], value, value_len);
			a->len[i] = (uint8_t)value_len;
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
		struct buf *body = &http2_answer(q)->body;
		size_t room = HTTP2_ANSWER_MAX_BYTES - body->len;

		buf_put(body, data, len < room ? len : room);
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
			http2_greeted(c);
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

/* --- requests --- */

static int http2_on_frame_packed(
	nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
	struct http2 *c = self;
	struct http2_request *q;

	if (frame->hd.type == NGHTTP2_HEADERS) {
		q = http2_request_of(session, frame->hd.stream_id);
		if (q != NULL) {
			q->write_no = c->write_no;
			c->packed = q;
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

int32_t http2_session_submit(
	struct http2 *c, struct http2_request *q, const struct http2_head *head)
{
	nghttp2_nv nv[HTTP2_FIELDS_MAX];
	size_t count = 0;
	const nghttp2_data_provider body = {
		.read_callback = http2_on_body_wanted,
	};

	if (head->field_count > HTTP2_FIELDS_MAX) {
		BUG("a request of %zu fields", head->field_count);
	}
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http2_field *f = &head->fields[i];

		if (f->is_unindexed) {
			continue; /* ours to code */
		}
		nv[count++] = (nghttp2_nv){
			.name = (uint8_t *)f->name.ptr,
			.value = (uint8_t *)f->value.ptr,
			.namelen = f->name.len,
			.valuelen = f->value.len,
			.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME |
				 NGHTTP2_NV_FLAG_NO_COPY_VALUE,
		};
	}
	http2_head_put(c, q, head);
	return nghttp2_submit_request(
		c->session, NULL, nv, count, q->body.len > 0 ? &body : NULL, q);
}

/* --- opening --- */

/* NULL when there is no memory. */
static nghttp2_session *http2_session(struct http2 *c)
{
	nghttp2_mem memory = {
		.mem_user_data = &c->cells,
		.malloc = cells_malloc,
		.free = cells_free,
		.calloc = cells_calloc,
		.realloc = cells_realloc,
	};
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
	(void)nghttp2_session_client_new3(
		&session, calls, c, NULL, &memory); /* NULL then */
	nghttp2_session_callbacks_del(calls);
	return session;
}

int http2_session_open(struct http2 *c)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};

	c->session = http2_session(c);
	return c->session == NULL ||
			       nghttp2_submit_settings(c->session,
				       NGHTTP2_FLAG_NONE, settings, 1) != 0 ||
			       nghttp2_session_set_local_window_size(c->session,
				       NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES) != 0
		       ? -1
		       : 0;
}
