/* Whether our user of Redis may do all that a worker must. */
#ifndef PUSH_QUEUE_PERMISSION_H
#define PUSH_QUEUE_PERMISSION_H

#include "base/err.h"

struct redis;

/* -1: a usage failure that names the commands which are refused; or temporary.
 * A refusal in the middle of a script would undo nothing of what it did. */
int permission_look(struct redis *r, const char *queue, const char *worker,
	struct err *err) MUST_CHECK;

#endif
