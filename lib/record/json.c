/* The JSON library behind our own names. */
#include "record/json.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "record/json_inner.h"

/* Times a byte: that byte eight times. */
#define EACH_BYTE UINT64_C(0x0101010101010101)

/* --- documents --- */

static size_t line_of(const char *text, size_t len, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at && i < len; i++) {
		line += text[i] == '\n';
	}
	return line;
}

struct json_doc *json_parse(
	const char *text, size_t len, unsigned flags, struct err *err)
{
	yyjson_read_flag how = YYJSON_READ_NOFLAG;
	yyjson_read_err why = { 0 };
	yyjson_doc *doc;

	if ((flags & JSON_COMMENTS) != 0) {
		how |= YYJSON_READ_ALLOW_COMMENTS |
		       YYJSON_READ_ALLOW_TRAILING_COMMAS;
	}
	doc = yyjson_read_opts((char *)(uintptr_t)text, len, how, NULL, &why);
	if (doc == NULL) {
		(void)err_usage(err, 0, "line %zu: %s",
			line_of(text, len, why.pos), why.msg);
	}
	return (struct json_doc *)doc;
}

void json_free(struct json_doc *doc)
{
	yyjson_doc_free((yyjson_doc *)doc);
}

const struct json *json_root(const struct json_doc *doc)
{
	return json_ours(yyjson_doc_get_root((yyjson_doc *)(uintptr_t)doc));
}

/* --- documents in reused memory --- */

static void *arena_malloc(void *ctx, size_t size)
{
	struct json_arena *a = ctx;

	if (size > a->cap) {
		mem_free(a->mem);
		a->mem = mem_alloc(size);
		a->cap = size;
	}
	return a->mem;
}

static void *arena_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
	struct json_arena *a = ctx;

	(void)ptr;
	(void)old_size;
	if (size > a->cap) {
		a->mem = mem_resize(a->mem, size, 1);
		a->cap = size;
	}
	return a->mem;
}

static void arena_free(void *ctx, void *ptr)
{
	(void)ctx; /* the owner keeps the memory for the next document */
	(void)ptr;
}

const struct json *json_parse_in_place(
	struct json_arena *a, char *text, size_t len)
{
	/* In place the library makes one allocation, which may grow. */
	yyjson_alc alc = { arena_malloc, arena_realloc, arena_free, a };
	yyjson_doc *doc =
		yyjson_read_opts(text, len, YYJSON_READ_INSITU, &alc, NULL);

	return json_ours(yyjson_doc_get_root(doc));
}

/* --- reading --- */

enum json_type json_type(const struct json *v)
{
	static const unsigned char types[] = {
		[YYJSON_TYPE_NONE] = JSON_ABSENT,
		[YYJSON_TYPE_RAW] = JSON_NUMBER,
		[YYJSON_TYPE_NULL] = JSON_NULL,
		[YYJSON_TYPE_BOOL] = JSON_BOOL,
		[YYJSON_TYPE_NUM] = JSON_NUMBER,
		[YYJSON_TYPE_STR] = JSON_TEXT,
		[YYJSON_TYPE_ARR] = JSON_ARRAY,
		[YYJSON_TYPE_OBJ] = JSON_OBJECT,
	};

	return (enum json_type)types[yyjson_get_type(json_val(v))];
}

const char *json_type_name(enum json_type type)
{
	static const char *const names[] = { "nothing", "null", "boolean",
		"number", "string", "array", "object" };

	return names[type];
}

const struct json *json_named(const struct json *object, struct span name)
{
	yyjson_val *key;

	if (!yyjson_is_obj(json_val(object))) {
		return NULL;
	}
	key = unsafe_yyjson_get_first(json_val(object));
	for (size_t left = unsafe_yyjson_get_len(json_val(object)); left > 0;
		left--) {
		struct span is = { unsafe_yyjson_get_str(key),
			unsafe_yyjson_get_len(key) };

		if (span_equal(is, name)) {
			return json_ours(key + 1);
		}
		key = unsafe_yyjson_get_next(key + 1);
	}
	return NULL;
}

size_t json_count_named(const struct json *object, struct span name)
{
	struct json_iter it = json_iter(object);
	size_t count = 0;

	while (json_next(&it) != NULL) {
		count += it.is_object && span_equal(it.name, name) ? 1 : 0;
	}
	return count;
}

const struct json *json_path(const struct json *object, const char *path)
{
	while (object != NULL) {
		size_t len = strcspn(path, ".");

		object = json_named(object, (struct span){ path, len });
		if (path[len] == '\0') {
			break;
		}
		path += len + 1;
	}
	return object;
}

const struct json *json_at(const struct json *array, size_t index)
{
	return json_ours(yyjson_arr_get(json_val(array), index));
}

size_t json_count(const struct json *v)
{
	return yyjson_is_obj(json_val(v)) ? yyjson_obj_size(json_val(v))
					  : yyjson_arr_size(json_val(v));
}

struct span json_text(const struct json *v)
{
	const char *text = yyjson_get_str(json_val(v));

	return (struct span){ text,
		text == NULL ? 0 : yyjson_get_len(json_val(v)) };
}

bool json_is_text(const struct json *v, const char *text)
{
	return span_is(json_text(v), text);
}

int json_int(const struct json *v, int64_t *out)
{
	yyjson_val *n = json_val(v);

	if (yyjson_is_sint(n)) {
		*out = yyjson_get_sint(n);
		return 0;
	}
	if (yyjson_is_uint(n) && yyjson_get_uint(n) <= INT64_MAX) {
		*out = (int64_t)yyjson_get_uint(n);
		return 0;
	}
	return -1;
}

bool json_bool(const struct json *v, bool fallback)
{
	return yyjson_is_bool(json_val(v)) ? yyjson_get_bool(json_val(v))
					   : fallback;
}

