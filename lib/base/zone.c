/*
 * TZif: a table of transitions, and behind it a rule for all time to come
 * (zone_rule.h).  Finding files by name is zones.c's.
 */
#include "base/zone.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/zone_rule.h"

enum {
	HEADER_BYTES = 44,
	TYPES_MAX = 256,
	RULE_MAX_BYTES = 128,
	DAY_S = 86400,
	HOUR_S = 3600,
};

struct zone {
	int64_t *at;          /* owned; transitions, ascending */
	unsigned char *types; /* owned; from then on */
	size_t count;
	int64_t offsets[TYPES_MAX]; /* seconds ahead of UTC, by type */
	struct zone_rule rule;
	struct zone_stretch last; /* what was asked last */
};

/* --- reading --- */

static int64_t number_at(const char *p, int bytes)
{
	uint64_t n = (unsigned char)p[0] >= 0x80 ? UINT64_MAX : 0;

	while (bytes-- > 0) {
		n = n << 8 | (unsigned char)*p++;
	}
	return (int64_t)n;
}

/* The six counts of a header, in the order of the file. */
enum { UT_INDICATORS, STD_INDICATORS, LEAPS, TIMES, TYPES, CHARS, COUNTS };

static bool header_parse(struct span file, size_t counts[COUNTS])
{
	if (file.len < HEADER_BYTES || memcmp(file.ptr, "TZif", 4) != 0) {
		return false;
	}
	for (int i = 0; i < COUNTS; i++) {
		int64_t n = number_at(file.ptr + 20 + i * 4, 4);

		if (n < 0 || n > ZONE_FILE_MAX_BYTES) {
			return false;
		}
		counts[i] = (size_t)n;
	}
	return true;
}

static size_t body_bytes(const size_t counts[COUNTS], size_t time_bytes)
{
	return counts[TIMES] * (time_bytes + 1) + counts[TYPES] * 6 +
	       counts[CHARS] + counts[LEAPS] * (time_bytes + 4) +
	       counts[STD_INDICATORS] + counts[UT_INDICATORS];
}

/* The last line of the file; an empty one means that nothing is known. */
static bool footer_parse(struct span rest, struct zone_rule *rule)
{
	char text[RULE_MAX_BYTES];

	if (rest.len < 2 || rest.len >= sizeof(text) || rest.ptr[0] != '\n' ||
		rest.ptr[rest.len - 1] != '\n') {
		return false;
	}
	if (rest.len == 2) {
		return true;
	}
	memcpy(text, rest.ptr + 1, rest.len - 2);
	text[rest.len - 2] = '\0';
	return zone_rule_parse(text, rule);
}

static bool body_parse(
	struct zone *z, const char *at, const size_t counts[COUNTS])
{
	const char *types = at + counts[TIMES] * 8;
	const char *offsets = types + counts[TIMES];

	z->count = counts[TIMES];
	z->at = mem_array(z->count + 1, sizeof(*z->at));
	z->types = mem_array(z->count + 1, 1);
	for (size_t i = 0; i < counts[TYPES]; i++) {
		z->offsets[i] = number_at(offsets + i * 6, 4);
		if (z->offsets[i] < -26 * HOUR_S ||
			z->offsets[i] > 26 * HOUR_S) {
			return false;
		}
	}
	for (size_t i = 0; i < z->count; i++) {
		z->at[i] = number_at(at + i * 8, 8);
		z->types[i] = (unsigned char)types[i];
		if (z->types[i] >= counts[TYPES] ||
			(i > 0 && z->at[i] <= z->at[i - 1])) {
			return false;
		}
	}
	return true;
}

int zone_parse(struct zone **out, struct span file)
{
	size_t counts[COUNTS];
	struct zone *z;
	size_t bytes;

	/* The first body has 32 bits a time; the second one is the one to use. */
	if (file.len > ZONE_FILE_MAX_BYTES || !header_parse(file, counts) ||
		file.ptr[4] < '2') {
		return -1;
	}
	bytes = HEADER_BYTES + body_bytes(counts, 4);
	if (bytes > file.len) {
		return -1;
	}
	file = (struct span){ file.ptr + bytes, file.len - bytes };
	if (!header_parse(file, counts) || counts[TYPES] < 1 ||
		counts[TYPES] > TYPES_MAX) {
		return -1;
	}
	bytes = HEADER_BYTES + body_bytes(counts, 8);
	if (bytes > file.len) {
		return -1;
	}
	z = mem_array(1, sizeof(*z));
	if (!body_parse(z, file.ptr + HEADER_BYTES, counts) ||
		!footer_parse(
			(struct span){ file.ptr + bytes, file.len - bytes },
			&z->rule)) {
		zone_free(z);
		return -1;
	}
	*out = z;
	return 0;
}

void zone_free(struct zone *z)
{
	if (z != NULL) {
		mem_free(z->at);
		mem_free(z->types);
		mem_free(z);
	}
}

/* --- asking --- */

/* How many transitions are at or before the instant. */
static size_t passed(const struct zone *z, int64_t unix_s)
{
	size_t low = 0;
	size_t high = z->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (z->at[mid] <= unix_s) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

static void look(struct zone *z, int64_t unix_s)
{
	size_t count = passed(z, unix_s);

	if (unix_s >= z->last.from_s && unix_s < z->last.until_s) {
		return;
	}
	if (count == z->count && z->rule.is_there) {
		zone_rule_look(&z->rule, unix_s, &z->last);
		if (count > 0 && z->last.from_s < z->at[count - 1]) {
			z->last.from_s = z->at[count - 1];
		}
		return;
	}
	z->last.from_s = count == 0 ? INT64_MIN : z->at[count - 1];
	z->last.until_s = count == z->count ? INT64_MAX : z->at[count];
	z->last.offset_s = z->offsets[count == 0 ? 0 : z->types[count - 1]];
}

int64_t zone_offset_s(struct zone *z, int64_t unix_s)
{
	look(z, unix_s);
	return z->last.offset_s;
}

int64_t zone_next_change(struct zone *z, int64_t unix_s)
{
	look(z, unix_s);
	return z->last.until_s;
}

int64_t zone_end_of(
	struct zone *z, int64_t unix_s, int64_t from_s, int64_t to_s)
{
	for (;;) {
		int64_t local = unix_s + zone_offset_s(z, unix_s);
		int64_t clock = (local % DAY_S + DAY_S) % DAY_S;
		bool is_in = from_s < to_s ? clock >= from_s && clock < to_s
					   : clock >= from_s || clock < to_s;
		int64_t left = to_s - clock + (to_s <= clock ? DAY_S : 0);

		if (!is_in) {
			return unix_s;
		}
		if (zone_next_change(z, unix_s) > unix_s + left) {
			return unix_s + left;
		}
		unix_s = zone_next_change(z, unix_s);
	}
}
