/*
 * Buckets of rate limits in an LMDB file, shared by this machine's programs.  For
 * rates.c.
 */
#ifndef PUSH_STORE_RATES_EMBEDDED_H
#define PUSH_STORE_RATES_EMBEDDED_H

#include <stddef.h>

#include "base/err.h"
#include "policy/rate.h"

struct rates_embedded;

int rates_embedded_open(struct rates_embedded **out, const char *url,
	struct err *err) MUST_CHECK;
void rates_embedded_close(struct rates_embedded *e); /* accepts NULL */

/* As rates_exchange(), in one transaction; the clock is the records' own. */
int rates_embedded_exchange(struct rates_embedded *e, struct rate_ask *asks,
	size_t count, struct err *err) MUST_CHECK;

#endif
