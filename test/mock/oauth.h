/* The stand-in for Google's token endpoint. */
#ifndef PUSH_MOCK_OAUTH_H
#define PUSH_MOCK_OAUTH_H

#include <stdint.h>

#include "credentials.h"
#include "exchange.h"

struct oauth;

/* `credentials' is borrowed and stays as it is.  Access tokens live for
 * `life_s' seconds. */
struct oauth *oauth_new(const struct credentials *credentials, int64_t life_s);
void oauth_free(struct oauth *o);

struct vendor oauth_vendor(struct oauth *o);

/* Whom this access token was given to; NULL when it never was, or is over. */
const struct google_account *oauth_account(
	const struct oauth *o, struct span access_token);

/* From now on no access token given so far is any good. */
void oauth_revoke(struct oauth *o);

#endif
