/* clock_gettime in the units the program counts in. */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

#include "base/err.h"

#ifdef CLOCK_MONOTONIC_COARSE /* Linux */
enum {
	ROUGH_UNIX = CLOCK_REALTIME_COARSE,
	ROUGH_MONO = CLOCK_MONOTONIC_COARSE
};
#else
enum { ROUGH_UNIX = CLOCK_REALTIME, ROUGH_MONO = CLOCK_MONOTONIC };
#endif

static int64_t read_us(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t) != 0) {
		BUG("clock %d cannot be read: errno %d", (int)id, errno);
	}
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_rough_unix_ms(void)
{
	return read_us(ROUGH_UNIX) / 1000;
}

int64_t clock_rough_mono_ms(void)
{
	return read_us(ROUGH_MONO) / 1000;
}

int64_t clock_unix_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t clock_unix_ms(void)
{
	return clock_unix_us() / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}
