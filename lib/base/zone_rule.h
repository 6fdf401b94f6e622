/*
 * When clocks change in every year to come: the rule behind the table of a TZif
 * file, in the form of the variable TZ (POSIX.1-2008, 8.3).  For
 * lib/base/zone.c.
 */
#ifndef PUSH_BASE_ZONE_RULE_H
#define PUSH_BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* When in a year. */
struct zone_change {
	char form; /* 'M' month.week.day, 'J' day without 29 February, 'D' with */
	int month;
	int week;
	int day;
	int64_t time_s; /* of the local day; may lie outside of it */
};

struct zone_rule {
	bool is_there;
	bool has_dst;
	int64_t std_s; /* ahead of UTC */
	int64_t dst_s;
	struct zone_change begin; /* of daylight saving */
	struct zone_change end;
};

/* What holds from one change to the next. */
struct zone_stretch {
	int64_t from_s; /* Unix seconds; INT64_MIN: ever */
	int64_t until_s;
	int64_t offset_s; /* ahead of UTC */
};

/* Fills in a zeroed rule; false: it is none. */
bool zone_rule_parse(const char *text, struct zone_rule *rule);

/* The stretch around an instant. */
void zone_rule_look(const struct zone_rule *rule, int64_t unix_s,
	struct zone_stretch *found);

#endif
