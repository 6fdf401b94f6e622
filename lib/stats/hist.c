/*
 * Log-scale histogram.  A value v >= 32 of bit length n lands in the bin of its
 * octave and its next five bits; smaller values have a bin each.  The bins
 * are one array, so a merge is a sum and a quantile is a walk.
 */
#include "stats/hist.h"

#include "base/mem.h"

enum { STEPS = 1 << HIST_STEP_BITS };

static const int64_t limits_us[HIST_LIMIT_COUNT] = { 100, 250, 500, 1000, 2500,
	5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
	5000000, 10000000, 30000000, 60000000, 120000000, 300000000 };

static size_t bin_of(uint64_t v)
{
	unsigned shift;

	if (v < STEPS) {
		return (size_t)v;
	}
	shift = 63U - (unsigned)__builtin_clzll(v) - HIST_STEP_BITS;
	return (size_t)shift * STEPS + (size_t)(v >> shift);
}

/* The middle of a bin, which stands for all that is in it. */
static int64_t bin_middle(size_t bin)
{
	uint64_t shift;
	uint64_t low;

	if (bin < 2 * STEPS) {
		return (int64_t)bin;
	}
	shift = bin / STEPS - 1;
	low = (uint64_t)(bin - shift * STEPS) << shift;
	return (int64_t)(low + ((1ULL << shift) - 1) / 2);
}

static size_t limit_of(int64_t us)
{
	size_t low = 0;
	size_t high = HIST_LIMIT_COUNT;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (us <= limits_us[middle]) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return low;
}

/* Sums of times that nobody can mean stop at the greatest number. */
static int64_t sum(int64_t a, int64_t b)
{
	int64_t c;

	return __builtin_add_overflow(a, b, &c) ? INT64_MAX : c;
}

static void grow(struct hist *h, size_t bin_count)
{
	bin_count = (bin_count + STEPS - 1) / STEPS * STEPS;
	h->bins = mem_resize(h->bins, bin_count, sizeof(*h->bins));
	for (size_t i = h->bin_count; i < bin_count; i++) {
		h->bins[i] = 0;
	}
	h->bin_count = bin_count;
}

void hist_release(struct hist *h)
{
	mem_free(h->bins);
	*h = (struct hist){ 0 };
}

void hist_add(struct hist *h, int64_t us)
{
	size_t bin = bin_of((uint64_t)us);

	if (bin >= h->bin_count) {
		grow(h, bin + 1);
	}
	h->bins[bin]++;
	h->within[limit_of(us)]++;
	if (h->count == 0 || us < h->min_us) {
		h->min_us = us;
	}
	if (us > h->max_us) {
		h->max_us = us;
	}
	h->sum_us = sum(h->sum_us, us);
	h->count++;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	if (from->count == 0) {
		return;
	}
	if (from->bin_count > into->bin_count) {
		grow(into, from->bin_count);
	}
	for (size_t i = 0; i < from->bin_count; i++) {
		into->bins[i] += from->bins[i];
	}
	for (size_t i = 0; i <= HIST_LIMIT_COUNT; i++) {
		into->within[i] += from->within[i];
	}
	if (into->count == 0 || from->min_us < into->min_us) {
		into->min_us = from->min_us;
	}
	if (from->max_us > into->max_us) {
		into->max_us = from->max_us;
	}
	into->sum_us = sum(into->sum_us, from->sum_us);
	into->count += from->count;
}

int64_t hist_quantile_us(const struct hist *h, unsigned per_mille)
{
	uint64_t rank = h->count / 1000 * per_mille +
			(h->count % 1000 * per_mille + 999) / 1000;
	uint64_t seen = 0;

	if (h->count == 0) {
		return 0;
	}
	if (rank >= h->count) {
		return h->max_us;
	}
	for (size_t i = 0; i < h->bin_count; i++) {
		int64_t middle;

		seen += h->bins[i];
		if (seen < rank) {
			continue;
		}
		middle = bin_middle(i);
		if (middle < h->min_us) {
			return h->min_us;
		}
		return middle > h->max_us ? h->max_us : middle;
	}
	return h->max_us;
}

double hist_mean_us(const struct hist *h)
{
	return h->count == 0 ? 0 : (double)h->sum_us / (double)h->count;
}

int64_t hist_limit_us(size_t i)
{
	return limits_us[i];
}
