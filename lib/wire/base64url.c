/* Digits to bytes and back. */
#include "wire/base64url.h"

#include <stdint.h>

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

/* What each byte gives to its group of four digits, by its place in it, so that
 * a group is four loads joined; NO_DIGIT: nothing. */
enum { PLACES = 4, NO_DIGIT = 1 << 24 };
static uint32_t values64[PLACES][256];

static void learn_digits(void)
{
	for (unsigned place = 0; place < PLACES; place++) {
		for (unsigned byte = 0; byte < 256; byte++) {
			values64[place][byte] = NO_DIGIT;
		}
		for (uint32_t v = 0; v < 64; v++) {
			values64[place][(unsigned char)digits64[v]] =
				v << 6 * (PLACES - 1 - place);
		}
	}
}

/* What is left behind the whole groups of four: two or three digits.  The
 * bits that belong to no byte must be 0. */
static bool decode64_rest(struct span rest, struct buf *out)
{
	const unsigned char *src = (const unsigned char *)rest.ptr;
	uint32_t bits = values64[0][src[0]] | values64[1][src[1]];
	uint32_t spare = 0xffff;

	if (rest.len == 3) {
		bits |= values64[2][src[2]];
		spare = 0xff;
	}
	if ((bits & (NO_DIGIT | spare)) != 0) {
		return false;
	}
	out->data[out->len++] = (char)(bits >> 16);
	if (rest.len == 3) {
		out->data[out->len++] = (char)(bits >> 8 & 0xff);
	}
	return true;
}

bool base64url_decode(struct span text, struct buf *out)
{
	const unsigned char *src = (const unsigned char *)text.ptr;
	char *dst = out->data + out->len;
	size_t i = 0;

	if (values64[0][0] == 0) {
		learn_digits();
	}
	for (; i + PLACES <= text.len; i += PLACES) {
		uint32_t bits = values64[0][src[i]] | values64[1][src[i + 1]] |
				values64[2][src[i + 2]] |
				values64[3][src[i + 3]];

		if ((bits & NO_DIGIT) != 0) {
			return false;
		}
		*dst++ = (char)(bits >> 16);
		*dst++ = (char)(bits >> 8 & 0xff);
		*dst++ = (char)(bits & 0xff);
	}
	out->len = (size_t)(dst - out->data);
	if (i == text.len) {
		return true;
	}
	return text.len - i > 1 &&
	       decode64_rest((struct span){ text.ptr + i, text.len - i }, out);
}
