/* Numbers, durations and sizes from text, and whole numbers to text. */
#ifndef PUSH_BASE_NUM_H
#define PUSH_BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A decimal whole number, the whole text, in [min, max]; 0 or -1. */
int num_parse(
	const char *text, int64_t min, int64_t max, int64_t *out) MUST_CHECK;

/* "250ms", "30s", "5m", "1h", "7d" to milliseconds; a unit is required, but
 * "0" needs none.  0 or -1. */
int num_parse_duration(const char *text, int64_t *out_ms) MUST_CHECK;

/* "4096", "64K", "8M", "1G" to bytes; 0 or -1. */
int num_parse_bytes(const char *text, size_t *out_bytes) MUST_CHECK;

/* Writes decimal digits without a NUL, returns how many.  `dst' has room for
 * NUM_U64_BYTES; not more than the digits is written. */
enum { NUM_U64_BYTES = 20 };
size_t num_format_u64(char *dst, uint64_t n);

#endif
