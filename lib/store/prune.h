/*
 * Taking dead tokens out of the registry, with a brake.
 *
 * First all that vendors call dead in a queue's feedback are looked at, then the
 * brake decides, then they are removed.  The brake is for the day on which a wrong
 * credential or environment makes every token look dead: too large a share of an
 * app's devices of a platform at once is for a person to look at.
 */
#ifndef PUSH_STORE_PRUNE_H
#define PUSH_STORE_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "queue/feedback.h"
#include "store/devices.h"

enum { PRUNE_FEW = 100 }; /* up to so many a platform of an app are no leap */

/* What may go at once, of a platform of an app. */
struct prune {
	int64_t percent; /* of its registered devices; 100: any share */
	uint64_t most; /* however many there are: a share of millions is many */
	bool is_dry;   /* only count */
};

/*
 * Removes what the feedback since the last prune calls dead and is older than
 * that, and keeps the place behind it.  *count is how many were removed, also
 * before a failure, or with `is_dry' how many would be.  A usage failure, and
 * nothing removed, when a platform of an app would lose more than it may.
 */
int prune_run(const struct prune *p, struct devices *devices,
	struct feedback *feedback, uint64_t *count, struct err *err) MUST_CHECK;

#endif
