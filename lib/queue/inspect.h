/*
 * How a queue stands, for people: how many tasks are in which state, how old the
 * next one is, and what each worker has in flight.  One script call a queue.
 */
#ifndef PUSH_QUEUE_INSPECT_H
#define PUSH_QUEUE_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/redis.h"
#include "queue/key.h"

struct inspect_worker {
	char name[KEY_NAME_MAX_BYTES + 1];
	int64_t in_flight;
	int64_t oldest_age_ms; /* since its oldest claim that is not settled */
	int64_t lease_left_ms; /* of that claim; negative: it has run out */
	bool is_live;          /* a process holds the name */
};

/* Times are told by the clock of Redis. */
struct inspect {
	const char *queue; /* borrowed */
	int64_t ready;
	int64_t oldest_age_ms; /* of the next ready task, by its created_ms; -1:
	                          there is none, or it does not say */
	int64_t redeliver;
	int64_t delayed;
	int64_t overdue;     /* of those, due and not claimed */
	int64_t next_due_ms; /* until the first is due; -1: there is none */
	int64_t dead;
	int64_t in_flight;              /* over all workers */
	struct inspect_worker *workers; /* owned; those with tasks in flight */
	size_t worker_count;
};

/* A usage failure when `queue' is no name. */
int inspect_queue(struct redis *r, const char *queue, struct inspect *out,
	struct err *err) MUST_CHECK;
void inspect_release(struct inspect *i);

/* Appends how all these queues stand: a line of JSON each, or tables for a
 * terminal: the queues, and who works on them. */
int inspect_show(struct redis *r, const char *const *queues, size_t count,
	bool is_json, struct buf *out, struct err *err) MUST_CHECK;

#endif
