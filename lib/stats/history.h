/*
 * The last two minutes, second by second: what the page draws.
 * Pure: whoever has a clock calls history_tick().
 */
#ifndef PUSH_STATS_HISTORY_H
#define PUSH_STATS_HISTORY_H

#include "base/buf.h"
#include "stats/live.h"
#include "stats/stats.h"

enum { HISTORY_S = 120 };

struct history;

struct history *history_new(void);
void history_free(struct history *h); /* accepts NULL */

/* Once a second: what has come since the last call.  `live' may be NULL. */
void history_tick(
	struct history *h, const struct stats *s, const struct live *live);

/* Appends one JSON object; push-stats(1) describes it. */
void history_json(const struct history *h, struct buf *out);

#endif