struct json_iter json_iter(const struct json *v)
{
	struct json_iter it = { 0 };

	it.left = json_count(v);
	it.is_object = yyjson_is_obj(json_val(v));
	if (it.left > 0) {
		it.next = json_ours(unsafe_yyjson_get_first(json_val(v)));
	}
	return it;
}

const struct json *json_next(struct json_iter *it)
{
	yyjson_val *at = json_val(it->next);

	if (it->left == 0) {
		return NULL;
	}
	it->left--;
	if (it->is_object) {
		it->name =
			(struct span){ yyjson_get_str(at), yyjson_get_len(at) };
		at++; /* a member's value stands right behind its name */
	}
	it->next = it->left > 0 ? json_ours(unsafe_yyjson_get_next(at)) : NULL;
	return json_ours(at);
}

/* --- writing --- */

void json_write(struct buf *b, const struct json *v)
{
	size_t len = 0;
	char *text;

	/* Most are one of these, which need no allocation. */
	if (yyjson_is_str(json_val(v))) {
		json_put_span(b, json_text(v));
		return;
	}
	if (yyjson_is_uint(json_val(v))) {
		buf_u64(b, yyjson_get_uint(json_val(v)));
		return;
	}
	text = yyjson_val_write(json_val(v), YYJSON_WRITE_NOFLAG, &len);
	if (text == NULL) {
		BUG("a parsed value cannot be written");
	}
	buf_put(b, text, len);
	free(text); /* the library's malloc */
}

/* Length of the UTF-8 character at `p', 0 when there is none (RFC 3629). */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	size_t len;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;

	if (p[0] < 0x80) {
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		len = 2;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		len = 3;
		low = p[0] == 0xe0 ? 0xa0 : low;   /* overlong */
		high = p[0] == 0xed ? 0x9f : high; /* surrogates */
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		len = 4;
		low = p[0] == 0xf0 ? 0x90 : low;
		high = p[0] == 0xf4 ? 0x8f : high; /* past U+10FFFF */
	} else {
		return 0;
	}
	if (left < len || p[1] < low || p[1] > high) {
		return 0;
	}
	for (size_t i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	return len;
}

bool json_is_utf8(const char *ptr, size_t len)
{
	const unsigned char *p = (const unsigned char *)ptr;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(p + i, len - i);

		if (n == 0) {
			return false;
		}
		i += n;
	}
	return true;
}

static void put_escape(struct buf *b, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

	switch (c) {
	case '"':
	case '\\':
		text[1] = (char)c;
		break;
	case '\n':
		text[1] = 'n';
		break;
	case '\r':
		text[1] = 'r';
		break;
	case '\t':
		text[1] = 't';
		break;
	default:
		buf_put(b, text, 6);
		return;
	}
	buf_put(b, text, 2);
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Has one of these eight bytes its highest bit, or is one of them zero? */
static uint64_t high_or_zero(uint64_t bytes)
{
	return (bytes | (bytes - EACH_BYTE)) & EACH_BYTE * 0x80;
}

/* How many bytes from here on stand for themselves. */
static size_t plain_len(const unsigned char *p, size_t len)
{
	size_t n = 0;

	while (len - n >= sizeof(uint64_t)) {
		uint64_t eight;

		memcpy(&eight, p + n, sizeof(eight));
		/* Taking 0x20 away sets the highest bit of what is below. */
		if ((((eight - EACH_BYTE * 0x20) & EACH_BYTE * 0x80) |
			    high_or_zero(eight ^ EACH_BYTE * '"') |
			    high_or_zero(eight ^ EACH_BYTE * '\\')) != 0) {
			break; /* one of them, or of their neighbours */
		}
		n += sizeof(eight);
	}
	while (n < len && is_plain(p[n])) {
		n++;
	}
	return n;
}

void json_put_text(struct buf *b, const char *ptr, size_t len)
{
	const unsigned char *p = (const unsigned char *)ptr;
	size_t done = 0; /* written up to here */
	size_t i = len > 0 ? plain_len(p, len) : 0;

	buf_putc(b, '"');
	while (i < len) {
		size_t n = utf8_len(p + i, len - i);

		if (n > 1) {
			i += n;
		} else {
			buf_put(b, p + done, i - done);
			if (n == 0) {
				buf_text(b, "\xef\xbf\xbd");
			} else {
				put_escape(b, p[i]);
			}
			done = ++i;
		}
		if (i < len && is_plain(p[i])) {
			i += plain_len(p + i, len - i);
		}
	}
	buf_put(b, p + done, len - done);
	buf_putc(b, '"');
}

void json_put_span(struct buf *b, struct span s)
{
	json_put_text(b, s.ptr, s.len);
}

void json_put_base64(struct buf *b, const char *ptr, size_t len)
{
	char *dst;

	buf_putc(b, '"');
	/* The library puts a NUL behind. */
	dst = buf_room(b, (len + 2) / 3 * 4 + 1);
	if (dst != NULL && len > 0) {
		b->len += (size_t)EVP_EncodeBlock((unsigned char *)dst,
			(const unsigned char *)ptr, (int)len);
	}
	buf_putc(b, '"');
}

void json_put_name(struct buf *b, const char *name)
{
	if (b->len > 0 && b->data[b->len - 1] != '{' &&
		b->data[b->len - 1] != '[') {
		buf_putc(b, ',');
	}
	json_put_text(b, name, strlen(name));
	buf_putc(b, ':');
}

void json_put_member(struct buf *b, const char *name, struct span text)
{
	json_put_name(b, name);
	json_put_span(b, text);
}

void json_put_int(struct buf *b, const char *name, int64_t n)
{
	json_put_name(b, name);
	buf_i64(b, n);
}
