/*
 * What became of a record, and why: two closed lists in one table.
 *
 * The table in outcome.c is the only place that knows the names, what each
 * means and what push-ack does about it; push-record(5) is compared with it.
 */
#ifndef PUSH_RECORD_OUTCOME_H
#define PUSH_RECORD_OUTCOME_H

#include "base/span.h"

enum outcome {
	OUTCOME_UNDECIDED,
	OUTCOME_ACCEPTED,
	OUTCOME_SUPPRESSED,
	OUTCOME_REJECTED,
	OUTCOME_FAILED,
	OUTCOME_RETRY,
	OUTCOME_COUNT
};

enum reason {
	REASON_NONE,
	/* accepted */
	REASON_OK,
	/* suppressed: a policy of ours held it back */
	REASON_DUPLICATE,
	REASON_ALREADY_DONE,
	REASON_SET_APART,
	REASON_FATIGUE_CAP,
	REASON_QUIET_HOURS,
	REASON_CAMPAIGN_STOPPED,
	REASON_APP_STOPPED,
	REASON_CATEGORY_STOPPED,
	REASON_CANCELLED,
	REASON_RISK_USER,
	REASON_RISK_DEVICE,
	REASON_RISK_CONTENT,
	REASON_RISK_LINK,
	REASON_RISK_SURGE,
	REASON_EXPIRED,
	REASON_NO_DEVICE,
	REASON_EMPTY_SEGMENT,
	REASON_PLATFORM_NOT_ALLOWED,
	REASON_LEASE_LOST,
	/* rejected: the task itself is bad */
	REASON_MALFORMED,
	REASON_TOO_LARGE,
	REASON_BAD_MEMBER,
	REASON_UNKNOWN_APP,
	REASON_UNAUTHORIZED,
	REASON_STALE,
	REASON_NOT_ALLOWED,
	REASON_QUOTA,
	REASON_BAD_TARGET,
	REASON_BAD_MESSAGE,
	REASON_UNROUTED,
	/* failed: the vendor's final no */
	REASON_TOKEN_DEAD,
	REASON_TOKEN_NEWER,
	REASON_WRONG_TOPIC,
	REASON_WRONG_ENVIRONMENT,
	REASON_BAD_REQUEST,
	REASON_PAYLOAD_TOO_LARGE,
	REASON_VENDOR_CONFIG,
	REASON_ATTEMPTS_EXHAUSTED,
	REASON_TOO_OLD,
	REASON_UNCONFIRMED,
	/* retry: later */
	REASON_VENDOR_UNAVAILABLE,
	REASON_THROTTLED,
	REASON_REAUTH,
	REASON_AMBIGUOUS,
	REASON_NOT_BEFORE,
	REASON_QUIET_HOURS_DEFERRED,
	REASON_SEGMENT_REST,
	REASON_QUOTA_WAIT,
	REASON_COUNT
};

/* What push-ack does besides settling. */
enum {
	ACK_MARK_DONE = 1, /* dedupe: reserved becomes done; fatigue is kept */
	ACK_RELEASE = 2,   /* dedupe and fatigue are given back */
	ACK_DEAD_LETTER = 4, /* kept with its raw bytes for a person */
	ACK_FEEDBACK = 8,    /* the business side is told about the token */
	ACK_DELAY = 16,      /* comes back after `after_ms' */
	ACK_LEAVE =
		32, /* not settled: the lease has run out, so the queue gives
	                   the task out again */
	ACK_ANEW = 128, /* with ACK_WAIT: what went before was done, so it
	                      has all its attempts before it */
	ACK_WAIT = 64,  /* with ACK_DELAY: nothing was tried, so it counts no
	                      attempt */
};

struct reason_row {
	const char *name;
	enum outcome outcome;
	unsigned ack; /* ACK_... */
	const char *sentence;
};

/* The row of a reason; never NULL. */
const struct reason_row *reason_row(enum reason reason);

const char *outcome_name(enum outcome outcome);

/* OUTCOME_UNDECIDED, REASON_NONE for a name that is not in the lists. */
enum outcome outcome_parse(struct span name);
enum reason reason_parse(struct span name);

#endif
