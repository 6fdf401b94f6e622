/*
 * What a reader of stops.h need not know: the version of the hash.  For
 * lib/store/stops*.c.
 */
#ifndef PUSH_STORE_STOPS_INNER_H
#define PUSH_STORE_STOPS_INNER_H

#include "store/stops.h"

#define STOPS_VERSION_FIELD "version"

enum { STOPS_VERSION_BYTES = 64 };

/* As stops_list(), with the version, "" for none, and how many fields the hash
 * had, ours or not. */
int stops_read(struct redis *r, struct stops *out,
	char version[STOPS_VERSION_BYTES], int64_t *fields,
	struct err *err) MUST_CHECK;

#endif
