/* SHA-256 by OpenSSL, cut to 16 bytes, and its SHA-1; and SipHash. */
#include "base/digest.h"

#include <string.h>

/* The plain functions, which OpenSSL 3 would rather not show: by EVP each digest
 * is an allocation, and costs more than hashing a short text does; the first one
 * takes a millisecond of each program's start. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "base/err.h"

enum { LEN_MAX_BYTES = 10 }; /* of a length, seven bits a byte */

/* Written so that the compiler makes one load of it, and one store. */
static inline uint64_t eight_bytes(const unsigned char *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
	       (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
	       (uint64_t)p[7] << 56;
}

static inline void put_eight(unsigned char *p, uint64_t word)
{
	p[0] = (unsigned char)word;
	p[1] = (unsigned char)(word >> 8);
	p[2] = (unsigned char)(word >> 16);
	p[3] = (unsigned char)(word >> 24);
	p[4] = (unsigned char)(word >> 32);
	p[5] = (unsigned char)(word >> 40);
	p[6] = (unsigned char)(word >> 48);
	p[7] = (unsigned char)(word >> 56);
}

/* The length stands before each part, so that none runs into the next.  It is
 * short, since the hash is paid for by the 64 bytes. */
static size_t put_length(unsigned char *dst, size_t n)
{
	size_t len = 0;

	for (; n > 0x7f; n >>= 7) {
		dst[len++] = (unsigned char)(n | 0x80);
	}
	dst[len++] = (unsigned char)n;
	return len;
}

struct digest digest_of(const void *ptr, size_t len)
{
	return digest_of_parts(&(struct digest_part){ ptr, len }, 1);
}

struct digest digest_of_parts(const struct digest_part *parts, size_t count)
{
	unsigned char full[SHA256_DIGEST_LENGTH];
	unsigned char small[256];
	size_t len = 0;
	struct digest d;
	SHA256_CTX ctx;

	(void)SHA256_Init(&ctx);
	for (size_t i = 0; i < count; i++) {
		/* Short parts, which is most, are hashed in one go. */
		if (len + LEN_MAX_BYTES > sizeof(small)) {
			(void)SHA256_Update(&ctx, small, len);
			len = 0;
		}
		len += put_length(small + len, parts[i].len);
		if (parts[i].len > sizeof(small) - len) {
			(void)SHA256_Update(&ctx, small, len);
			(void)SHA256_Update(&ctx, parts[i].ptr, parts[i].len);
			len = 0;
		} else if (parts[i].len > 0) {
			memcpy(small + len, parts[i].ptr, parts[i].len);
			len += parts[i].len;
		}
	}
	(void)SHA256_Update(&ctx, small, len);
	(void)SHA256_Final(full, &ctx);
	memcpy(d.bytes, full, sizeof(d.bytes));
	return d;
}

/* --- SipHash: Aumasson and Bernstein, 2012, with the finish for 128 bits --- */

/* Passed by value, so that it stays in registers: a name is a round or two. */
struct sip {
	uint64_t a, b, c, d;
};

static inline uint64_t rotated(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline struct sip sip_round(struct sip s)
{
	s.a += s.b;
	s.b = rotated(s.b, 13) ^ s.a;
	s.a = rotated(s.a, 32);
	s.c += s.d;
	s.d = rotated(s.d, 16) ^ s.c;
	s.a += s.d;
	s.d = rotated(s.d, 21) ^ s.a;
	s.c += s.b;
	s.b = rotated(s.b, 17) ^ s.c;
	s.c = rotated(s.c, 32);
	return s;
}

static inline struct sip sip_block(struct sip s, uint64_t block)
{
	s.d ^= block;
	s = sip_round(sip_round(s));
	s.a ^= block;
	return s;
}

static inline struct sip sip_begin(void)
{
	/* The key of the paper's test vectors: bytes 0 to 15. */
	const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	return (struct sip){
		.a = 0x736f6d6570736575 ^ key[0],
		.b = 0x646f72616e646f6d ^ key[1] ^ 0xee,
		.c = 0x6c7967656e657261 ^ key[0],
		.d = 0x7465646279746573 ^ key[1],
	};
}

static inline struct sip sip_text(struct sip s, const void *ptr, size_t len)
{
	const unsigned char *p = ptr;
	uint64_t last = (uint64_t)len << 56;
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8) {
		s = sip_block(s, eight_bytes(p));
	}
	while (left-- > 0) {
		last |= (uint64_t)p[left] << (8 * left);
	}
	return sip_block(s, last);
}

static inline struct digest sip_end(struct sip s)
{
	struct digest d = { { 0 } };

	s.c ^= 0xee;
	s = sip_round(sip_round(sip_round(sip_round(s))));
	put_eight(d.bytes, s.a ^ s.b ^ s.c ^ s.d);
	s.b ^= 0xdd;
	s = sip_round(sip_round(sip_round(sip_round(s))));
	put_eight(d.bytes + 8, s.a ^ s.b ^ s.c ^ s.d);
	return d;
}

struct digest digest_quick(const void *ptr, size_t len)
{
	return sip_end(sip_text(sip_begin(), ptr, len));
}

struct digest digest_quick_parts(const struct digest_part *parts, size_t count)
{
	struct sip s = sip_begin();

	for (size_t i = 0; i < count; i++) {
		s = sip_block(s, (uint64_t)parts[i].len);
		s = sip_text(s, parts[i].ptr, parts[i].len);
	}
	return sip_end(s);
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

void digest_sha1_hex(const void *ptr, size_t len, char dst[SHA1_TEXT_BYTES])
{
	unsigned char full[SHA_DIGEST_LENGTH];
	SHA_CTX ctx;

	(void)SHA1_Init(&ctx);
	(void)SHA1_Update(&ctx, ptr, len);
	(void)SHA1_Final(full, &ctx);
	*put_hex(dst, full, sizeof(full)) = '\0';
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
