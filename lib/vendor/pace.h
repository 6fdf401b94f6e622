/*
 * How fast one credential may send: at most so many a second, and less than that
 * at first, since vendors want load to rise slowly.
 *
 * Pure: time comes in as an argument.
 */
#ifndef PUSH_VENDOR_PACE_H
#define PUSH_VENDOR_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_limit {
	int64_t per_s;   /* notifications; 0: no limit */
	int64_t ramp_ms; /* from a tenth to all of it; 0: at once */
};

/* { 0 } has not begun. */
struct pace {
	double room; /* notifications that may go now */
	int64_t seen_mono_ms;
	int64_t begun_mono_ms;  /* of the ramp */
	int64_t booked_mono_ms; /* until when those are spread that were put
	                           off */
};

/* Is there room for one?  Looking takes nothing. */
bool pace_lets(
	struct pace *p, const struct pace_limit *limit, int64_t now_mono_ms);
void pace_sent(struct pace *p);

/* The ramp begins anew: the vendor was in trouble. */
void pace_restart(struct pace *p);

/* With `waiting' before it, would one more wait longer than a second? */
bool pace_is_long(const struct pace *p, const struct pace_limit *limit,
	int64_t waiting, int64_t now_mono_ms);

/* When one that is put off should come again: each later than the one before,
 * as fast as they can go. */
int64_t pace_put_off_ms(
	struct pace *p, const struct pace_limit *limit, int64_t now_mono_ms);

#endif
