/*
 * Taking dead tokens out of the registry, with a brake.
 *
 * First all are looked at, then the brake decides, then they are removed.  The
 * brake is for the day on which a wrong credential or environment makes every
 * token look dead: too large a share of an app's devices of a platform at once
 * is for a person to look at.
 */
#ifndef PUSH_STORE_PRUNE_H
#define PUSH_STORE_PRUNE_H

#include <stdint.h>

#include "base/err.h"
#include "store/devices.h"

enum { PRUNE_FEW = 100 }; /* up to so many a platform of an app are no leap */

struct prune;

struct prune *prune_new(struct devices *devices); /* borrowed */
void prune_free(struct prune *p);                 /* accepts NULL */

/* Looks at a token (app, platform, token) that a vendor calls dead since then;
 * the same one again counts once. */
int prune_look(struct prune *p, const struct device *d, int64_t dead_unix_ms,
	struct err *err) MUST_CHECK;

/* How many of them are registered and older than that; after prune_judge(). */
uint64_t prune_count(const struct prune *p);

/*
 * 0 when no more than `percent' of the devices of any platform of any app
 * would go; else a usage failure that tells the first such.
 */
int prune_judge(struct prune *p, int64_t percent, struct err *err) MUST_CHECK;

#endif
