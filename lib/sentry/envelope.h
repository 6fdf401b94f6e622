/*
 * One error as Sentry's envelope, and how long an answer asks us to hold back.
 *
 * Source: Sentry's developer documentation, "Envelopes", "Event payloads" and
 * "Rate limiting", read 2026-11.
 */
#ifndef PUSH_SENTRY_ENVELOPE_H
#define PUSH_SENTRY_ENVELOPE_H

#include <stdint.h>

#include "base/buf.h"
#include "record/json.h"

/* What an event says; all borrowed. */
struct envelope {
	const struct json *line; /* of the log */
	const char *group;       /* the same for all events of an issue */
	const char *server;
	const char *environment; /* or NULL */
	uint64_t held;           /* lines that this one stands for besides */
	uint64_t serial;         /* never the same again in this process */
	int64_t now_unix_ms;
};

/* Appends the envelope. */
void envelope_put(const struct envelope *e, struct buf *out);

/*
 * How long errors are to be held back, in milliseconds: by the field
 * X-Sentry-Rate-Limits (absent: { NULL, 0 }), else, with status 429, by
 * Retry-After (-1: not told).  0: not at all.
 */
int64_t envelope_hold_ms(
	int status, struct span rate_limits, int64_t retry_after_ms);

#endif
