/*
 * The keys that sign tasks, of all apps, loaded from the files that push.conf
 * names: where the rules of who may send meet the signatures themselves.
 */
#ifndef PUSH_SIGN_KEYRING_H
#define PUSH_SIGN_KEYRING_H

#include "base/err.h"
#include "policy/auth.h"
#include "record/conf.h"
#include "wire/jwt.h"

struct keyring;

/* Loads the keys of `rules', which are borrowed for its life; a key that cannot
 * be read or is not of its algorithm is a usage failure. */
int keyring_new(struct keyring **out, const struct auth_rules *rules,
	const struct conf *conf, struct err *err) MUST_CHECK;
void keyring_free(struct keyring *k); /* accepts NULL */

/*
 * Parses the record's signed task into `jwt' and checks its signature by the
 * key of its app that it names.  REASON_NONE, or REASON_UNAUTHORIZED with why in
 * `fault', which also learns the key id of a good signature.
 */
enum reason keyring_verify(const struct keyring *k, const struct record *r,
	struct jwt *jwt, struct auth_fault *fault);

#endif
