/*
 * Backlog over time from pairs of times.  The ring holds one signed change per
 * step; doubling the step folds it in place of a bigger array.  The mean
 * needs no steps: it is the sum of all stays over the time observed.
 */
#include "stats/backlog.h"

#include "base/mem.h"

enum { RING_MASK = BACKLOG_STEPS - 1 };

static void fold(struct backlog *b)
{
	int32_t *wider = mem_array(BACKLOG_STEPS, sizeof(*wider));

	for (int64_t step = b->low; step <= b->high; step++) {
		wider[(step >> 1) & RING_MASK] += b->changes[step & RING_MASK];
	}
	mem_free(b->changes);
	b->changes = wider;
	b->low >>= 1;
	b->high >>= 1;
	b->shift++;
}

static void change(struct backlog *b, int64_t at_unix_us, int32_t by)
{
	int64_t step = at_unix_us >> b->shift;

	for (;;) {
		int64_t low = step < b->low ? step : b->low;
		int64_t high = step > b->high ? step : b->high;

		if (high - low < BACKLOG_STEPS) {
			b->low = low;
			b->high = high;
			break;
		}
		fold(b);
		step >>= 1;
	}
	b->changes[step & RING_MASK] += by;
}

void backlog_release(struct backlog *b)
{
	mem_free(b->changes);
	*b = (struct backlog){ 0 };
}

void backlog_add(
	struct backlog *b, int64_t enter_unix_us, int64_t leave_unix_us)
{
	if (b->changes == NULL) {
		b->changes = mem_array(BACKLOG_STEPS, sizeof(*b->changes));
		b->low = enter_unix_us;
		b->high = enter_unix_us;
		b->from_unix_us = enter_unix_us;
		b->to_unix_us = leave_unix_us;
	}
	change(b, enter_unix_us, 1);
	change(b, leave_unix_us, -1);
	if (enter_unix_us < b->from_unix_us) {
		b->from_unix_us = enter_unix_us;
	}
	if (leave_unix_us > b->to_unix_us) {
		b->to_unix_us = leave_unix_us;
	}
	if (__builtin_add_overflow(
		    b->stay_us, leave_unix_us - enter_unix_us, &b->stay_us)) {
		b->stay_us = INT64_MAX;
	}
}

void backlog_peak(const struct backlog *b, struct backlog_peak *out)
{
	int64_t now = 0;

	*out = (struct backlog_peak){ 0 };
	if (b->changes == NULL) {
		return;
	}
	out->step_us = (int64_t)1 << b->shift;
	out->from_unix_us = b->from_unix_us;
	out->to_unix_us = b->to_unix_us;
	for (int64_t step = b->low; step <= b->high; step++) {
		now += b->changes[step & RING_MASK];
		if (now > out->max) {
			out->max = now;
			out->at_unix_us = (step + 1) << b->shift;
		}
	}
	if (b->to_unix_us > b->from_unix_us) {
		out->mean = (double)b->stay_us /
			    (double)(b->to_unix_us - b->from_unix_us);
	}
}

void backlog_series(const struct backlog *b, int64_t from_unix_us,
	int64_t slice_us, size_t count, int64_t *most)
{
	int64_t now = 0;
	size_t slice = 0;

	for (size_t i = 0; i < count; i++) {
		most[i] = 0;
	}
	if (b->changes == NULL) {
		return;
	}
	for (int64_t step = b->low; step <= b->high; step++) {
		int64_t at = (step << b->shift) - from_unix_us;

		while (slice + 1 < count &&
			at >= (int64_t)(slice + 1) * slice_us) {
			most[++slice] = now;
		}
		now += b->changes[step & RING_MASK];
		if (now > most[slice]) {
			most[slice] = now;
		}
	}
}
