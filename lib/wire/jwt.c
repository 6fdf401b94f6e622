/*
 * Compact JWS with OpenSSL's libcrypto (3.0 and later).
 *
 * JOSE wants ECDSA signatures as R and S of 32 bytes each, while OpenSSL makes
 * and takes DER: both directions are converted here.
 * Sources: RFC 7515 (JWS), RFC 7518 (algorithms), read 2026-11.
 */
#include "wire/jwt.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "record/json.h"

enum {
	SHA256_BYTES = 32,
	P256_BYTES = 32, /* of R and of S */
	RSA_MIN_BITS = 2048,
	DER_MAX_BYTES = 80,
	JWT_MAX_BYTES = 64 * 1024, /* of what we sign */
};

struct jwt_key {
	enum jwt_alg alg;
	EVP_PKEY *pkey;   /* owned; ES256 and RS256 */
	EVP_MAC_CTX *mac; /* owned; HS256, begun anew for each token */
	bool is_deterministic;
};

static const struct {
	enum jwt_alg alg;
	const char *name;
} algs[] = {
	{ JWT_HS256, "HS256" },
	{ JWT_ES256, "ES256" },
	{ JWT_RS256, "RS256" },
};

enum { ALG_COUNT = sizeof(algs) / sizeof(algs[0]) };

enum jwt_alg jwt_alg_parse(struct span name)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		if (span_is(name, algs[i].name)) {
			return algs[i].alg;
		}
	}
	return JWT_NONE;
}

const char *jwt_alg_name(enum jwt_alg alg)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		if (algs[i].alg == alg) {
			return algs[i].name;
		}
	}
	return "none";
}

/* --- keys --- */

/* Without this OpenSSL would ask at the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): its signature */
static int no_passphrase(char *dst, int size, int is_writing, void *self)
{
	(void)dst;
	(void)size;
	(void)is_writing;
	(void)self;
	return -1;
}

/* 0 when `pkey' is of the kind that `alg' needs, else tells what it is not. */
static int check_kind(enum jwt_alg alg, EVP_PKEY *pkey, struct err *err)
{
	char group[32] = "";

	if (alg == JWT_RS256) {
		if (!EVP_PKEY_is_a(pkey, "RSA")) {
			return err_usage(err, 0, "not an RSA key");
		}
		if (EVP_PKEY_get_bits(pkey) < RSA_MIN_BITS) {
			return err_usage(err, 0,
				"RSA key of %d bits, %d are needed",
				EVP_PKEY_get_bits(pkey), RSA_MIN_BITS);
		}
		return 0;
	}
	if (!EVP_PKEY_is_a(pkey, "EC") ||
		EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME,
			group, sizeof(group), NULL) != 1 ||
		strcmp(group, "prime256v1") != 0) {
		return err_usage(err, 0, "not a P-256 key");
	}
	return 0;
}

/* Newer libraries list the parameter that makes ECDSA repeatable (RFC 6979);
 * source: OpenSSL, EVP_SIGNATURE-ECDSA(7) of 3.2, read 2026-11. */
static bool can_be_deterministic(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	const OSSL_PARAM *known = NULL;
	bool is_there;

	if (ctx != NULL && EVP_PKEY_sign_init(ctx) == 1) {
		known = EVP_PKEY_CTX_settable_params(ctx);
	}
	is_there = known != NULL &&
		   OSSL_PARAM_locate_const(known, "nonce-type") != NULL;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return is_there;
}

static struct jwt_key *key_new(enum jwt_alg alg, EVP_PKEY *pkey)
{
	struct jwt_key *key = mem_array(1, sizeof(*key));

	key->alg = alg;
	key->pkey = pkey;
	return key;
}

static struct jwt_key *key_from_pem(
	enum jwt_alg alg, struct span pem, bool is_private, struct err *err)
{
	BIO *bio = NULL;
	EVP_PKEY *pkey = NULL;
	struct jwt_key *key = NULL;

	if (alg != JWT_ES256 && alg != JWT_RS256) {
		BUG("%s has no key pair", jwt_alg_name(alg));
	}
	if (pem.len == 0 || pem.len > JWT_KEY_FILE_MAX_BYTES) {
		(void)err_usage(err, 0, "not a PEM file");
		return NULL;
	}
	bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	if (bio == NULL) {
		(void)err_set(err, 0, "no memory for a key");
		return NULL;
	}
	pkey = is_private
		       ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
		       : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	if (pkey == NULL) {
		(void)err_usage(err, 0, "no %s key in PEM without passphrase",
			is_private ? "private" : "public");
	} else if (check_kind(alg, pkey, err) == 0) {
		key = key_new(alg, pkey);
		key->is_deterministic =
			alg == JWT_RS256 ||
			(is_private && can_be_deterministic(pkey));
		pkey = NULL;
	}
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	ERR_clear_error();
	return key;
}

struct jwt_key *jwt_key_private(
	enum jwt_alg alg, struct span pem, struct err *err)
{
	return key_from_pem(alg, pem, true, err);
}

