/*
 * Names of the registry's keys in Redis: PREFIX APP:NAME, with ':' and '%' in APP
 * escaped, so that different pairs have different keys.
 *
 * In a cluster PREFIX {APP}:NAME, so that all keys of an app share a slot: a
 * script that registers a device touches a token's and two users'.  There '{'
 * and '}' are escaped, too, and no app is '%'.
 */
#ifndef PUSH_STORE_REGISTRY_KEY_H
#define PUSH_STORE_REGISTRY_KEY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

struct registry_kind {
	const char *prefix;
	bool is_tagged; /* for a cluster */
};

/* Writes it into `b'; borrowed from there. */
struct span registry_key(struct buf *b, const struct registry_kind *kind,
	struct span app, struct span name);

/* A pattern of SCAN for all keys of that kind, in a cluster for those of the app;
 * likewise. */
struct span registry_pattern(
	struct buf *b, const struct registry_kind *kind, struct span app);

/* Takes it apart; `app' gets the unescaped app, *name is borrowed from `key'.
 * False for a key that is none. */
bool registry_key_parse(struct span key, const struct registry_kind *kind,
	struct buf *app, struct span *name);

#endif
