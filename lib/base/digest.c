/* SHA-256 by OpenSSL, cut to 16 bytes. */
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

void digest_hex(const struct digest *d, size_t bytes, char *dst)
{
	static const char digits[] = "0123456789abcdef";

	if (bytes > DIGEST_BYTES) {
		BUG("a digest has no %zu bytes", bytes);
	}
	for (size_t i = 0; i < bytes; i++) {
		*dst++ = digits[d->bytes[i] >> 4];
		*dst++ = digits[d->bytes[i] & 15];
	}
	*dst = '\0';
}

void digest_uuid(const struct digest *d, char dst[UUID_TEXT_BYTES])
{
	struct digest u = *d;
	char hex[DIGEST_BYTES * 2 + 1];
	char *at = dst;

	u.bytes[6] =
		(unsigned char)((u.bytes[6] & 0x0f) | 0x80); /* version 8 */
	u.bytes[8] = (unsigned char)((u.bytes[8] & 0x3f) | 0x80); /* variant */
	digest_hex(&u, DIGEST_BYTES, hex);
	for (size_t i = 0; i < sizeof(hex); i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20) {
			*at++ = '-';
		}
		*at++ = hex[i];
	}
}
