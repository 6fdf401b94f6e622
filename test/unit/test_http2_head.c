/* Heads of requests: what we code and what nghttp2 codes is one HPACK block. */
#include <nghttp2/nghttp2.h>

#include "net/http2_conn.h"

#include "test.h"

enum { FRAME_HEAD_BYTES = 9, TEXT_BYTES = 4096 };

static struct http2_field field(const char *name, const char *value, bool own)
{
	return (struct http2_field){ span_of(name), span_of(value), own };
}

static void conn_init(struct http2 *c)
{
	*c = (struct http2){ .loop = NULL };
	buf_init(&c->heads, SIZE_MAX);
	buf_init(&c->head, (size_t)2 * HTTP2_PACK_BYTES);
}

static void conn_release(struct http2 *c)
{
	buf_release(&c->heads);
	buf_release(&c->head);
}

/* The HEADERS frame that nghttp2 makes of the fields that are not ours. */
static struct span frame_of(nghttp2_hd_deflater *deflater,
	const struct http2_head *head, uint8_t *dst, size_t size)
{
	nghttp2_nv nv[HTTP2_FIELDS_MAX];
	size_t count = 0;
	ssize_t len;

	for (size_t i = 0; i < head->field_count; i++) {
		const struct http2_field *f = &head->fields[i];

		if (!f->is_unindexed) {
			nv[count++] = (nghttp2_nv){
				.name = (uint8_t *)(uintptr_t)f->name.ptr,
				.value = (uint8_t *)(uintptr_t)f->value.ptr,
				.namelen = f->name.len,
				.valuelen = f->value.len,
			};
		}
	}
	memcpy(dst, "\0\0\0\1\4\0\0\0\1", FRAME_HEAD_BYTES);
	len = nghttp2_hd_deflate_hd(deflater, dst + FRAME_HEAD_BYTES,
		size - FRAME_HEAD_BYTES, nv, count);
	CHECK(len >= 0);
	return (struct span){ (const char *)dst,
		FRAME_HEAD_BYTES + (size_t)len };
}

/* What a server reads in the block: "name=value;..." */
static void read_block(
	nghttp2_hd_inflater *inflater, struct span frame, struct buf *text)
{
	const uint8_t *p = (const uint8_t *)frame.ptr + FRAME_HEAD_BYTES;
	size_t left = frame.len - FRAME_HEAD_BYTES;
	const unsigned char *h = (const unsigned char *)frame.ptr;
	int flags = 0;

	CHECK(((size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2]) == left);
	CHECK(memcmp(h + 3, "\1\4\0\0\0\1", 6) == 0);
	while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
		nghttp2_nv nv;
		ssize_t n = nghttp2_hd_inflate_hd2(
			inflater, &nv, &flags, p, left, 1);

		CHECK(n >= 0);
		p += n;
		left -= (size_t)n;
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
			buf_put(text, nv.name, nv.namelen);
			buf_putc(text, '=');
			buf_put(text, nv.value, nv.valuelen);
			buf_putc(text, ';');
		}
	}
	CHECK(left == 0);
	CHECK(nghttp2_hd_inflate_end_headers(inflater) == 0);
}

/* One connection's coder, the server's decoder and what it has read. */
struct wire {
	struct http2 c;
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater;
	struct buf text;
};

static void wire_init(struct wire *w)
{
	conn_init(&w->c);
	CHECK(nghttp2_hd_deflate_new(&w->deflater, 4096) == 0);
	CHECK(nghttp2_hd_inflate_new(&w->inflater) == 0);
	buf_init(&w->text, TEXT_BYTES);
}

static void wire_release(struct wire *w)
{
	conn_release(&w->c);
	nghttp2_hd_deflate_del(w->deflater);
	nghttp2_hd_inflate_del(w->inflater);
	buf_release(&w->text);
}

static bool wire_passes(
	struct wire *w, const struct http2_head *head, const char *expected)
{
	struct http2_request q = { .status = 0 };
	uint8_t frame[TEXT_BYTES];
	struct span made;

	http2_head_put(&w->c, &q, head);
	made = frame_of(w->deflater, head, frame, sizeof(frame));
	made = http2_head_frame(&w->c, &q, made);
	buf_reset(&w->text);
	read_block(w->inflater, made, &w->text);
	return span_is((struct span){ w->text.data, w->text.len }, expected);
}

static void the_server_reads_all_fields_pseudo_ones_first(void)
{
	const struct http2_field always[] = {
		field(":method", "POST", false),
		field("authorization", "bearer secret", true),
	};
	const struct http2_field own[] = {
		field("apns-topic", "com.example", false),
		field("apns-id", "7", true),
	};
	struct http2_head head = {
		.path = span_of("/3/device/ab"), .fields = own, .field_count = 2
	};
	const char *expected = ":path=/3/device/ab;:method=POST;"
			       "authorization=bearer secret;apns-id=7;"
			       "apns-topic=com.example;";
	struct buf coded;
	struct wire w;

	wire_init(&w);
	buf_init(&coded, TEXT_BYTES);
	http2_code(&coded, always, 2);
	head.coded = (struct span){ coded.data, coded.len };
	CHECK(wire_passes(&w, &head, expected));
	CHECK(wire_passes(&w, &head, expected)); /* now out of the table */
	wire_release(&w);
	buf_release(&coded);
}

