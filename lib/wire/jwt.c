/*
 * Compact JWS with OpenSSL's libcrypto (3.0 and later).
 *
 * JOSE wants ECDSA signatures as R and S of 32 bytes each, while OpenSSL makes
 * and takes DER: both directions are converted here.
 * Sources: RFC 7515 (JWS), RFC 7518 (algorithms), read 2026-11.
 */
#include "wire/jwt.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "record/json.h"
#include "wire/base64url.h"
#include "wire/jwt_key.h"

enum {
	SHA256_BYTES = 32,
	P256_BYTES = 32, /* of R and of S */
	DER_MAX_BYTES = 80,
	JWT_MAX_BYTES = 64 * 1024, /* of what we sign */
};

/* --- making --- */

/* DER to R and S, left-padded: RFC 7518 section 3.4. */
static int der_to_raw(const unsigned char *der, size_t len, unsigned char *raw)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	int result = -1;

	if (sig != NULL &&
		BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, P256_BYTES) ==
			P256_BYTES &&
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + P256_BYTES,
			P256_BYTES) == P256_BYTES) {
		result = 0;
	}
	ECDSA_SIG_free(sig);
	return result;
}

static size_t raw_to_der(const unsigned char *raw, unsigned char *der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, P256_BYTES, NULL);
	BIGNUM *s = BN_bin2bn(raw + P256_BYTES, P256_BYTES, NULL);
	int len = -1;

	if (sig != NULL && r != NULL && s != NULL &&
		ECDSA_SIG_set0(sig, r, s) == 1) {
		r = NULL;
		s = NULL;
		len = i2d_ECDSA_SIG(sig, NULL);
		if (len > 0 && len <= DER_MAX_BYTES) {
			len = i2d_ECDSA_SIG(sig, &der);
		}
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return len > 0 && len <= DER_MAX_BYTES ? (size_t)len : 0;
}

static bool hmac_of(const struct jwt_key *key, struct span text,
	unsigned char dst[SHA256_BYTES])
{
	size_t len = 0;

	return EVP_MAC_init(key->mac, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(key->mac, (const unsigned char *)text.ptr,
		       text.len) == 1 &&
	       EVP_MAC_final(key->mac, dst, &len, SHA256_BYTES) == 1 &&
	       len == SHA256_BYTES;
}

/* The signature by a private key: RSA as it comes, ECDSA raw.  `dst' is
 * empty. */
static int sign_with_pair(
	const struct jwt_key *key, struct span text, struct buf *dst)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL; /* owned by ctx */
	size_t len = (size_t)EVP_PKEY_get_size(key->pkey);
	unsigned char raw[2 * P256_BYTES];
	unsigned char *sig = (unsigned char *)buf_room(dst, len);
	unsigned deterministic = 1;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint("nonce-type", &deterministic),
		OSSL_PARAM_construct_end(),
	};
	int result = -1;

	if (ctx == NULL || sig == NULL ||
		EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, key->pkey) !=
			1) {
		goto out;
	}
	if (key->alg == JWT_ES256 && key->is_deterministic &&
		EVP_PKEY_CTX_set_params(pctx, params) != 1) {
		goto out;
	}
	if (EVP_DigestSign(ctx, sig, &len, (const unsigned char *)text.ptr,
		    text.len) != 1) {
		goto out;
	}
	if (key->alg == JWT_RS256) {
		dst->len = len;
		result = 0;
	} else if (der_to_raw(sig, len, raw) == 0) {
		buf_put(dst, raw, sizeof(raw));
		result = 0;
	}
out:
	EVP_MD_CTX_free(ctx);
	return result;
}

int jwt_sign(const struct jwt_key *key, struct span header, struct span claims,
	struct buf *out, struct err *err)
{
	unsigned char mac[SHA256_BYTES];
	struct buf text; /* the signing input, then the whole token */
	struct buf sig;
	int result;

