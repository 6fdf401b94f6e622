/*
 * A histogram of durations: compact, fixed error, exact where it can be.
 *
 * Bins are logarithmic with 32 steps an octave.  Count, sum, least and greatest
 * are exact; a quantile is the middle of its bin, so it is off by at most
 * 1/64 (1.6 %) and exact below 64 µs.  Beside the bins it counts exactly how
 * many were at most each of a few round limits, which is what Prometheus asks.
 */
#ifndef PUSH_STATS_HIST_H
#define PUSH_STATS_HIST_H

#include <stddef.h>
#include <stdint.h>

enum {
	HIST_STEP_BITS = 5,    /* 32 steps an octave */
	HIST_LIMIT_COUNT = 20, /* see hist_limit_us() */
};

/* Zeroed is empty.  The arrays' memory is its own: hist_release(). */
struct hist {
	uint64_t count;
	int64_t sum_us;
	int64_t min_us; /* 0 while empty */
	int64_t max_us;
	/* How many were at most this limit and over the one before; the last
	 * member counts those over all limits. */
	uint64_t within[HIST_LIMIT_COUNT + 1];
	uint64_t *bins; /* owned; bin_count of them, grown on demand */
	size_t bin_count;
};

void hist_release(struct hist *h);

/* `us' is not negative. */
void hist_add(struct hist *h, int64_t us);

void hist_merge(struct hist *into, const struct hist *from);

/* The nearest-rank quantile; `per_mille' in [1, 1000].  0 when empty. */
int64_t hist_quantile_us(const struct hist *h, unsigned per_mille);

/* 0 when empty. */
double hist_mean_us(const struct hist *h);

/* The limits, ascending; `i' below HIST_LIMIT_COUNT. */
int64_t hist_limit_us(size_t i);

#endif
