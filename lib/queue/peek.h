/*
 * Looks at what is in a queue without touching it: one line of JSON an entry,
 * the next to be claimed first, dead letters from the newest.
 */
#ifndef PUSH_QUEUE_PEEK_H
#define PUSH_QUEUE_PEEK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "net/redis.h"

enum peek_state {
	PEEK_READY,
	PEEK_REDELIVER,
	PEEK_DELAYED,
	PEEK_IN_FLIGHT,
	PEEK_DEAD,
	PEEK_STATE_COUNT
};

/* "ready", "redeliver", "delayed", "inflight", "dead"; -1 for another name. */
int peek_state_parse(const char *name, enum peek_state *out) MUST_CHECK;

/* Gets one line, with its newline, borrowed; false ends the looking. */
typedef bool peek_line_cb(void *self, struct span line);

struct peek {
	enum peek_state state;
	int64_t most; /* entries */
	peek_line_cb *on_line;
	void *self;
};

/* Reads in pages, so that an entry that moves meanwhile may be missed or shown
 * twice. */
int peek_queue(struct redis *r, const char *queue, const struct peek *want,
	struct err *err) MUST_CHECK;

/* What vendors said about tokens. */
struct peek_feedback {
	int64_t most;      /* entries of a queue at once */
	const char *after; /* only behind this entry; NULL: all */
	bool is_following; /* goes on with what comes, until a line fails */
	peek_line_cb *on_line;
	void *self;
};

/* The feedback streams of these queues, each from its oldest entry. */
int peek_feedback(struct redis *r, const char *const *queues, size_t count,
	const struct peek_feedback *want, struct err *err) MUST_CHECK;

#endif
