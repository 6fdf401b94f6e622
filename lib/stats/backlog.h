/*
 * How many records were at a node at any time, rebuilt from the stamps they
 * carry: those that the node before had let go and this one had not.
 *
 * Time is cut into steps, and the backlog is known at the end of each.  Steps
 * are 1 µs at first and double whenever the captured time would need more
 * than BACKLOG_STEPS of them, so memory is bounded and short captures are
 * exact.  The order in which records come does not matter.
 */
#ifndef PUSH_STATS_BACKLOG_H
#define PUSH_STATS_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

enum { BACKLOG_STEPS = 1 << 17 };

/* Zeroed is empty.  The array's memory is its own: backlog_release(). */
struct backlog {
	int32_t *changes; /* owned; a ring: entered minus left in each step */
	int64_t low;      /* the first and the last step in use, */
	int64_t high;     /* counted from 1970 */
	unsigned shift;   /* a step is 1 << shift µs */
	int64_t from_unix_us; /* first to enter */
	int64_t to_unix_us;   /* last to leave */
	int64_t stay_us;      /* sum of all stays */
};

struct backlog_peak {
	int64_t max;        /* records, at the end of a step */
	int64_t at_unix_us; /* end of the first step that had as many */
	int64_t step_us;    /* length of a step */
	double mean;        /* over the time from first to last */
	int64_t from_unix_us;
	int64_t to_unix_us;
};

void backlog_release(struct backlog *b);

/* A record was here from `enter' on, until `leave', which is not before it. */
void backlog_add(
	struct backlog *b, int64_t enter_unix_us, int64_t leave_unix_us);

/* All zero when nothing was added. */
void backlog_peak(const struct backlog *b, struct backlog_peak *out);

/* The greatest backlog within each of `count' slices of `slice_us' from `from'
 * on. */
void backlog_series(const struct backlog *b, int64_t from_unix_us,
	int64_t slice_us, size_t count, int64_t *most);

#endif
