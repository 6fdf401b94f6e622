/*
 * What a vendor's answer means: the row type of the vendors' tables.
 *
 * The tables themselves, with their sources, are in apns_answer.c and
 * fcm_answer.c.  An answer gives the reason the record ends with when nothing more
 * is tried, and the one thing that the engine may do before that.
 */
#ifndef PUSH_WIRE_ANSWER_H
#define PUSH_WIRE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "record/outcome.h"

enum answer_action {
	ANSWER_NONE,      /* decide the record; the connection is fine */
	ANSWER_RETRY,     /* the same request again, after `after_ms', if time
	                     and the attempts of this process allow */
	ANSWER_RECONNECT, /* this connection takes no more; again on another one */
	ANSWER_NEW_TOKEN, /* make or fetch a new provider or access token, then
	                     once again; on APNs on a new connection */
	ANSWER_HOLD_CREDENTIAL,   /* keep the token, send nothing with this
	                            credential for `after_ms' */
	ANSWER_CLOSE_CREDENTIAL,  /* this credential cannot work before a person
	                            has changed something: open its breaker */
	ANSWER_OTHER_ENVIRONMENT, /* once in the other APNs environment if the
	                             app allows it, else decide */
};

struct answer_row {
	int status;       /* HTTP; 0: any of its class */
	const char *name; /* the vendor's word, or "other": a bounded label for
	                     counters; "ok" for a success */
	enum reason reason;
	enum answer_action action;
	int64_t after_ms; /* wait at least this long before the next attempt */
	bool is_alarm;    /* our bug or our configuration: log it as an error */
};

/* What statuses mean whose body is missing, cut or says something new. */
struct answer_class {
	int from;
	int to;
	struct answer_row row;
};

struct answer {
	const struct answer_row *row; /* constant, never NULL */
	int64_t after_ms; /* wait at least this long before the next attempt:
	                     what the vendor asked for, else the row's */
	int64_t vendor_unix_ms; /* since when the token is dead; 0: not told */
};

/* The row with the vendor's word; statuses have differed from the documents,
 * classes have not.  `status' 0: not told.  NULL when there is none. */
const struct answer_row *answer_of_word(const struct answer_row *rows,
	size_t count, int status, struct span word);

/* The first row that fits the status; the last fits all. */
const struct answer_row *answer_of_status(
	const struct answer_class *classes, size_t count, int status);

/*
 * Reads a Retry-After value: seconds, or an HTTP date (the three forms of RFC
 * 9110 section 5.6.7) measured from `now_unix_ms'.  Milliseconds from now, 0
 * for a date that is past, at most 24 h; -1 when absent or neither.
 */
int64_t answer_retry_after_ms(struct span value, int64_t now_unix_ms);

/* Reads an HTTP date in any of these forms: seconds since 1970, or -1. */
int64_t answer_date_s(struct span value);

/* Lower-case word for logs: "reconnect". */
const char *answer_action_name(enum answer_action action);

#endif
