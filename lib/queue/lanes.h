/*
 * Several queues in priority order, as one worker claims from them, and waiting
 * without polling while there is nothing.
 *
 * Which queue is next: the first that has something.  One claim in eight goes
 * to a lower one first, each in its turn, so that none starves; and the
 * lower ones leave an eighth of the window to the first.
 *
 * Waiting: an empty queue is watched with BLMOVE on a connection of its own,
 * a full window with a token that settling leaves behind, on another; a timer
 * looks after what comes due, at least every five seconds.
 */
#ifndef PUSH_QUEUE_LANES_H
#define PUSH_QUEUE_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "queue/claim.h"

struct conf;
struct lanes;

struct lanes_settings {
	const char *const *queues; /* highest priority first */
	size_t count;
	int64_t window; /* in flight at most, over all queues */
	int64_t batch;  /* entries of one claim at most */
	struct claim_settings claim;
};

/* A usage failure for what lanes_open() could never open, without asking anybody;
 * it names the member of push.conf that says so, if one does. */
int lanes_check(const struct lanes_settings *settings, const struct conf *conf,
	struct err *err) MUST_CHECK;

/* Told from the loop, when lanes_take() may have something again. */
typedef void lanes_wake_cb(void *self);

/*
 * Opens all that lanes_check() agrees to; may wait for a worker's name (hold.h).
 * Without one, the worker is the first of HOST, HOST.2, HOST.3 ... that no live
 * process has on any of the queues: so each chain of a host finds a name, and
 * after a crash the same again.  A failure is temporary, unless what the URL
 * names is wrong.
 */
enum { LANES_NAMES_MOST = 256 };
int lanes_open(struct lanes **out, const struct lanes_settings *settings,
	struct loop *loop, lanes_wake_cb *on_wake, void *self,
	struct err *err) MUST_CHECK;
void lanes_close(struct lanes *l); /* accepts NULL */

/*
 * 1: *out is a claim, borrowed until the next call; 0: nothing now, on_wake
 * will tell; -1: a temporary failure, or lanes_is_displaced().
 */
int lanes_take(struct lanes *l, const struct claim_batch **out,
	struct err *err) MUST_CHECK;

/* The worker's name. */
const char *lanes_worker(const struct lanes *l);

/* After lanes_take() gave 0: nothing was left to claim (it is not that the
 * window is full). */
bool lanes_is_empty(const struct lanes *l);

/* Another process has taken our name: this one must end. */
bool lanes_is_displaced(const struct lanes *l);

/* Taken back at the start, over all queues. */
int64_t lanes_recovered(const struct lanes *l);

/* Of all queues, as the last claims told. */
int64_t lanes_in_flight(const struct lanes *l);

#endif
