/* Fixed-length names for things of any length. */
#ifndef PUSH_BASE_DIGEST_H
#define PUSH_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 16, UUID_TEXT_BYTES = 37, SHA1_TEXT_BYTES = 41 };

struct digest {
	unsigned char bytes[DIGEST_BYTES];
};

/* The first 16 bytes of SHA-256. */
struct digest digest_of(const void *ptr, size_t len);

/* The same over several parts; lengths are mixed in, so that ("ab","c") and
 * ("a","bc") differ. */
struct digest_part {
	const void *ptr;
	size_t len;
};
struct digest digest_of_parts(const struct digest_part *parts, size_t count);

/*
 * SipHash-2-4 with 128 bits and a key that everybody knows: a fraction of the
 * work, for bytes that nobody can choose who would want two of them to meet.
 */
struct digest digest_quick(const void *ptr, size_t len);
struct digest digest_quick_parts(const struct digest_part *parts, size_t count);

/* Both in one: meets another such pair no easier than either does. */
struct digest digest_join(const struct digest *a, const struct digest *b);

/* `dst' has room for `bytes' * 2 + 1; lower-case hexadecimal. */
void digest_hex(const struct digest *d, size_t bytes, char *dst);

/* SHA-1 of a text, whole, in lower-case hexadecimal with its NUL: not for
 * safety, but because others name things so. */
void digest_sha1_hex(const void *ptr, size_t len, char dst[SHA1_TEXT_BYTES]);

/* The digest as a name-based UUID (version 8, RFC 9562 section 5.8), lower
 * case, with its NUL. */
void digest_uuid(const struct digest *d, char dst[UUID_TEXT_BYTES]);

#endif
