/* How long to wait after failures in a row, with jitter. */
#ifndef PUSH_VENDOR_BACKOFF_H
#define PUSH_VENDOR_BACKOFF_H

#include <stdint.h>

enum {
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MAX_MS = 60 * 1000,
	/* [A-err] speaks of 15 minutes after trouble of Apple's. */
	BACKOFF_RETRY_MAX_MS = 15 * 60 * 1000,
};

/* After the `failures'th failure in a row (from 1): 1 s doubling to 60 s, of
 * which the upper half is chance. */
int64_t backoff_ms(int failures);

/* The same with chance given, 0 to 999 of 1000. */
int64_t backoff_of(int failures, unsigned chance);

/* How long a record waits that leaves as a retry: `floor_ms' after its first
 * attempt, four times as long after each further one, at most 15 minutes. */
int64_t backoff_retry_ms(int64_t floor_ms, int64_t attempt);

/* `base_ms' and up to a quarter more. */
int64_t backoff_jitter_ms(int64_t base_ms);

#endif
