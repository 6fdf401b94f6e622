/*
 * What one app has with Apple, from its settings in push.conf: a signing key or
 * a certificate, its topic, and how it wants to be sent for.
 */
#ifndef PUSH_VENDOR_APNS_ACCOUNT_H
#define PUSH_VENDOR_APNS_ACCOUNT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "record/conf.h"
#include "wire/jwt.h"

struct identity;

struct apns_account {
	char *topic;           /* owned, like all pointers here */
	struct digest secrets; /* of the files; tells when they have changed */

	/* Either a key with its names, */
	struct jwt_key *key;
	char *key_id;
	char *team_id;
	/* or a certificate. */
	struct identity *identity;

	bool is_sandbox; /* for tokens that do not say */
	bool tries_other;
	bool shortens;
	bool drops_ambiguous;
};

/* NULL, with a usage failure, when settings or files are wrong. */
struct apns_account *apns_account_new(
	const struct conf *conf, const struct json *settings, struct err *err);
void apns_account_free(struct apns_account *a);

/* Appends what makes connections of this account different from others'. */
void apns_account_identity(const struct apns_account *a, struct buf *out);

#endif
