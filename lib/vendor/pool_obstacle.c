/* Why nothing can be sent, and what becomes then of what waits. */
#include "base/clock.h"
#include "base/log.h"
#include "vendor/backoff.h"
#include "vendor/pool_core.h"

enum {
	OBSTACLE_WAIT_MS = 2 * 1000, /* for a first connection or a token */
	LEAST_RETRY_MS = 1000,
	STALL_MS = 2 * 1000, /* without an answer */
};

/* --- the breaker --- */

static void pool_tell(struct pool *p, enum breaker_event event)
{
	const struct breaker *b = &p->breaker;

	if (event == BREAKER_RECOVERED) {
		pace_restart(&p->pace);
	}
	if (event == BREAKER_OPENED) {
		log_error("%s: breaker open: %s; a probe in %lld ms",
			p->authority, reason_row(b->reason)->name,
			(long long)breaker_wait_ms(b, clock_mono_ms()));
	} else if (event == BREAKER_RECOVERED) {
		log_warn("%s: breaker closed: the probe was answered",
			p->authority);
	}
}

void pool_good(struct pool *p)
{
	pool_tell(p, breaker_good(&p->breaker));
}

void pool_bad(struct pool *p)
{
	pool_tell(p, breaker_bad(&p->breaker, clock_mono_ms()));
}

void pool_break(struct pool *p, enum reason reason, int64_t for_ms)
{
	bool is_news = p->breaker.state != BREAKER_OPEN;

	breaker_open(&p->breaker, reason, clock_mono_ms() + for_ms);
	pool_tell(p, is_news ? BREAKER_OPENED : BREAKER_SAME);
}

bool pool_is_broken(const struct pool *p)
{
	return p->breaker.state != BREAKER_CLOSED;
}

/* --- obstacles --- */

static struct obstacle obstacle_until(
	enum reason reason, int64_t until_mono_ms, int64_t now_mono_ms)
{
	int64_t left = until_mono_ms - now_mono_ms;

	return (struct obstacle){ reason,
		left > LEAST_RETRY_MS ? left : LEAST_RETRY_MS, false };
}

struct obstacle pool_obstacle(struct pool *p, int64_t now)
{
	struct credential *c = p->credential;
	struct obstacle none = { REASON_NONE, 0, false };

	if (!breaker_lets(&p->breaker, now)) {
		return (struct obstacle){ p->breaker.reason,
			breaker_wait_ms(&p->breaker, now), false };
	}
	if (now < c->held_mono_ms) {
		return obstacle_until(REASON_THROTTLED, c->held_mono_ms, now);
	}
	switch (credential_token(c, clock_unix_ms(), now)) {
	case TOKEN_READY:
		break;
	case TOKEN_COMING:
		none.is_waiting = true;
		break;
	case TOKEN_FAILING:
		return obstacle_until(
			REASON_VENDOR_UNAVAILABLE, c->next_try_mono_ms, now);
	case TOKEN_REFUSED:
		return obstacle_until(
			REASON_VENDOR_CONFIG, c->next_try_mono_ms, now);
	}
	if (p->ready == 0) {
		/* One failure may be a hiccup: what waits may go on waiting. */
		if (p->failures > 1 && now < p->next_connect_mono_ms) {
			return obstacle_until(REASON_VENDOR_UNAVAILABLE,
				p->next_connect_mono_ms, now);
		}
		none.is_waiting = true;
	}
	return none;
}

void pool_give_back(struct pool *p, struct flight *f, const struct obstacle *o)
{
	flight_remove(f);
	p->setup->events->on_unsent(
		p->setup->self, f, o->reason, backoff_jitter_ms(o->after_ms));
}

void pool_expire(struct pool *p, const struct obstacle *o, int64_t now)
{
	static const struct obstacle late = { REASON_VENDOR_UNAVAILABLE,
		LEAST_RETRY_MS, false };
	bool is_stalled = p->streams > 0 && now - p->heard_mono_ms > STALL_MS;
	int64_t limit_ms = p->setup->wait_ms;

	if (o->is_waiting) {
		limit_ms = OBSTACLE_WAIT_MS;
	} else if (is_stalled) {
		limit_ms = -1;
	}
	while (p->waiting.first != NULL &&
		now - p->waiting.first->due_mono_ms > limit_ms) {
		pool_give_back(p, p->waiting.first, &late);
	}
}
