/* Backoff and jitter: the only place in the engine that knows how long. */
#include "vendor/backoff.h"

#include "base/clock.h"

/* xorshift; good enough to keep workers from moving in step. */
static unsigned backoff_chance(void)
{
	static uint64_t state;

	if (state == 0) {
		state = (uint64_t)clock_unix_us() | 1U;
	}
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 33) % 1000);
}

int64_t backoff_of(int failures, unsigned chance)
{
	int64_t ms = BACKOFF_FIRST_MS;

	while (--failures > 0 && ms < BACKOFF_MAX_MS) {
		ms *= 2;
	}
	if (ms > BACKOFF_MAX_MS) {
		ms = BACKOFF_MAX_MS;
	}
	return ms / 2 + ms / 2 * (int64_t)chance / 1000;
}

int64_t backoff_ms(int failures)
{
	return backoff_of(failures, backoff_chance());
}

int64_t backoff_retry_ms(int64_t floor_ms, int64_t attempt)
{
	int64_t ms = floor_ms;

	while (--attempt > 0 && ms < BACKOFF_RETRY_MAX_MS) {
		ms *= 4;
	}
	return ms < BACKOFF_RETRY_MAX_MS ? ms : (int64_t)BACKOFF_RETRY_MAX_MS;
}

int64_t backoff_jitter_ms(int64_t base_ms)
{
	return base_ms + base_ms / 4 * (int64_t)backoff_chance() / 1000;
}
