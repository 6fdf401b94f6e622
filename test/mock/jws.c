/* Strict base64url, two JSON objects, and two kinds of signatures. */
#include "jws.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	if (c == '-') {
		return 62;
	}
	return c == '_' ? 63 : -1;
}

/* Decodes without padding; how many bytes, or -1: not base64url, not the only
 * spelling of these bytes, or too long. */
static long decode(struct span text, unsigned char *dst, size_t room)
{
	unsigned bits = 0;
	unsigned bit_count = 0;
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		int s = sextet(text.ptr[i]);
		if (s < 0) {
			return -1;
		}
		bits = (bits << 6 | (unsigned)s) & 0xffffu;
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			if (n == room) {
				return -1;
			}
			dst[n++] = (unsigned char)(bits >> bit_count);
		}
	}
	if (bit_count >= 6 || (bits & ((1u << bit_count) - 1)) != 0) {
		return -1;
	}
	return (long)n;
}

/* Cuts off what is before the next dot. */
static bool cut(struct span *rest, struct span *part)
{
	const char *dot = memchr(rest->ptr, '.', rest->len);

	if (dot == NULL) {
		return false;
	}
	*part = (struct span){ rest->ptr, (size_t)(dot - rest->ptr) };
	rest->len -= part->len + 1;
	rest->ptr = dot + 1;
	return true;
}

static struct json_doc *decode_object(struct span part)
{
	unsigned char bytes[JWS_PART_MAX_BYTES];
	long n = decode(part, bytes, sizeof(bytes));

	if (n <= 0) {
		return NULL;
	}
	struct json_doc *doc =
		json_parse((const char *)bytes, (size_t)n, JSON_STRICT, NULL);
	if (json_type(json_root(doc)) != JSON_OBJECT) {
		json_free(doc);
		return NULL;
	}
	return doc;
}

int jws_parse(struct jws *j, struct span text)
{
	struct span head;
	struct span claims;
	struct span rest = text;

	*j = (struct jws){ .head = NULL };
	if (text.len == 0 || !cut(&rest, &head) || !cut(&rest, &claims)) {
		return -1;
	}
	j->signed_text = (struct span){ text.ptr, head.len + 1 + claims.len };
	long n = decode(rest, j->signature, sizeof(j->signature));
	if (n <= 0) {
		return -1;
	}
	j->signature_bytes = (size_t)n;
	j->head = decode_object(head);
	j->claims = decode_object(claims);
	return j->head != NULL && j->claims != NULL ? 0 : -1;
}

void jws_release(struct jws *j)
{
	json_free(j->head);
	json_free(j->claims);
	j->head = NULL;
	j->claims = NULL;
}

static bool verifies(struct span text, const unsigned char *signature,
	size_t bytes, EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_good =
		ctx != NULL &&
		EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestVerify(ctx, signature, bytes,
			(const unsigned char *)text.ptr, text.len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return is_good;
}

bool jws_is_es256_by(const struct jws *j, EVP_PKEY *key)
{
	unsigned char *der = NULL;
	bool is_good = false;

	if (!json_is_text(json_get(json_root(j->head), "alg"), "ES256") ||
		EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
		j->signature_bytes != 64) {
		return false;
	}
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(j->signature, 32, NULL);
	BIGNUM *s = BN_bin2bn(j->signature + 32, 32, NULL);
	if (sig == NULL || r == NULL || s == NULL ||
		ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		goto out;
	}
	int n = i2d_ECDSA_SIG(sig, &der);
	is_good = n > 0 && verifies(j->signed_text, der, (size_t)n, key);
out:
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	return is_good;
}

bool jws_is_rs256_by(const struct jws *j, EVP_PKEY *key)
{
	return json_is_text(json_get(json_root(j->head), "alg"), "RS256") &&
	       EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
	       verifies(j->signed_text, j->signature, j->signature_bytes, key);
}
