/*
 * Keys of signed tokens: read from PEM or a file of secret bytes, checked, wiped.
 * Sources: RFC 7518 (algorithms), read 2026-11.
 */
#include "wire/jwt_key.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "base/mem.h"

enum { RSA_MIN_BITS = 2048 };

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
	static const char pem[] = "-----BEGIN ";

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
	/* Who knows a public key could sign with it. */
	if (bytes.len > strlen(pem) &&
		memcmp(bytes.ptr, pem, strlen(pem)) == 0) {
		(void)err_usage(err, 0, "a PEM file is no secret of HS256");
		return NULL;
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
