/*
 * Signed tokens: compact JWS (RFC 7515) with HS256, ES256 or RS256 (RFC 7518).
 *
 * Makes the tokens that we show to vendors and checks the tasks that producers
 * sign.  Which claims a token must have is not decided here: apns.c and fcm.c
 * write ours, policy/auth judges theirs.
 */
#ifndef PUSH_WIRE_JWT_H
#define PUSH_WIRE_JWT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum jwt_alg { JWT_NONE, JWT_HS256, JWT_ES256, JWT_RS256 };

enum {
	JWT_HEADER_MAX_BYTES = 1024, /* decoded */
	JWT_KID_MAX_BYTES = 128,
	JWT_KEY_FILE_MAX_BYTES = 64 * 1024,
	JWT_SECRET_MIN_BYTES = 32, /* RFC 7518 section 3.2: as the hash */
};

/* JWT_NONE for a name that is not one of ours; "none" is not. */
enum jwt_alg jwt_alg_parse(struct span name);
const char *jwt_alg_name(enum jwt_alg alg);

/* --- keys --- */

struct jwt_key; /* opaque; used by one thread at a time */

/*
 * A private key for JWT_ES256 (P-256; Apple's .p8 is such a PEM) or JWT_RS256
 * (2048 bits or more).  NULL, and a usage failure in `err', when it is no such
 * key.  Messages never show key material.
 */
struct jwt_key *jwt_key_private(
	enum jwt_alg alg, struct span pem, struct err *err);
struct jwt_key *jwt_key_private_file(
	enum jwt_alg alg, const char *path, struct err *err);

/* A public key in PEM ("BEGIN PUBLIC KEY"), to verify JWT_ES256 with. */
struct jwt_key *jwt_key_public_file(
	enum jwt_alg alg, const char *path, struct err *err);

/* A shared secret for JWT_HS256: the bytes as they are, or the file's without
 * the newline at its end. */
struct jwt_key *jwt_key_secret(struct span secret, struct err *err);
struct jwt_key *jwt_key_secret_file(const char *path, struct err *err);

/* What signatures of `alg' are checked with: jwt_key_secret_file() for HS256,
 * else jwt_key_public_file(). */
struct jwt_key *jwt_key_checker_file(
	enum jwt_alg alg, const char *path, struct err *err);

enum jwt_alg jwt_key_alg(const struct jwt_key *key);

/* Wipes and frees; accepts NULL. */
void jwt_key_free(struct jwt_key *key);

/* --- making --- */

/*
 * Appends the compact form of `header' and `claims', two JSON objects, signed
 * with `key'.  The header's "alg" must be the key's: the caller writes it.  0,
 * or -1 when the library refuses.
 *
 * ES256 signatures are deterministic (RFC 6979), so that all workers make the
 * same token, where the library can (OpenSSL 3.2 and later); with an older one
 * tokens of the same content differ in the signature only.
 */
int jwt_sign(const struct jwt_key *key, struct span header, struct span claims,
	struct buf *out, struct err *err) MUST_CHECK;

/* True when ES256 signatures of this process repeat for equal content. */
bool jwt_is_deterministic(const struct jwt_key *key);

/* --- checking --- */

enum jwt_fault {
	JWT_OK,
	JWT_NOT_COMPACT, /* not three parts */
	JWT_BAD_BASE64,  /* RFC 7515 section 2: no padding, no other bytes */
	JWT_TOO_LARGE,
	JWT_BAD_HEADER, /* not an object with a text "alg" */
	JWT_BAD_ALG,    /* an alg that is not one of ours, or none */
	JWT_CRITICAL,   /* "crit" or "b64": extensions we do not have */
	JWT_WRONG_ALG,  /* the header's alg is not the key's */
	JWT_BAD_SIGNATURE,
};

/* "the signature does not match": one lower-case phrase, a literal. */
const char *jwt_fault_text(enum jwt_fault fault);

/* A parsed token.  Spans live until the next parse or jwt_release(). */
struct jwt {
	enum jwt_alg alg;
	struct span kid;     /* { NULL, 0 } when the header has none */
	struct span payload; /* decoded; any bytes */

	struct buf text; /* owned; decoded header, payload and signature */
	struct {
		struct buf text; /* owned; as it was encoded; empty: none yet */
		enum jwt_alg alg;
		struct span kid; /* in kid_text */
	} header; /* the last good one: a signer's are all the same */
	struct span signing_input; /* borrowed from what was parsed */
	struct span signature;
	char kid_text[JWT_KID_MAX_BYTES + 1];
};

/* `max_bytes' bounds the compact form. */
void jwt_init(struct jwt *t, size_t max_bytes);
void jwt_release(struct jwt *t);

/* Takes the compact form apart; verifies nothing.  `compact' must live until
 * jwt_verify(). */
enum jwt_fault jwt_parse(struct jwt *t, struct span compact) MUST_CHECK;

/* Verifies the signature, in constant time for HS256.  JWT_OK,
 * JWT_WRONG_ALG or JWT_BAD_SIGNATURE. */
enum jwt_fault jwt_verify(
	const struct jwt *t, const struct jwt_key *key) MUST_CHECK;

#endif
