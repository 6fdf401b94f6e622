/* The breaker's three states. */
#include "vendor/breaker.h"

#include "vendor/backoff.h"

enum { LEAST_WAIT_MS = 1000 };

bool breaker_lets(struct breaker *b, int64_t now_mono_ms)
{
	if (b->state == BREAKER_OPEN && now_mono_ms >= b->until_mono_ms) {
		b->state = BREAKER_PROBE;
		b->has_probe = false;
	}
	return b->state == BREAKER_CLOSED ||
	       (b->state == BREAKER_PROBE && !b->has_probe);
}

void breaker_sent(struct breaker *b)
{
	b->has_probe = b->state == BREAKER_PROBE;
}

enum breaker_event breaker_good(struct breaker *b)
{
	bool was_probe = b->state == BREAKER_PROBE;

	if (b->state == BREAKER_OPEN) {
		return BREAKER_SAME; /* of before; the probe will tell */
	}
	*b = (struct breaker){ .state = BREAKER_CLOSED };
	return was_probe ? BREAKER_RECOVERED : BREAKER_SAME;
}

static void open_again(struct breaker *b, int64_t until_mono_ms)
{
	b->state = BREAKER_OPEN;
	b->has_probe = false;
	b->failures = 0;
	b->until_mono_ms = until_mono_ms;
}

enum breaker_event breaker_bad(struct breaker *b, int64_t now_mono_ms)
{
	if (b->state == BREAKER_OPEN) {
		return BREAKER_SAME;
	}
	b->failures++;
	if (b->state == BREAKER_CLOSED && b->failures < BREAKER_FAILURES) {
		return BREAKER_SAME;
	}
	if (b->state == BREAKER_CLOSED) {
		b->reason = REASON_VENDOR_UNAVAILABLE;
	}
	b->opens++;
	open_again(b, now_mono_ms + backoff_ms(b->opens));
	return BREAKER_OPENED;
}

void breaker_unknown(struct breaker *b)
{
	b->has_probe = false;
}

void breaker_open(struct breaker *b, enum reason reason, int64_t until_mono_ms)
{
	b->opens++;
	b->reason = reason;
	open_again(b, until_mono_ms);
}

int64_t breaker_wait_ms(const struct breaker *b, int64_t now_mono_ms)
{
	int64_t left =
		b->state == BREAKER_OPEN ? b->until_mono_ms - now_mono_ms : 0;

	return left > LEAST_WAIT_MS ? left : (int64_t)LEAST_WAIT_MS;
}
