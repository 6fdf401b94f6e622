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

/* What may go at once, of a platform of an app. */
struct prune_brake {
	int64_t percent; /* of its registered devices; 100: any share */
	uint64_t most; /* however many there are: a share of millions is many */
};

/* 0 when no platform of any app would lose more; else a usage failure that
 * tells the first such. */
int prune_judge(struct prune *p, const struct prune_brake *brake,
	struct err *err) MUST_CHECK;

#endif
