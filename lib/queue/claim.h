/*
 * One queue, as one worker claims from it.  See push-queue(7) and claim.lua.
 */
#ifndef PUSH_QUEUE_CLAIM_H
#define PUSH_QUEUE_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct claim;

struct claim_settings {
	const char *url;
	const char *worker;
	int64_t lease_ms;
	int64_t attempts; /* then a task goes to the dead letters */
	/* What the name has in flight when it is taken stays so until it is
	 * settled or its lease ends: others may still have it. */
	bool leaves_own;
	bool is_hasty; /* see hold.h */
};

struct claim_want {
	int64_t max;    /* entries at most */
	int64_t window; /* in flight at most, on this queue; may be negative */
	int64_t wake_step; /* when full: wake me when so many were settled */
};

struct claim_entry {
	struct span uid;
	struct span receipt;
	int64_t attempt;
	int64_t first_unix_ms; /* when it was claimed first; 0: now */
	int64_t lease_unix_ms; /* by this machine's clock */
	bool is_resumed;       /* a record that the chain had let in */
	bool is_whole;         /* and it is a task still, no device record */
	bool has_waited;       /* for its not_before_ms: not to be held again */
	struct span bytes;     /* as pushed, or the device record */
	struct span apart;     /* devices that it comes without; see fanout.h */
};

struct claim_batch {
	const char *queue;
	struct claim_entry *entries;
	size_t count;
	int64_t in_flight; /* on this queue, of this worker, after this claim */
	int64_t next_ms; /* until something delayed or leased is due; -1: none */
	bool is_full;    /* nothing was claimed since the window has no room */
};

/*
 * Connects, takes the worker's name (hold.h; it may wait for ten seconds) and
 * takes back what that name still had in flight, unless it leaves it.  `queue'
 * and the settings are copied.  *is_in_use is set when it fails because a live
 * process has the name.
 */
int claim_open(struct claim **out, const char *queue,
	const struct claim_settings *settings, bool *is_in_use,
	struct err *err) MUST_CHECK;

/* Usage failures for what can be no names, without asking anybody: queues, each
 * of them once, and a worker. */
int claim_check_queues(
	const char *const *queues, size_t count, struct err *err) MUST_CHECK;
int claim_check_worker(const char *worker, struct err *err) MUST_CHECK;

/* Gives the name up; what is in flight stays so.  Accepts NULL. */
void claim_close(struct claim *c);

/*
 * Claims; *out is borrowed until the next call on `c'.  A claim whose answer was
 * lost is found and given out by the next one.  -1: a temporary failure, or a
 * usage failure when another process has taken the name (claim_is_displaced).
 */
int claim_take(struct claim *c, const struct claim_want *want,
	const struct claim_batch **out, struct err *err) MUST_CHECK;

/* Keeps the name while nothing is claimed; errors as claim_take(). */
int claim_renew(struct claim *c, struct err *err) MUST_CHECK;

bool claim_is_displaced(const struct claim *c);

/* How many are in flight now. */
int claim_count(
	struct claim *c, int64_t *in_flight, struct err *err) MUST_CHECK;

/* How many were taken back when it was opened. */
int64_t claim_recovered(const struct claim *c);

#endif
