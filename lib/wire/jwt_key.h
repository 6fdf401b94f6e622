/* What a key is; for jwt.c and jwt_key.c only. */
#ifndef PUSH_WIRE_JWT_KEY_H
#define PUSH_WIRE_JWT_KEY_H

#include "wire/jwt.h"

struct evp_pkey_st; /* OpenSSL names these EVP_PKEY and EVP_MAC_CTX */
struct evp_mac_ctx_st;

struct jwt_key {
	enum jwt_alg alg;
	struct evp_pkey_st *pkey; /* owned; ES256 and RS256 */
	/* Owned; HS256, begun anew for each token. */
	struct evp_mac_ctx_st *mac;
	bool is_deterministic;
};

#endif
