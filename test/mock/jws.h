/*
 * Takes a compact JWS (RFC 7515) apart and checks its signature.
 *
 * Written apart from lib/wire/jwt.c on purpose: this is the judge of what that
 * one makes, so they must not share a mistake.
 */
#ifndef PUSH_MOCK_JWS_H
#define PUSH_MOCK_JWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "record/json.h"

struct evp_pkey_st; /* EVP_PKEY */

enum { JWS_SIGNATURE_MAX_BYTES = 512, JWS_PART_MAX_BYTES = 8192 };

struct jws {
	struct json_doc *head;   /* owned */
	struct json_doc *claims; /* owned */
	struct span signed_text; /* borrowed: head and claims as sent */
	size_t signature_bytes;
	unsigned char signature[JWS_SIGNATURE_MAX_BYTES];
};

/* 0, or -1 when the text is not of that form.  Release it in both cases. */
int jws_parse(struct jws *j, struct span text) MUST_CHECK;
void jws_release(struct jws *j);

/* ECDSA on P-256 with SHA-256, signature R and S of 32 bytes each (RFC 7518
 * section 3.4); a DER signature is refused, as Apple does. */
bool jws_is_es256_by(const struct jws *j, struct evp_pkey_st *key);

/* RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3). */
bool jws_is_rs256_by(const struct jws *j, struct evp_pkey_st *key);

#endif
