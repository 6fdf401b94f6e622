/*
 * What a message asks of Apple, checked, with the default for what it leaves
 * out.  For lib/wire/apns.c, which makes the request of it; sources are named
 * in wire/apns.h.
 */
#ifndef PUSH_WIRE_APNS_PLAN_H
#define PUSH_WIRE_APNS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "record/record.h"

enum { APNS_TOPIC_MAX_BYTES = 255 };

/* [A-send], tables of apns-push-type, apns-topic and apns-priority. */
struct apns_type {
	const char *name;
	const char *suffix; /* of the topic */
	size_t max_bytes;   /* of the body */
	bool is_repeatable; /* two of the same id may replace one another */
	/* What apns-priority and apns-expiration say of it. */
	const char *only_priority; /* whatever is asked; NULL: as asked */
	const char *low_priority;
	bool is_for_now;  /* or never */
	bool needs_token; /* a certificate is not enough */
	bool is_bare;     /* has no aps of its own */
};

struct apns_plan {
	const struct record *r;
	struct span app_topic;
	const struct json *notification;
	const struct json *data;
	const struct json *payload; /* message.apns.payload */
	const struct json *aps;     /* of payload */
	const struct apns_type *type;
	/* From message.apns.headers; absent: the default. */
	struct span push_type;
	struct span topic;
	struct span collapse_id;
	struct span priority;
	struct span expiration;
	bool has_certificate;
	bool is_broadcast;
	bool has_alert; /* the device shows or plays something */
	bool adds_content_available;
	const char *why;
};

/* Fills in what follows from `r', `app_topic' and `is_broadcast'; false: the
 * message is bad, `why' tells. */
bool apns_plan_make(struct apns_plan *p);

/* Says what is wrong; false, the answer of the check that found it. */
bool apns_plan_wrong(struct apns_plan *p, const char *why);

#endif
