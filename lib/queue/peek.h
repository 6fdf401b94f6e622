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

/*
 * The feedback stream behind the entry `after' (NULL: from its beginning),
 * oldest first.  *last becomes the id of the last entry shown, and stays when
 * there was none.
 */
enum { PEEK_ID_BYTES = 48 };
int peek_feedback(struct redis *r, const char *queue, int64_t most,
	char last[PEEK_ID_BYTES], peek_line_cb *on_line, void *self,
	struct err *err) MUST_CHECK;

/* Waits until there is something behind `last', a second at most. */
int peek_feedback_wait(struct redis *r, const char *queue,
	const char last[PEEK_ID_BYTES], struct err *err) MUST_CHECK;

#endif