static void what_repeats_goes_into_the_table_and_nothing_else(void)
{
	const struct http2_field own[] = {
		field("apns-topic", "com.example", false),
		field("apns-id", "7", true),
	};
	const struct http2_head head = {
		.path = span_of("/a"), .fields = own, .field_count = 2
	};
	struct wire w;

	wire_init(&w);
	CHECK(wire_passes(&w, &head,
		":path=/a;apns-id=7;"
		"apns-topic=com.example;"));
	CHECK(nghttp2_hd_deflate_get_num_table_entries(w.deflater) ==
		nghttp2_hd_inflate_get_num_table_entries(w.inflater));
	CHECK(nghttp2_hd_inflate_get_dynamic_table_size(w.inflater) ==
		strlen("apns-topic") + strlen("com.example") + 32);
	wire_release(&w);
}

static void long_texts_have_long_lengths(void)
{
	static const size_t lengths[] = { 126, 127, 128, 254, 255, 256, 1500 };
	struct wire w;

	wire_init(&w);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char path[2000] = "";
		char expected[2100];
		struct http2_head head = { .field_count = 0 };

		memset(path, 'x', lengths[i]);
		head.path = span_of(path);
		CHECK(fmt_into(expected, sizeof(expected), ":path=%s;", path) ==
			0);
		CHECK(wire_passes(&w, &head, expected));
	}
	wire_release(&w);
}

static void a_change_of_the_table_comes_first(void)
{
	const struct http2_field own[] = {
		field("apns-topic", "com.example", false),
	};
	const struct http2_head head = {
		.path = span_of("/a"), .fields = own, .field_count = 1
	};
	const char *expected = ":path=/a;apns-topic=com.example;";
	struct wire w;

	wire_init(&w);
	CHECK(wire_passes(&w, &head, expected));
	/* To nothing and back to much: two changes, one of several bytes. */
	CHECK(nghttp2_hd_deflate_change_table_size(w.deflater, 0) == 0);
	CHECK(nghttp2_hd_deflate_change_table_size(w.deflater, 4000) == 0);
	CHECK(wire_passes(&w, &head, expected));
	CHECK(nghttp2_hd_deflate_change_table_size(w.deflater, 0) == 0);
	CHECK(wire_passes(&w, &head, expected));
	CHECK(nghttp2_hd_inflate_get_dynamic_table_size(w.inflater) == 0);
	wire_release(&w);
}

static void heads_wait_until_they_are_packed_or_dropped(void)
{
	struct http2_request q[3] = { { .status = 0 } };
	struct http2_head head = { .path = span_of("/a") };
	uint8_t frame[TEXT_BYTES];
	struct wire w;
	struct span made;

	wire_init(&w);
	for (size_t i = 0; i < 3; i++) {
		http2_head_put(&w.c, &q[i], &head);
	}
	http2_head_drop(&w.c, &q[1]);
	http2_head_drop(&w.c, &q[1]); /* not there any more: nothing */
	CHECK(w.c.heads_waiting == 2);
	for (size_t i = 0; i < 3; i += 2) {
		made = frame_of(w.deflater, &head, frame, sizeof(frame));
		made = http2_head_frame(&w.c, &q[i], made);
		buf_reset(&w.text);
		read_block(w.inflater, made, &w.text);
		CHECK(span_is(
			(struct span){ w.text.data, w.text.len }, ":path=/a;"));
	}
	CHECK(w.c.heads_waiting == 0 && w.c.heads.len == 0);
	wire_release(&w);
}

static void a_burst_does_not_keep_its_memory(void)
{
	static struct http2_request q[2000];
	struct http2_head head = { .path = span_of("/3/device/"
						   "0123456789abcdef"
						   "0123456789abcdef") };
	struct http2 c;

	conn_init(&c);
	for (size_t i = 0; i < 2000; i++) {
		http2_head_put(&c, &q[i], &head);
	}
	CHECK(c.heads.cap > 64 * 1024);
	for (size_t i = 0; i < 2000; i++) {
		http2_head_drop(&c, &q[i]);
	}
	CHECK(c.heads.cap <= 16 * 1024);
	conn_release(&c);
}

static void pieces_of_memory_are_given_out_again(void)
{
	struct cells cells = { { NULL } };
	char *a = cells_malloc(40, &cells);
	char *b = cells_calloc(3, 11, &cells);
	char *big;

	CHECK(a != NULL && b != NULL && a != b);
	for (size_t i = 0; i < 33; i++) {
		CHECK(b[i] == 0);
	}
	memset(a, 'a', 40);
	cells_free(a, &cells);
	CHECK(cells_malloc(64, &cells) == a); /* of the same step */
	memset(a, 'a', 64);
	CHECK(cells_realloc(a, 50, &cells) == a);
	big = cells_realloc(a, 5000, &cells);
	CHECK(big != NULL && big != a && big[0] == 'a' && big[63] == 'a');
	CHECK(cells_malloc(33, &cells) == a);
	CHECK(cells_calloc(SIZE_MAX / 2, 3, &cells) == NULL);
	CHECK(cells_malloc(SIZE_MAX, &cells) == NULL);
	cells_free(NULL, &cells);
	cells_free(big, &cells);
	cells_free(a, &cells);
	cells_free(b, &cells);
	cells_release(&cells);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(the_server_reads_all_fields_pseudo_ones_first),
		TEST(what_repeats_goes_into_the_table_and_nothing_else),
		TEST(long_texts_have_long_lengths),
		TEST(a_change_of_the_table_comes_first),
		TEST(heads_wait_until_they_are_packed_or_dropped),
		TEST(a_burst_does_not_keep_its_memory),
		TEST(pieces_of_memory_are_given_out_again),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
