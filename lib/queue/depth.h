/*
 * How full the queues are, asked once a second by a thread of its own, so
 * that a slow Redis stops nobody.
 */
#ifndef PUSH_QUEUE_DEPTH_H
#define PUSH_QUEUE_DEPTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "queue/key.h"

enum { DEPTH_QUEUES_MAX = 32, DEPTH_POLL_MS = 1000 };

struct depth {
	char queue[KEY_NAME_MAX_BYTES + 1];
	int64_t ready;     /* tasks as pushed */
	int64_t redeliver; /* taken back, first to be claimed */
	int64_t delayed;
	int64_t overdue; /* of those, due and not claimed */
	int64_t dead;
	/* Of the next ready task, since its created_ms; when it has none, for how
	 * long it has been seen there.  0: there is none. */
	int64_t oldest_age_ms;
	int64_t overdue_age_ms; /* of the longest overdue; 0: there is none */
};

struct depths {
	bool is_known;  /* the last question was answered */
	struct err err; /* why not */
	size_t count;
	struct depth items[DEPTH_QUEUES_MAX];
};

struct depth_watch;

/* Starts asking.  A usage failure for a wrong URL, a wrong name or too many. */
int depth_watch_open(struct depth_watch **out, const char *url,
	const char *const *queues, size_t count, struct err *err) MUST_CHECK;
void depth_watch_close(struct depth_watch *w); /* accepts NULL; never waits */

/* What the last answer said; while is_known is false, the numbers are those of
 * the last one that came. */
void depth_read(struct depth_watch *w, struct depths *out);

#endif
