/*
 * Quiet hours: a stretch of the user's day in which records are suppressed, or
 * deferred to its end.
 *
 * The day is that of the time zone of the device, else of the task, else of the
 * configuration.  Pure: the zone comes in as an argument.
 */
#ifndef PUSH_POLICY_QUIET_H
#define PUSH_POLICY_QUIET_H

#include <stdint.h>

#include "base/err.h"
#include "base/zone.h"
#include "record/conf.h"
#include "record/record.h"

enum { QUIET_RULES_MAX = 64 };

struct quiet;

/* The members `fatigue.quiet_hours' and `fatigue.time_zone'; `conf' NULL gives
 * none.  -1 is a usage failure that names the rule. */
int quiet_new(struct quiet **out, const struct conf *conf,
	struct err *err) MUST_CHECK;
void quiet_free(struct quiet *q); /* accepts NULL */

size_t quiet_count(const struct quiet *q);

/* The zone of the configuration; "UTC" when it names none. */
struct span quiet_default_zone(const struct quiet *q);

/* The zone that the record names; absent when it names none, or when no rule is
 * for the record, so that its zone does not matter. */
struct span quiet_zone(const struct quiet *q, const struct record *r);

enum quiet_action { QUIET_PASS, QUIET_SUPPRESS, QUIET_DEFER };

struct quiet_verdict {
	enum quiet_action action;
	const char *rule;      /* its name; borrowed */
	int64_t until_unix_ms; /* their end, or the record's place behind it */
};

/* The first rule that is for the record and in force at its now decides.  One
 * that would be deferred past its expires_ms is suppressed. */
struct quiet_verdict quiet_judge(
	const struct quiet *q, const struct record *r, struct zone *zone);

#endif
