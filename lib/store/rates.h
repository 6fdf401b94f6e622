/*
 * Where the buckets of rate limits are: in Redis, shared by all workers, in an
 * LMDB file, shared by this machine's programs, or in this process alone.
 */
#ifndef PUSH_STORE_RATES_H
#define PUSH_STORE_RATES_H

#include <stddef.h>

#include "base/err.h"
#include "policy/rate.h"
#include "record/conf.h"

struct rates;

/*
 * By URL: redis://..., unix://... or lmdb:PATH; NULL and "memory:" are this
 * process alone.  -1: a wrong URL is a usage failure, an absent server
 * temporary.
 */
int rates_open(struct rates **out, const char *url, struct err *err) MUST_CHECK;

/* Opens *rates (which may be NULL) anew, unless it is at that URL already.  -1
 * leaves it as it was. */
int rates_follow(
	struct rates **rates, const char *url, struct err *err) MUST_CHECK;
void rates_close(struct rates *rates); /* accepts NULL */

/*
 * Takes what each asks for, in order, and sets the answers; asks of one key
 * have the same rate.  One round trip.  -1: a temporary failure; then some may
 * have been taken.
 */
int rates_exchange(struct rates *rates, struct rate_ask *asks, size_t count,
	struct err *err) MUST_CHECK;

#endif
