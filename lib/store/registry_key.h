/*
 * Names of the registry's keys in Redis: PREFIX APP:NAME, with ':' and '%' in APP
 * escaped, so that different pairs have different keys.
 */
#ifndef PUSH_STORE_REGISTRY_KEY_H
#define PUSH_STORE_REGISTRY_KEY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/* Writes it into `b'; borrowed from there. */
struct span registry_key(
	struct buf *b, const char *prefix, struct span app, struct span name);

/* Takes it apart; `app' gets the unescaped app, *name is borrowed from `key'.
 * False for a key that is none. */
bool registry_key_parse(struct span key, const char *prefix, struct buf *app,
	struct span *name);

#endif
