/* Digits to bytes and back. */
#include "wire/base64url.h"

static const char digits64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_put(struct buf *out, const void *ptr, size_t len)
{
	const unsigned char *src = ptr;
	char *dst = buf_room(out, (len * 4 + 2) / 3);
	size_t at = 0;

	if (dst == NULL) {
		return;
	}
	for (; len >= 3; len -= 3, src += 3) {
		dst[at++] = digits64[src[0] >> 2];
		dst[at++] = digits64[(src[0] & 3) << 4 | src[1] >> 4];
		dst[at++] = digits64[(src[1] & 15) << 2 | src[2] >> 6];
		dst[at++] = digits64[src[2] & 63];
	}
	if (len > 0) {
		dst[at++] = digits64[src[0] >> 2];
		if (len == 1) {
			dst[at++] = digits64[(src[0] & 3) << 4];
		} else {
			dst[at++] = digits64[(src[0] & 3) << 4 | src[1] >> 4];
			dst[at++] = digits64[(src[1] & 15) << 2];
		}
	}
	out->len += at;
}

/* Value of each byte below 128; 64: no digit. */
enum { NO_DIGIT = 64 };
/* clang-format off */
static const unsigned char values64[128] = {
	64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
	64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
	64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
	64, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 63,
	64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
};
/* clang-format on */

static unsigned value64(char c)
{
	unsigned char u = (unsigned char)c;

	return u < sizeof(values64) ? values64[u] : NO_DIGIT;
}

/* What is left behind the whole groups of four: two or three digits.  The
 * bits that belong to no byte must be 0. */
static bool decode64_rest(struct span rest, struct buf *out)
{
	unsigned bits = 0;
	unsigned spare = rest.len == 2 ? 4 : 2;

	for (size_t i = 0; i < rest.len; i++) {
		unsigned v = value64(rest.ptr[i]);

		if (v == NO_DIGIT) {
			return false;
		}
		bits = bits << 6 | v;
	}
	if ((bits & ((1u << spare) - 1)) != 0) {
		return false;
	}
	bits >>= spare;
	if (rest.len == 3) {
		out->data[out->len++] = (char)(bits >> 8 & 0xff);
	}
	out->data[out->len++] = (char)(bits & 0xff);
	return true;
}

bool base64url_decode(struct span text, struct buf *out)
{
	char *dst = out->data + out->len;
	size_t i = 0;

	for (; i + 4 <= text.len; i += 4) {
		unsigned a = value64(text.ptr[i]);
		unsigned b = value64(text.ptr[i + 1]);
		unsigned c = value64(text.ptr[i + 2]);
		unsigned d = value64(text.ptr[i + 3]);

		if (((a | b | c | d) & NO_DIGIT) != 0) {
			return false;
		}
		*dst++ = (char)((a << 2 | b >> 4) & 0xff);
		*dst++ = (char)((b << 4 | c >> 2) & 0xff);
		*dst++ = (char)((c << 6 | d) & 0xff);
	}
	out->len = (size_t)(dst - out->data);
	if (i == text.len) {
		return true;
	}
	return text.len - i > 1 &&
	       decode64_rest((struct span){ text.ptr + i, text.len - i }, out);
}
