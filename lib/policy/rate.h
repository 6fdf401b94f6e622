/*
 * Rate limits: at most `limit' units at once, given back evenly over `per'.
 *
 * A bucket is one number, the moment at which it will be full again, so that it
 * fits into a key of Redis (lib/store/rates.lua does the same sum).  What does
 * not fit now may be told how long to wait: its units are then taken already,
 * and it need not ask again.
 */
#ifndef PUSH_POLICY_RATE_H
#define PUSH_POLICY_RATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "record/json.h"
#include "record/record.h"

struct rate {
	int64_t limit; /* units; 0: nothing passes */
	int64_t per_ms;
	int64_t max_wait_ms; /* what would wait longer is refused; 0: all */
};

struct rate_ask {
	struct span key; /* which bucket; borrowed */
	struct rate rate;
	int64_t units; /* at least 1; more than the limit count as limit */
	int64_t now_unix_us; /* what a store of our own takes as now */
	int64_t wait_ms;     /* the answer: 0 now, > 0 then, -1 refused */
};

/* Takes from the bucket and sets ask->wait_ms.  `full_us' is the bucket: 0 at
 * first. */
void rate_take(struct rate_ask *ask, double *full_us);

/* `limit', `per' and, where it is allowed, `wait' of an object whose types
 * have been checked.  A missing limit or per is 0. */
struct rate rate_from(const struct json *v);

/* How many notifications a task asks for: its users and devices, 1 at least.  The
 * rest of a segment tells how many users the page before it had. */
int64_t rate_units(const struct record *r);

#endif
