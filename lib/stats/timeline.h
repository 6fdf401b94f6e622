/*
 * How a duration went over time: a histogram for each slice of the captured
 * time.  Slices are 1 ms at first and double whenever the time would need more
 * than TIMELINE_SLICES of them, so memory is bounded.  The order in which
 * durations come does not matter.
 */
#ifndef PUSH_STATS_TIMELINE_H
#define PUSH_STATS_TIMELINE_H

#include <stdint.h>

#include "stats/hist.h"

enum { TIMELINE_SLICES = 128 };

/* Zeroed is empty.  The array's memory is its own: timeline_release(). */
struct timeline {
	struct hist *slices; /* owned; a ring */
	int64_t low;         /* the first and the last slice in use, */
	int64_t high;        /* counted from 1970 */
	unsigned shift;      /* a slice is 1 << shift µs */
};

void timeline_release(struct timeline *t);

/* `us', which is not negative, ended at `at'. */
void timeline_add(struct timeline *t, int64_t at_unix_us, int64_t us);

/* The histogram of a slice from `low' to `high'; may be empty. */
const struct hist *timeline_at(const struct timeline *t, int64_t slice);

#endif