struct jwt_key *jwt_key_secret(struct span secret, struct err *err)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac = NULL;
	EVP_MAC_CTX *mac = NULL;
	struct jwt_key *key = NULL;

	if (secret.len < JWT_SECRET_MIN_BYTES) {
		(void)err_usage(err, 0,
			"secret of %zu bytes, HS256 needs at least %d",
			secret.len, JWT_SECRET_MIN_BYTES);
		return NULL;
	}
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	mac = EVP_MAC_CTX_new(hmac);
	if (mac == NULL || EVP_MAC_init(mac, (const unsigned char *)secret.ptr,
				   secret.len, params) != 1) {
		(void)err_set(err, 0, "the library has no HMAC with SHA-256");
		EVP_MAC_CTX_free(mac);
	} else {
		key = key_new(JWT_HS256, NULL);
		key->mac = mac;
		key->is_deterministic = true;
	}
	EVP_MAC_free(hmac);
	ERR_clear_error();
	return key;
}

/* The three kinds of files differ in what is made of the bytes. */
enum file_kind { FILE_PRIVATE, FILE_PUBLIC, FILE_SECRET };

static struct jwt_key *key_from_bytes(enum jwt_alg alg, enum file_kind kind,
	struct span bytes, struct err *err)
{
	switch (kind) {
	case FILE_PRIVATE:
		return key_from_pem(alg, bytes, true, err);
	case FILE_PUBLIC:
		return key_from_pem(alg, bytes, false, err);
	case FILE_SECRET:
		break;
	}
	if (bytes.len > 0 && bytes.ptr[bytes.len - 1] == '\n') {
		bytes.len--;
		if (bytes.len > 0 && bytes.ptr[bytes.len - 1] == '\r') {
			bytes.len--;
		}
	}
	return jwt_key_secret(bytes, err);
}

static struct jwt_key *key_from_file(enum jwt_alg alg, enum file_kind kind,
	const char *path, struct err *err)
{
	struct jwt_key *key = NULL;
	struct buf bytes;

	buf_init(&bytes, JWT_KEY_FILE_MAX_BYTES);
	if (buf_read_file(&bytes, path, err) == 0) {
		key = key_from_bytes(
			alg, kind, (struct span){ bytes.data, bytes.len }, err);
		if (key == NULL) {
			(void)err_prefix(err, "key file '%s'", path);
		}
	}
	if (bytes.data != NULL) {
		OPENSSL_cleanse(bytes.data, bytes.cap);
	}
	buf_release(&bytes);
	return key;
}

struct jwt_key *jwt_key_private_file(
	enum jwt_alg alg, const char *path, struct err *err)
{
	return key_from_file(alg, FILE_PRIVATE, path, err);
}

struct jwt_key *jwt_key_public_file(
	enum jwt_alg alg, const char *path, struct err *err)
{
	return key_from_file(alg, FILE_PUBLIC, path, err);
}

struct jwt_key *jwt_key_secret_file(const char *path, struct err *err)
{
	return key_from_file(JWT_HS256, FILE_SECRET, path, err);
}

struct jwt_key *jwt_key_checker_file(
	enum jwt_alg alg, const char *path, struct err *err)
{
	return alg == JWT_HS256 ? jwt_key_secret_file(path, err)
				: jwt_key_public_file(alg, path, err);
}

enum jwt_alg jwt_key_alg(const struct jwt_key *key)
{
	return key->alg;
}

bool jwt_is_deterministic(const struct jwt_key *key)
{
	return key->is_deterministic;
}

void jwt_key_free(struct jwt_key *key)
{
	if (key == NULL) {
		return;
	}
	EVP_PKEY_free(key->pkey);
	EVP_MAC_CTX_free(key->mac);
	mem_free(key);
}

/* --- base64url --- */

static const char digits64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void jwt_put_base64url(struct buf *out, const void *ptr, size_t len)
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

/*
 * Decodes strictly: no padding, no foreign bytes, and no bits to spare, so that
 * every value has one spelling.  `out' has room.
 */
static bool decode64(struct span text, struct buf *out)
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
	jwt_put_base64url(&text, header.ptr, header.len);
	buf_putc(&text, '.');
	jwt_put_base64url(&text, claims.ptr, claims.len);
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
	jwt_put_base64url(&text, sig.data, sig.len);
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
		return "the header is not an object with alg and a kid of at "
		       "most 128 bytes";
	case JWT_BAD_ALG:
		return "the alg is not HS256, ES256 or RS256";
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
}

void jwt_release(struct jwt *t)
{
	buf_release(&t->text);
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

	if (alg.ptr == NULL ||
		(kid != NULL &&
			(text.ptr == NULL || text.len > JWT_KID_MAX_BYTES))) {
		fault = JWT_BAD_HEADER;
	} else if (json_get(root, "crit") != NULL ||
		   json_get(root, "b64") != NULL) {
		fault = JWT_CRITICAL;
	} else if (jwt_alg_parse(alg) == JWT_NONE) {
		fault = JWT_BAD_ALG;
	} else {
		t->alg = jwt_alg_parse(alg);
		if (kid != NULL) {
			memcpy(t->kid_text, text.ptr, text.len);
			t->kid_text[text.len] = '\0';
			t->kid = (struct span){ t->kid_text, text.len };
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

	if (!decode64(part, &t->text)) {
		return false;
	}
	*out = (struct span){ t->text.data + at, t->text.len - at };
	return true;
}

enum jwt_fault jwt_parse(struct jwt *t, struct span compact)
{
	struct span part[3];
	struct span header;
	struct span rest = compact;

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
	if (!decode_part(t, part[0], &header) ||
		!decode_part(t, part[1], &t->payload) ||
		!decode_part(t, part[2], &t->signature)) {
		return JWT_BAD_BASE64;
	}
	t->signing_input =
		(struct span){ compact.ptr, part[0].len + 1 + part[1].len };
	return parse_header(t, header);
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
