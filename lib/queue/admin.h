/*
 * What an operator does to a queue: dead letters are given out again or dropped,
 * a task is taken back before it is sent.
 *
 * Long work is done in chunks, each one script call and whole; between them the
 * chains go on, and on_progress is told.  After a failure the chunks done stay
 * done, and the same call may be made again.
 */
#ifndef PUSH_QUEUE_ADMIN_H
#define PUSH_QUEUE_ADMIN_H

#include <stdint.h>

#include "base/err.h"
#include "net/redis.h"

/* How much of one queue has been looked at. */
typedef void admin_progress_cb(
	const char *queue, const char *what, int64_t done, int64_t total);

enum admin_action { ADMIN_COUNT, ADMIN_REPLAY, ADMIN_DROP };

struct admin_letters {
	enum admin_action action;
	const char *reason; /* only letters with this reason; NULL: any */
	const char *id; /* only those with this id, the task's or the queue's */
	admin_progress_cb *on_progress; /* or NULL */
};

struct admin_counts {
	int64_t chosen;
	int64_t unreadable; /* of these, left where they are: none of ours */
};

/*
 * Does it to the letters that are there when it begins; a letter that comes
 * back dead meanwhile is not touched again.  Replayed ones are claimed next, as
 * new tasks that keep their uid and history.  Adds to *counts.
 */
int admin_letters(struct redis *r, const char *queue,
	const struct admin_letters *want, struct admin_counts *counts,
	struct err *err) MUST_CHECK;

struct admin_found {
	int64_t removed;   /* from the ready tasks */
	int64_t waiting;   /* in redeliver or delayed: due now, for the chain */
	int64_t in_flight; /* on its way, before or after the rest was looked at;
	                      a signed task counts, whatever its id */
};

/*
 * Takes the tasks with this id from the ready list and makes due what waits.  The
 * caller has stopped the id before, so that the chain suppresses these.  Adds to
 * *found.
 */
int admin_cancel(struct redis *r, const char *queue, const char *id,
	admin_progress_cb *on_progress, struct admin_found *found,
	struct err *err) MUST_CHECK;

#endif
