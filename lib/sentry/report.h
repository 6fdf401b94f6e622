/*
 * What of a log is told to Sentry: the lines that are bad enough, one of a group
 * now and then.  Pure: time comes in as an argument.
 */
#ifndef PUSH_SENTRY_REPORT_H
#define PUSH_SENTRY_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "sentry/grouping.h"

struct report {
	const char *server;      /* borrowed, as is the environment */
	const char *environment; /* or NULL */
	int64_t every_ms;        /* at most one event of a group in this time */
	bool has_warnings;       /* or errors alone */

	uint64_t serial; /* of the events; 0 at first */
	struct grouping grouping;
};

/* Appends the envelope for a line of the log; false when there is none for it:
 * it is no line of a program's log, not bad enough, or its group's turn is not
 * yet. */
bool report_line(struct report *r, struct span line, int64_t now_unix_ms,
	int64_t now_mono_ms, struct buf *out);

#endif
