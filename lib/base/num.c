/* Strict parsing: the whole text or nothing. */
#include "base/num.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int num_parse(const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end = NULL;
	long long n;

	if (text == NULL ||
		(text[0] != '-' && (text[0] < '0' || text[0] > '9'))) {
		return -1;
	}
	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < min || n > max) {
		return -1;
	}
	*out = n;
	return 0;
}

/* The number in front of a unit: 0 and where the unit starts, or -1. */
static int leading(const char *text, int64_t *out, const char **unit)
{
	char *end = NULL;
	long long n;

	if (text == NULL || text[0] < '0' || text[0] > '9') {
		return -1;
	}
	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0) {
		return -1;
	}
	*out = n;
	*unit = end;
	return 0;
}

struct unit {
	const char *name;
	int64_t factor;
};

static int scaled(const struct unit *units, const char *text, int64_t *out)
{
	const char *unit = NULL;
	int64_t n = 0;

	if (leading(text, &n, &unit) != 0) {
		return -1;
	}
	for (; units->name != NULL; units++) {
		if (strcmp(unit, units->name) == 0) {
			return __builtin_mul_overflow(n, units->factor, out)
				       ? -1
				       : 0;
		}
	}
	return -1;
}

int num_parse_duration(const char *text, int64_t *out_ms)
{
	static const struct unit units[] = {
		{ "ms", 1 },
		{ "s", 1000 },
		{ "m", 60 * 1000 },
		{ "h", 60 * 60 * 1000 },
		{ "d", 24 * 60 * 60 * 1000 },
		{ NULL, 0 },
	};

	if (text != NULL && strcmp(text, "0") == 0) {
		*out_ms = 0;
		return 0;
	}
	return scaled(units, text, out_ms);
}

int num_parse_bytes(const char *text, size_t *out_bytes)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "K", 1024 },
		{ "M", 1024 * 1024 },
		{ "G", 1024 * 1024 * 1024 },
		{ NULL, 0 },
	};
	int64_t n = 0;

	if (scaled(units, text, &n) != 0) {
		return -1;
	}
	*out_bytes = (size_t)n;
	return 0;
}

/* How many decimal digits: 1233 / 4096 is a little more than log10(2), so that
 * the guess by the bits is right or one too low. */
static size_t digits_of(uint64_t n)
{
	static const uint64_t powers[] = { 0, 10, 100, 1000, 10000, 100000,
		1000000, 10000000, 100000000, 1000000000, 10000000000,
		100000000000, 1000000000000, 10000000000000, 100000000000000,
		1000000000000000, 10000000000000000, 100000000000000000,
		1000000000000000000, UINT64_C(10000000000000000000) };
	size_t bits = 64 - (size_t)__builtin_clzll(n | 1);
	size_t guess = bits * 1233 / 4096;

	return guess + (n >= powers[guess]);
}

size_t num_format_u64(char *dst, uint64_t n)
{
	static const char pairs[] = "0001020304050607080910111213141516171819"
				    "2021222324252627282930313233343536373839"
				    "4041424344454647484950515253545556575859"
				    "6061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	size_t len = digits_of(n);
	size_t at = len;

	for (; n >= 100; n /= 100) {
		at -= 2;
		memcpy(dst + at, pairs + n % 100 * 2, 2);
	}
	if (n >= 10) {
		memcpy(dst, pairs + n * 2, 2);
	} else {
		dst[0] = (char)('0' + n);
	}
	return len;
}
