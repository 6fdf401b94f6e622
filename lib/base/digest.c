/* SHA-256 by OpenSSL, cut to 16 bytes; and SipHash. */
#include "base/digest.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/err.h"

enum { LEN_BYTES = 8 }; /* before each part, so that none runs into the next */

static void update(EVP_MD_CTX *ctx, const void *ptr, size_t len)
{
	if (len > 0 && EVP_DigestUpdate(ctx, ptr, len) != 1) {
		BUG("SHA-256 failed");
	}
}

struct digest digest_of(const void *ptr, size_t len)
{
	return digest_of_parts(&(struct digest_part){ ptr, len }, 1);
}

struct digest digest_of_parts(const struct digest_part *parts, size_t count)
{
	static EVP_MD_CTX *ctx; /* reused: one thread, and making one is dear */
	static EVP_MD *sha256;
	unsigned char full[EVP_MAX_MD_SIZE];
	unsigned char small[256];
	size_t len = 0;
	struct digest d;

	if (ctx == NULL) {
		ctx = EVP_MD_CTX_new();
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	}
	if (ctx == NULL || sha256 == NULL ||
		EVP_DigestInit_ex2(ctx, sha256, NULL) != 1) {
		BUG("SHA-256 is not there");
	}
	for (size_t i = 0; i < count; i++) {
		/* Short parts, which is most, are hashed in one go. */
		if (len + LEN_BYTES + parts[i].len > sizeof(small)) {
			update(ctx, small, len);
			len = 0;
		}
		for (size_t j = 0; j < LEN_BYTES; j++) {
			small[len++] = (unsigned char)((uint64_t)parts[i].len >>
						       (8 * j));
		}
		if (len + parts[i].len > sizeof(small)) {
			update(ctx, small, len);
			update(ctx, parts[i].ptr, parts[i].len);
			len = 0;
		} else if (parts[i].len > 0) {
			memcpy(small + len, parts[i].ptr, parts[i].len);
			len += parts[i].len;
		}
	}
	update(ctx, small, len);
	if (EVP_DigestFinal_ex(ctx, full, NULL) != 1) {
		BUG("SHA-256 failed");
	}
	memcpy(d.bytes, full, sizeof(d.bytes));
	return d;
}

/* --- SipHash: Aumasson and Bernstein, 2012, with the finish for 128 bits ------ */

static uint64_t rotated(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[1] = rotated(v[1], 13) ^ v[0];
		v[0] = rotated(v[0], 32);
		v[2] += v[3];
		v[3] = rotated(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotated(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotated(v[1], 17) ^ v[2];
		v[2] = rotated(v[2], 32);
	}
}

/* Written so that the compiler makes one load of it. */
static uint64_t eight_bytes(const unsigned char *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
	       (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
	       (uint64_t)p[7] << 56;
}

static void sip_block(uint64_t v[4], uint64_t block)
{
	v[3] ^= block;
	sip_rounds(v, 2);
	v[0] ^= block;
}

static void sip_begin(uint64_t v[4])
{
	/* The key of the paper's test vectors: bytes 0 to 15. */
	const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	v[0] = 0x736f6d6570736575 ^ key[0];
	v[1] = 0x646f72616e646f6d ^ key[1] ^ 0xee;
	v[2] = 0x6c7967656e657261 ^ key[0];
	v[3] = 0x7465646279746573 ^ key[1];
}

static void sip_text(uint64_t v[4], const void *ptr, size_t len)
{
	const unsigned char *p = ptr;
	uint64_t last = (uint64_t)len << 56;
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8) {
		sip_block(v, eight_bytes(p));
	}
	while (left-- > 0) {
		last |= (uint64_t)p[left] << (8 * left);
	}
	sip_block(v, last);
}

static struct digest sip_end(uint64_t v[4])
{
	struct digest d;

	v[2] ^= 0xee;
	for (size_t half = 0; half < 2; half++) {
		uint64_t out;

		sip_rounds(v, 4);
		out = v[0] ^ v[1] ^ v[2] ^ v[3];
		for (size_t i = 0; i < 8; i++) {
			d.bytes[8 * half + i] = (unsigned char)(out >> (8 * i));
		}
		v[1] ^= 0xdd;
	}
	return d;
}

struct digest digest_quick(const void *ptr, size_t len)
{
	uint64_t v[4];

	sip_begin(v);
	sip_text(v, ptr, len);
	return sip_end(v);
}

struct digest digest_quick_parts(const struct digest_part *parts, size_t count)
{
	uint64_t v[4];

	sip_begin(v);
	for (size_t i = 0; i < count; i++) {
		sip_block(v, (uint64_t)parts[i].len);
		sip_text(v, parts[i].ptr, parts[i].len);
	}
	return sip_end(v);
}

struct digest digest_join(const struct digest *a, const struct digest *b)
{
	struct digest d;

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		d.bytes[i] = a->bytes[i] ^ b->bytes[i];
	}
	return d;
}

/* Two digits a byte. */
static char *put_hex(char *dst, const unsigned char *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		*dst++ = digits[bytes[i] >> 4];
		*dst++ = digits[bytes[i] & 15];
	}
	return dst;
}

void digest_hex(const struct digest *d, size_t bytes, char *dst)
{
	if (bytes > DIGEST_BYTES) {
		BUG("a digest has no %zu bytes", bytes);
	}
	*put_hex(dst, d->bytes, bytes) = '\0';
}

void digest_uuid(const struct digest *d, char dst[UUID_TEXT_BYTES])
{
	static const unsigned char groups[] = { 4, 2, 2, 2, 6 };
	struct digest u = *d;
	const unsigned char *from = u.bytes;

	u.bytes[6] =
		(unsigned char)((u.bytes[6] & 0x0f) | 0x80); /* version 8 */
	u.bytes[8] = (unsigned char)((u.bytes[8] & 0x3f) | 0x80); /* variant */
	for (size_t i = 0; i < sizeof(groups); i++) {
		dst = put_hex(dst, from, groups[i]);
		*dst++ = '-';
		from += groups[i];
	}
	dst[-1] = '\0'; /* instead of a fifth hyphen */
}
