/*
 * TZif: a table of transitions, and behind it a rule for all time to come.
 */
#include "base/zone.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
	HEADER_BYTES = 44,
	TYPES_MAX = 256,
	FILE_MAX_BYTES = 256 * 1024,
	NAME_MAX_BYTES = 64,
	PATH_MAX_BYTES = 512,
	DAY_S = 86400,
	HOUR_S = 3600,
	ZONES_SLOTS = 2048, /* a power of two */
	ZONES_MAX = 1024,   /* tzdata has about 600 names */
};

#define SYSTEM_FOLDER "/usr/share/zoneinfo"

/* When in a year the rule changes: POSIX.1-2008, 8.3, TZ. */
struct change {
	char form; /* 'M' month.week.day, 'J' day without 29 February, 'D' with */
	int month;
	int week;
	int day;
	int64_t time_s; /* of the local day; may lie outside of it */
};

struct rule {
	bool is_there;
	bool has_dst;
	int64_t std_s; /* ahead of UTC */
	int64_t dst_s;
	struct change begin; /* of daylight saving */
	struct change end;
};

struct zone {
	int64_t *at;          /* owned; transitions, ascending */
	unsigned char *types; /* owned; from then on */
	size_t count;
	int64_t offsets[TYPES_MAX]; /* seconds ahead of UTC, by type */
	struct rule rule;

	int64_t from_s; /* what was asked last: good for [from_s, until_s) */
	int64_t until_s;
	int64_t offset_s;
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

