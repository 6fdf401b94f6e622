/*
 * What a message asks of Google, checked.  For lib/wire/fcm.c, which makes the
 * request of it; sources are named in wire/fcm.h.
 */
#ifndef PUSH_WIRE_FCM_PLAN_H
#define PUSH_WIRE_FCM_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "record/record.h"

struct fcm_plan {
	const struct record *r;
	const struct json *notification;
	const struct json *data;
	const struct json *android;
	const char *why;
};

/* Fills in what follows from `r'; false: the message is bad, `why' tells. */
bool fcm_plan_make(struct fcm_plan *p);

/* Says what is wrong; false, the answer of the check that found it. */
bool fcm_plan_wrong(struct fcm_plan *p, const char *why);

/*
 * What surely counts towards Google's limit: texts that are shown and data.
 * The reference does not say what else does, so that what is near the limit is
 * left for Google to judge.
 */
size_t fcm_plan_bytes(const struct fcm_plan *p);

/* What may count towards it besides: names of members, and what Android shows
 * otherwise. */
size_t fcm_plan_bytes_perhaps(const struct fcm_plan *p);

#endif
