/* A ring of histograms whose slices widen; compare backlog.c. */
#include "stats/timeline.h"

#include "base/mem.h"

enum { RING_MASK = TIMELINE_SLICES - 1, FIRST_SHIFT = 10 };

static void fold(struct timeline *t)
{
	struct hist *wider = mem_array(TIMELINE_SLICES, sizeof(*wider));

	for (int64_t i = t->low; i <= t->high; i++) {
		hist_merge(&wider[(i >> 1) & RING_MASK],
			&t->slices[i & RING_MASK]);
		hist_release(&t->slices[i & RING_MASK]);
	}
	mem_free(t->slices);
	t->slices = wider;
	t->low >>= 1;
	t->high >>= 1;
	t->shift++;
}

void timeline_release(struct timeline *t)
{
	for (int i = 0; t->slices != NULL && i < TIMELINE_SLICES; i++) {
		hist_release(&t->slices[i]);
	}
	mem_free(t->slices);
	*t = (struct timeline){ 0 };
}

void timeline_add(struct timeline *t, int64_t at_unix_us, int64_t us)
{
	if (t->slices == NULL) {
		t->slices = mem_array(TIMELINE_SLICES, sizeof(*t->slices));
		t->shift = FIRST_SHIFT;
		t->low = t->high = at_unix_us >> FIRST_SHIFT;
	}
	for (;;) {
		int64_t slice = at_unix_us >> t->shift;
		int64_t low = slice < t->low ? slice : t->low;
		int64_t high = slice > t->high ? slice : t->high;

		if (high - low < TIMELINE_SLICES) {
			t->low = low;
			t->high = high;
			hist_add(&t->slices[slice & RING_MASK], us);
			return;
		}
		fold(t);
	}
}

const struct hist *timeline_at(const struct timeline *t, int64_t slice)
{
	return &t->slices[slice & RING_MASK];
}
