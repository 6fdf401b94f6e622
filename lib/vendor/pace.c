/* A bucket that fills faster while the ramp lasts. */
#include "vendor/pace.h"

enum {
	FIRST_PERCENT = 10,   /* of the rate, where the ramp begins */
	BURST_MS = 100,       /* what has gathered in so long goes at once */
	PAUSE_MS = 60 * 1000, /* without sending: the ramp begins anew */
	PATIENCE_MS = 1000,   /* longer waits are not ours */
	PUT_OFF_MAX_MS = 10 * 60 * 1000,
};

/* The ramp has not begun, or begins anew. */
static bool is_at_start(const struct pace *p, int64_t now_mono_ms)
{
	return p->begun_mono_ms == 0 ||
	       now_mono_ms - p->seen_mono_ms > PAUSE_MS;
}

static double rate_now(const struct pace *p, const struct pace_limit *limit,
	int64_t now_mono_ms)
{
	int64_t age_ms = is_at_start(p, now_mono_ms)
				 ? 0
				 : now_mono_ms - p->begun_mono_ms;
	double share;

	if (age_ms >= limit->ramp_ms) {
		return (double)limit->per_s;
	}
	share = (double)age_ms / (double)limit->ramp_ms;
	return (double)limit->per_s *
	       (FIRST_PERCENT + (100 - FIRST_PERCENT) * share) / 100;
}

bool pace_lets(
	struct pace *p, const struct pace_limit *limit, int64_t now_mono_ms)
{
	double rate;
	double most;

	if (limit->per_s == 0) {
		return true;
	}
	if (is_at_start(p, now_mono_ms)) {
		p->begun_mono_ms = p->seen_mono_ms = now_mono_ms;
		p->room = 1;
	}
	rate = rate_now(p, limit, now_mono_ms);
	most = rate * BURST_MS / 1000 < 1 ? 1 : rate * BURST_MS / 1000;
	p->room += rate * (double)(now_mono_ms - p->seen_mono_ms) / 1000;
	p->room = p->room > most ? most : p->room;
	p->seen_mono_ms = now_mono_ms;
	return p->room >= 1;
}

void pace_sent(struct pace *p)
{
	p->room -= 1;
}

void pace_restart(struct pace *p)
{
	p->begun_mono_ms = 0;
}

bool pace_is_long(const struct pace *p, const struct pace_limit *limit,
	int64_t waiting, int64_t now_mono_ms)
{
	return limit->per_s > 0 &&
	       (double)waiting * 1000 >
		       PATIENCE_MS * rate_now(p, limit, now_mono_ms);
}

int64_t pace_put_off_ms(
	struct pace *p, const struct pace_limit *limit, int64_t now_mono_ms)
{
	int64_t soonest = now_mono_ms + PATIENCE_MS;
	int64_t step_ms = 1000 / limit->per_s;

	if (p->booked_mono_ms < soonest) {
		p->booked_mono_ms = soonest;
	}
	p->booked_mono_ms += step_ms > 0 ? step_ms : 1;
	if (p->booked_mono_ms > now_mono_ms + PUT_OFF_MAX_MS) {
		p->booked_mono_ms = now_mono_ms + PUT_OFF_MAX_MS;
	}
	return p->booked_mono_ms - now_mono_ms;
}