	buf_init(&text, JWT_MAX_BYTES);
	buf_init(&sig, JWT_MAX_BYTES);
	base64url_put(&text, header.ptr, header.len);
	buf_putc(&text, '.');
	base64url_put(&text, claims.ptr, claims.len);
	if (buf_is_over(&text)) {
		result = err_set(err, 0, "token is too long to sign");
		goto out;
	}
	struct span input = { text.data, text.len };

	if (key->alg == JWT_HS256) {
		result = hmac_of(key, input, mac) ? 0 : -1;
		buf_put(&sig, mac, sizeof(mac));
	} else {
		result = sign_with_pair(key, input, &sig);
	}
	if (result != 0) {
		result = err_set(
			err, 0, "cannot sign with %s", jwt_alg_name(key->alg));
		goto out;
	}
	buf_putc(&text, '.');
	base64url_put(&text, sig.data, sig.len);
	buf_put(out, text.data, text.len);
	if (buf_is_over(&text) || buf_is_over(out)) {
		result = err_set(err, 0, "no room for a signed token");
	}
out:
	buf_release(&text);
	buf_release(&sig);
	ERR_clear_error();
	return result;
}

/* --- checking --- */

const char *jwt_fault_text(enum jwt_fault fault)
{
	switch (fault) {
	case JWT_OK:
		return "nothing";
	case JWT_NOT_COMPACT:
		return "not a compact JWS of three parts";
	case JWT_BAD_BASE64:
		return "a part is not base64url without padding";
	case JWT_TOO_LARGE:
		return "the token is too large";
	case JWT_BAD_HEADER:
		return "the header is not an object with one alg and one kid "
		       "of at most 128 bytes";
	case JWT_BAD_ALG:
		return "the alg is not HS256 or ES256";
	case JWT_CRITICAL:
		return "the header asks for an extension (crit or b64)";
	case JWT_WRONG_ALG:
		return "the alg is not the one of the key";
	case JWT_BAD_SIGNATURE:
		return "the signature does not match";
	}
	BUG("fault %d", (int)fault);
}

void jwt_init(struct jwt *t, size_t max_bytes)
{
	*t = (struct jwt){ 0 };
	buf_init(&t->text, max_bytes);
	buf_init(&t->header.text, max_bytes);
}

void jwt_release(struct jwt *t)
{
	buf_release(&t->text);
	buf_release(&t->header.text);
	*t = (struct jwt){ 0 };
}

static enum jwt_fault parse_header(struct jwt *t, struct span header)
{
	struct json_doc *doc =
		json_parse(header.ptr, header.len, JSON_STRICT, NULL);
	const struct json *root = doc == NULL ? NULL : json_root(doc);
	struct span alg = json_text(json_get(root, "alg"));
	const struct json *kid = json_get(root, "kid");
	struct span text = json_text(kid);
	enum jwt_fault fault = JWT_OK;

	/* Two of a name: others may take the other one (RFC 7515, section 4). */
	if (alg.ptr == NULL || json_count_named(root, span_of("alg")) > 1 ||
		json_count_named(root, span_of("kid")) > 1 ||
		(kid != NULL &&
			(text.ptr == NULL || text.len > JWT_KID_MAX_BYTES))) {
		fault = JWT_BAD_HEADER;
	} else if (json_get(root, "crit") != NULL ||
		   json_get(root, "b64") != NULL) {
		fault = JWT_CRITICAL;
	} else if (jwt_alg_parse(alg) == JWT_NONE) {
		fault = JWT_BAD_ALG;
	} else {
		t->header.alg = jwt_alg_parse(alg);
		t->header.kid = (struct span){ NULL, 0 };
		if (kid != NULL) {
			memcpy(t->kid_text, text.ptr, text.len);
			t->kid_text[text.len] = '\0';
			t->header.kid = (struct span){ t->kid_text, text.len };
		}
	}
	json_free(doc);
	return fault;
}

