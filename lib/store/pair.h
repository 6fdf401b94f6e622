/*
 * Entries of the registry in an LMDB file: a key of two digests, so that what has
 * the first one lies together, and a value of two names and what follows them.
 *
 * Value: length of app, length of name (2 bytes each), app, name, the rest.  All
 * numbers are big endian.
 */
#ifndef PUSH_STORE_PAIR_H
#define PUSH_STORE_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/span.h"

enum { PAIR_KEY_BYTES = 2 * DIGEST_BYTES };

struct pair_key {
	char bytes[PAIR_KEY_BYTES];
};

/* Of a name among those of an app. */
struct digest pair_digest(struct span app, struct span name);

/* Of two digests' bytes. */
struct pair_key pair_key_of(const void *first, const void *second);
struct span pair_key_span(const struct pair_key *key); /* borrowed from it */

/* Whether it begins with this digest. */
bool pair_key_has(struct span key, const void *first);

/* Appends the two names. */
void pair_write(struct buf *b, struct span app, struct span name);

/* Takes a value apart, borrowed from it; false for one that is not ours. */
bool pair_parse(struct span value, struct span *app, struct span *name,
	struct span *rest);

void pair_put_number(struct buf *b, uint64_t n, int bytes);
uint64_t pair_number_at(const char *ptr, int bytes);

#endif
