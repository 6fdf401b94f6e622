/*
 * "CET-1CEST,M3.5.0,M10.5.0/3": names, what is west of Greenwich, and two days.
 */
#include "base/zone_rule.h"

#include <string.h>

enum { DAY_S = 86400, HOUR_S = 3600 };

/* --- reading --- */

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

static bool change_parse(const char **at, struct zone_change *c)
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

bool zone_rule_parse(const char *at, struct zone_rule *rule)
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

/* --- the calendar --- */

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
static int64_t change_day(const struct zone_change *c, int64_t year)
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

void zone_rule_look(const struct zone_rule *rule, int64_t unix_s,
	struct zone_stretch *found)
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