/* Decodes the next part behind the others; the text buffer has room, so that
 * what was decoded before stays where it is. */
static bool decode_part(struct jwt *t, struct span part, struct span *out)
{
	size_t at = t->text.len;

	if (!base64url_decode(part, &t->text)) {
		return false;
	}
	*out = (struct span){ t->text.data + at, t->text.len - at };
	return true;
}

enum jwt_fault jwt_parse(struct jwt *t, struct span compact)
{
	struct span part[3];
	struct span header = { NULL, 0 };
	struct span rest = compact;
	bool is_known;

	t->alg = JWT_NONE;
	t->kid = (struct span){ NULL, 0 };
	t->payload = (struct span){ NULL, 0 };
	buf_reset(&t->text);
	if (compact.ptr == NULL || compact.len == 0) {
		return JWT_NOT_COMPACT;
	}
	if (buf_room(&t->text, compact.len) == NULL) {
		return JWT_TOO_LARGE;
	}
	for (size_t i = 0; i < 3; i++) {
		const char *dot = memchr(rest.ptr, '.', rest.len);

		if ((dot != NULL) != (i < 2)) {
			return JWT_NOT_COMPACT;
		}
		part[i] = rest;
		if (dot != NULL) {
			part[i].len = (size_t)(dot - rest.ptr);
			rest.ptr = dot + 1;
			rest.len -= part[i].len + 1;
		}
	}
	if (part[0].len > JWT_HEADER_MAX_BYTES * 4 / 3 + 3) {
		return JWT_TOO_LARGE;
	}
	is_known = part[0].len > 0 &&
		   span_equal(part[0], (struct span){ t->header.text.data,
					       t->header.text.len });
	if ((!is_known && !decode_part(t, part[0], &header)) ||
		!decode_part(t, part[1], &t->payload) ||
		!decode_part(t, part[2], &t->signature)) {
		return JWT_BAD_BASE64;
	}
	t->signing_input =
		(struct span){ compact.ptr, part[0].len + 1 + part[1].len };
	if (!is_known) {
		enum jwt_fault fault = parse_header(t, header);

		if (fault != JWT_OK) {
			return fault;
		}
		buf_reset(&t->header.text);
		buf_put(&t->header.text, part[0].ptr, part[0].len);
	}
	t->alg = t->header.alg;
	t->kid = t->header.kid;
	return JWT_OK;
}

static bool verify_pair(const struct jwt *t, const struct jwt_key *key)
{
	EVP_MD_CTX *ctx = NULL;
	unsigned char der[DER_MAX_BYTES];
	const unsigned char *sig = (const unsigned char *)t->signature.ptr;
	size_t len = t->signature.len;
	bool is_good;

	if (key->alg == JWT_ES256) {
		if (len != (size_t)2 * P256_BYTES) {
			return false;
		}
		len = raw_to_der(sig, der);
		sig = der;
	}
	ctx = EVP_MD_CTX_new();
	is_good = ctx != NULL && len > 0 &&
		  EVP_DigestVerifyInit(
			  ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
		  EVP_DigestVerify(ctx, sig, len,
			  (const unsigned char *)t->signing_input.ptr,
			  t->signing_input.len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return is_good;
}

enum jwt_fault jwt_verify(const struct jwt *t, const struct jwt_key *key)
{
	unsigned char mac[SHA256_BYTES];
	bool is_good;

	if (t->alg != key->alg) {
		return JWT_WRONG_ALG;
	}
	if (key->alg == JWT_HS256) {
		is_good =
			t->signature.len == SHA256_BYTES &&
			hmac_of(key, t->signing_input, mac) &&
			CRYPTO_memcmp(mac, t->signature.ptr, SHA256_BYTES) == 0;
	} else {
		is_good = verify_pair(t, key);
	}
	return is_good ? JWT_OK : JWT_BAD_SIGNATURE;
}
