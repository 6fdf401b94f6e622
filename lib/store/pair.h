/*
 * Values of the registry in an LMDB file: two names and what follows them.
 *
 * Length of app, length of name (2 bytes each), app, name, the rest.  All numbers
 * are big endian.
 */
#ifndef PUSH_STORE_PAIR_H
#define PUSH_STORE_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* Appends the two names. */
void pair_write(struct buf *b, struct span app, struct span name);

/* Takes a value apart, borrowed from it; false for one that is not ours. */
bool pair_parse(struct span value, struct span *app, struct span *name,
	struct span *rest);

void pair_put_number(struct buf *b, uint64_t n, int bytes);
uint64_t pair_number_at(const char *ptr, int bytes);

#endif