		if (n < 0 || n > FILE_MAX_BYTES) {
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

static bool number_parse(const char **at, int64_t max, int64_t *out)
{
	const char *p = *at;
	int64_t n = 0;

	while (*p >= '0' && *p <= '9' && n <= max) {
		n = n * 10 + (*p++ - '0');
	}
	*out = n;
	if (p == *at || n > max) {
		return false;
	}
	*at = p;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool time_parse(const char **at, int64_t *out_s)
{
	int64_t sign = **at == '-' ? -1 : 1;
	int64_t part = 0;

	*at += **at == '-' || **at == '+';
	if (!number_parse(at, 167, &part)) {
		return false;
	}
	*out_s = part * HOUR_S;
	for (int64_t unit = 60; unit > 0 && **at == ':'; unit /= 60) {
		(*at)++;
		if (!number_parse(at, 59, &part)) {
			return false;
		}
		*out_s += part * unit;
	}
	*out_s *= sign;
	return true;
}

/* Letters, or anything in <>. */
static bool name_skip(const char **at)
{
	const char *p = *at;

	if (*p == '<') {
		p = strchr(p, '>');
		*at = p == NULL ? *at : p + 1;
		return p != NULL;
	}
	while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')) {
		p++;
	}
	if (p - *at < 3) {
		return false;
	}
	*at = p;
	return true;
}

static bool change_parse(const char **at, struct change *c)
{
	int64_t parts[3] = { 0 };

	c->form = 'D';
	if (**at == 'M' || **at == 'J') {
		c->form = **at;
	}
	*at += c->form != 'D';
	if (!number_parse(at, 365, &parts[0])) {
		return false;
	}
	for (int i = 1; c->form == 'M' && i < 3; i++) {
		if (*(*at)++ != '.' || !number_parse(at, 6, &parts[i])) {
			return false;
		}
	}
	if (c->form == 'M' && (parts[0] < 1 || parts[0] > 12 || parts[1] < 1 ||
				      parts[1] > 5)) {
		return false;
	}
	c->month = (int)parts[0];
	c->week = (int)parts[1];
	c->day = c->form == 'M' ? (int)parts[2] : (int)parts[0];
	c->time_s = 2 * HOUR_S;
	if (**at == '/') {
		(*at)++;
		return time_parse(at, &c->time_s);
	}
	return true;
}

/* "CET-1CEST,M3.5.0,M10.5.0/3"; what stands there is west of Greenwich. */
static bool rule_parse(const char *at, struct rule *rule)
{
	if (!name_skip(&at) || !time_parse(&at, &rule->std_s)) {
		return false;
	}
	rule->is_there = true;
	rule->std_s = -rule->std_s;
	if (*at == '\0') {
		return true;
	}
	rule->has_dst = true;
	rule->dst_s = -(rule->std_s + HOUR_S);
	if (!name_skip(&at) || (*at != ',' && !time_parse(&at, &rule->dst_s))) {
		return false;
	}
	rule->dst_s = -rule->dst_s;
	return *at++ == ',' && change_parse(&at, &rule->begin) &&
	       *at++ == ',' && change_parse(&at, &rule->end) && *at == '\0';
}

/* The last line of the file; an empty one means that nothing is known. */
static bool footer_parse(struct span rest, struct rule *rule)
{
	char text[NAME_MAX_BYTES * 2];

	if (rest.len < 2 || rest.len >= sizeof(text) || rest.ptr[0] != '\n' ||
		rest.ptr[rest.len - 1] != '\n') {
		return false;
	}
	if (rest.len == 2) {
		return true;
	}
	memcpy(text, rest.ptr + 1, rest.len - 2);
	text[rest.len - 2] = '\0';
	return rule_parse(text, rule);
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
	if (file.len > FILE_MAX_BYTES || !header_parse(file, counts) ||
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

/* --- the rule --- */

static int64_t floor_div(int64_t n, int64_t by)
{
	return n / by - (n % by < 0);
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243,
		273, 304, 334 };
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	int64_t past = year - 1;

	return past * 365 + floor_div(past, 4) - floor_div(past, 100) +
	       floor_div(past, 400) - 719162 + before[month - 1] + day - 1 +
	       (is_leap && month > 2);
}

static int64_t year_of(int64_t unix_s)
{
	int64_t days = floor_div(unix_s, DAY_S);
	int64_t year = 1970 + floor_div(days, 366);

	while (days_of(year + 1, 1, 1) <= days) {
		year++;
	}
	return year;
}

/* The day of a change, in days since 1970. */
static int64_t change_day(const struct change *c, int64_t year)
{
	int64_t first;
	int64_t day;
	int64_t next;

	if (c->form == 'J') { /* 1 to 365; 29 February does not count */
		bool is_past = c->day > 59 &&
			       days_of(year, 3, 1) - days_of(year, 2, 1) == 29;

		return days_of(year, 1, 1) + c->day - 1 + is_past;
	}
	if (c->form == 'D') {
		return days_of(year, 1, 1) + c->day;
	}
	first = days_of(year, c->month, 1);
	next = c->month == 12 ? days_of(year + 1, 1, 1)
			      : days_of(year, c->month + 1, 1);
	/* 1970-01-01 was a Thursday, day 4 of a week. */
	day = first + (c->day - (first + 4) % 7 + 14) % 7 + (c->week - 1) * 7;
	return day < next ? day : day - 7;
}

/* Around an instant: the change at or before it, and the one after it. */
static void rule_look(
	const struct rule *rule, int64_t unix_s, struct zone *found)
{
	int64_t year = year_of(unix_s);

	found->from_s = INT64_MIN;
	found->until_s = INT64_MAX;
	found->offset_s = rule->std_s;
	for (int64_t y = year - 1; rule->has_dst && y <= year + 1; y++) {
		int64_t at[2] = {
			change_day(&rule->begin, y) * DAY_S +
				rule->begin.time_s - rule->std_s,
			change_day(&rule->end, y) * DAY_S + rule->end.time_s -
				rule->dst_s,
		};

		for (int i = 0; i < 2; i++) {
			if (at[i] > unix_s && at[i] < found->until_s) {
				found->until_s = at[i];
			}
			if (at[i] <= unix_s && at[i] > found->from_s) {
				found->from_s = at[i];
				found->offset_s =
					i == 0 ? rule->dst_s : rule->std_s;
			}
		}
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

	if (unix_s >= z->from_s && unix_s < z->until_s) {
		return;
	}
	if (count == z->count && z->rule.is_there) {
		rule_look(&z->rule, unix_s, z);
		if (count > 0 && z->from_s < z->at[count - 1]) {
			z->from_s = z->at[count - 1];
		}
		return;
	}
	z->from_s = count == 0 ? INT64_MIN : z->at[count - 1];
	z->until_s = count == z->count ? INT64_MAX : z->at[count];
	z->offset_s = z->offsets[count == 0 ? 0 : z->types[count - 1]];
}

int64_t zone_offset_s(struct zone *z, int64_t unix_s)
{
	look(z, unix_s);
	return z->offset_s;
}

int64_t zone_next_change(struct zone *z, int64_t unix_s)
{
	look(z, unix_s);
	return z->until_s;
}

int64_t zone_end_of(
	struct zone *z, int64_t unix_s, int64_t from_s, int64_t to_s)
{
	for (;;) {
		int64_t local = unix_s + zone_offset_s(z, unix_s);
		int64_t clock = local - floor_div(local, DAY_S) * DAY_S;
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

/* --- those that were asked for --- */

struct known {
	char *name;        /* owned; NULL: the slot is free */
	struct zone *zone; /* owned; NULL: there is none of this name */
};

struct zones {
	struct known slots[ZONES_SLOTS];
	struct known *last; /* the one asked for last, or NULL */
	size_t count;
};

struct zones *zones_new(void)
{
	return mem_array(1, sizeof(struct zones));
}

static void forget_all(struct zones *zones)
{
	for (size_t i = 0; i < ZONES_SLOTS; i++) {
		mem_free(zones->slots[i].name);
		zone_free(zones->slots[i].zone);
	}
	*zones = (struct zones){ .count = 0 };
}

void zones_free(struct zones *zones)
{
	if (zones != NULL) {
		forget_all(zones);
		mem_free(zones);
	}
}

/* Names come from outside: nothing that leads out of the folder, and not the
 * copies there that count leap seconds. */
static bool is_name(struct span name)
{
	if (name.len == 0 || name.len > NAME_MAX_BYTES ||
		(name.len > 6 && memcmp(name.ptr, "right/", 6) == 0)) {
		return false;
	}
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool is_letter =
			(c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (!is_letter &&
			(i == 0 || c == '\0' ||
				strchr("0123456789_+-/", c) == NULL)) {
			return false;
		}
	}
	return true;
}

static struct zone *read_zone(struct span name)
{
	const char *folder = getenv("TZDIR");
	char path[PATH_MAX_BYTES];
	struct err err = { 0 };
	struct zone *z = NULL;
	struct buf file;

	if (fmt_into(path, sizeof(path), "%s/%.*s",
		    folder == NULL ? SYSTEM_FOLDER : folder, (int)name.len,
		    name.ptr) != 0) {
		return NULL;
	}
	buf_init(&file, FILE_MAX_BYTES);
	if (buf_read_file(&file, path, &err) != 0 ||
		zone_parse(&z, (struct span){ file.data, file.len }) != 0) {
		z = NULL;
	}
	buf_release(&file);
	return z;
}

struct zone *zones_get(struct zones *zones, struct span name)
{
	uint32_t hash = 2166136261U; /* FNV-1a */
	struct known *k;

	if (!is_name(name)) {
		return NULL;
	}
	if (zones->last != NULL && span_is(name, zones->last->name)) {
		return zones->last->zone;
	}
	for (size_t i = 0; i < name.len; i++) {
		hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619U;
	}
	if (zones->count == ZONES_MAX) {
		forget_all(zones); /* somebody makes names up */
	}
	do {
		k = zones->slots + (hash++ & (ZONES_SLOTS - 1));
	} while (k->name != NULL && !span_is(name, k->name));
	if (k->name == NULL) {
		k->name = mem_dup(name.ptr, name.len);
		k->zone = read_zone(name);
		zones->count++;
	}
	zones->last = k;
	return k->zone;
}
