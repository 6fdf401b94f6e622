/*
 * The head of a request as HPACK has it (RFC 7541).
 *
 * nghttp2 codes what may stand in its table of recent fields.  What is different
 * in each request, and what stays the same but must not be in a table (the
 * authorization), we code ourselves: as literals that touch no table, so that
 * nothing has to be kept in step, the latter once and not for each request.
 * nghttp2 makes the frame without them; they are put in when it is packed.
 */
#include "net/http2_conn.h"

#include <nghttp2/nghttp2.h>

#include "base/mem.h"

enum {
	FRAME_HEAD_BYTES = 9,
	FRAME_MAX_BYTES = 16 * 1024, /* each server takes that much */
	THEIRS_MAX_BYTES = 2 * 1024, /* what nghttp2 makes of it */
	KEPT_MAX_BYTES = 16 * 1024,  /* when no head waits */
	TABLE_BYTES = 4096,          /* as every connection begins */
	LITERAL = 0x10,              /* never indexed, not by others either */
	LITERAL_PATH = LITERAL | 4,  /* the name is the table's fourth */
	SIZE_UPDATE = 0x20,
	SIZE_UPDATE_MASK = 0xe0,
	SIZE_UPDATE_PREFIX = 0x1f,
};

/* A text's length, in the prefix of seven bits, and the text (5.1, 5.2). */
static void put_text(struct buf *b, struct span s)
{
	size_t n = s.len;

	if (n < 0x7f) {
		buf_putc(b, (char)n);
	} else {
		buf_putc(b, 0x7f);
		for (n -= 0x7f; n >= 0x80; n >>= 7) {
			buf_putc(b, (char)(0x80 | (n & 0x7f)));
		}
		buf_putc(b, (char)n);
	}
	buf_put(b, s.ptr, s.len);
}

void http2_code(
	struct buf *coded, const struct http2_field *fields, size_t field_count)
{
	nghttp2_hd_deflater *deflater = NULL;

	if (nghttp2_hd_deflate_new(&deflater, TABLE_BYTES) != 0) {
		BUG("no memory to code a head");
	}
	for (size_t i = 0; i < field_count; i++) {
		nghttp2_nv nv = {
			.name = (uint8_t *)fields[i].name.ptr,
			.value = (uint8_t *)fields[i].value.ptr,
			.namelen = fields[i].name.len,
			.valuelen = fields[i].value.len,
			.flags = NGHTTP2_NV_FLAG_NO_INDEX,
		};
		size_t room = nghttp2_hd_deflate_bound(deflater, &nv, 1);
		char *dst = buf_room(coded, room);
		ssize_t len = dst == NULL
				      ? 0
				      : nghttp2_hd_deflate_hd(deflater,
						(uint8_t *)dst, room, &nv, 1);

		if (len < 0) {
			BUG("cannot code a head: %s",
				nghttp2_strerror((int)len));
		}
		coded->len += (size_t)len;
	}
	nghttp2_hd_deflate_del(deflater);
}

/* What we code of this request, behind the heads that wait to be packed. */
void http2_head_put(
	struct http2 *c, struct http2_request *q, const struct http2_head *head)
{
	struct buf *b = &c->heads;

	q->head_at = (uint32_t)b->len; /* bounded, as the length below */
	buf_putc(b, LITERAL_PATH);
	put_text(b, head->path);
	buf_put(b, head->coded.ptr, head->coded.len);
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].is_unindexed) {
			buf_putc(b, LITERAL);
			put_text(b, head->fields[i].name);
			put_text(b, head->fields[i].value);
		}
	}
	q->head_len = (uint32_t)(b->len - q->head_at);
	if (buf_is_over(b) ||
		q->head_len > FRAME_MAX_BYTES - THEIRS_MAX_BYTES) {
		BUG("a head of %zu bytes", (size_t)q->head_len);
	}
	c->heads_waiting++;
}

void http2_head_drop(struct http2 *c, struct http2_request *q)
{
	if (q->head_len == 0) {
		return;
	}
	q->head_len = 0;
	if (--c->heads_waiting > 0) {
		return;
	}
	if (c->heads.cap > KEPT_MAX_BYTES) {
		buf_release(&c->heads);
	}
	buf_reset(&c->heads);
}

/* Length of the changes of the table's size, which must come first (4.2). */
static size_t size_updates(const uint8_t *p, size_t len)
{
	size_t at = 0;

	while (at < len && (p[at] & SIZE_UPDATE_MASK) == SIZE_UPDATE) {
		bool is_long =
			(p[at++] & SIZE_UPDATE_PREFIX) == SIZE_UPDATE_PREFIX;

		while (is_long && at < len) {
			is_long = (p[at++] & 0x80) != 0;
		}
	}
	return at;
}

struct span http2_head_frame(
	struct http2 *c, struct http2_request *q, struct span frame)
{
	struct buf *b = &c->head;
	size_t first =
		FRAME_HEAD_BYTES +
		size_updates((const uint8_t *)frame.ptr + FRAME_HEAD_BYTES,
			frame.len - FRAME_HEAD_BYTES);
	size_t len = frame.len - FRAME_HEAD_BYTES + q->head_len;

	buf_reset(b);
	buf_put(b, frame.ptr, first);
	buf_put(b, c->heads.data + q->head_at, q->head_len);
	buf_put(b, frame.ptr + first, frame.len - first);
	if (buf_is_over(b)) {
		BUG("a head of %zu bytes", len);
	}
	b->data[0] = (char)(len >> 16);
	b->data[1] = (char)(len >> 8);
	b->data[2] = (char)len;
	http2_head_drop(c, q);
	return (struct span){ b->data, b->len };
}
