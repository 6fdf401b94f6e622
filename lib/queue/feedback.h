/*
 * The feedback stream of a queue, read from where the last reader of this kind
 * stopped: {Q}:pruned holds the place.  Others may read the stream, too.
 */
#ifndef PUSH_QUEUE_FEEDBACK_H
#define PUSH_QUEUE_FEEDBACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum { FEEDBACK_PAGE = 1000 };

/* What a vendor said about a token.  Absent texts are { NULL, 0 }. */
struct feedback_entry {
	struct span app;
	struct span platform;
	struct span token;
	struct span reason;
	int64_t at_unix_ms;     /* when push-ack wrote it */
	int64_t vendor_unix_ms; /* since when, as the vendor says; 0: did not */
};

struct feedback;

int feedback_open(struct feedback **out, const char *url, const char *queue,
	struct err *err) MUST_CHECK;
void feedback_close(struct feedback *f); /* accepts NULL */

/* Goes to the place where the last one stopped.  After a first reading, the next
 * one ends where that did. */
int feedback_rewind(struct feedback *f, struct err *err) MUST_CHECK;

/* The next entries, at most FEEDBACK_PAGE, borrowed until the next call; *count
 * is 0 at the end. */
int feedback_read(struct feedback *f, const struct feedback_entry **out,
	size_t *count, struct err *err) MUST_CHECK;

/* Keeps the place behind what was read. */
int feedback_save(struct feedback *f, struct err *err) MUST_CHECK;

#endif
