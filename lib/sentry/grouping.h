/*
 * Log lines that say the same: one group, of which one event is sent now and
 * then.  What varies in a text (numbers, ids, what stands in quotes) does not
 * make another group.  Pure: time comes in as an argument.
 */
#ifndef PUSH_SENTRY_GROUPING_H
#define PUSH_SENTRY_GROUPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/span.h"

enum { GROUPS_MAX = 256, GROUP_TEXT_BYTES = 200 };

struct group {
	struct digest identity;
	char text[GROUP_TEXT_BYTES + 1]; /* with what varies left out */
	int64_t sent_mono_ms;            /* the last event */
	int64_t seen_mono_ms;
	uint64_t held; /* lines since then that made no event */
};

struct grouping {
	size_t count;
	struct group groups[GROUPS_MAX];
};

/*
 * The group of this line when an event is due for it, else NULL, and the
 * line is counted in its group.  With an event, *held tells how many lines it
 * stands for besides its own.  When there is no room, the group that was seen
 * longest ago is forgotten.
 */
const struct group *grouping_take(struct grouping *g, struct span program,
	struct span text, int64_t every_ms, int64_t now_mono_ms,
	uint64_t *held);

#endif
