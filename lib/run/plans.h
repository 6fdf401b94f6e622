/*
 * Which chains there are.
 *
 * Without run.lanes there is one.  With it there is one a lane, and the watcher
 * at the end (push-stats) is a chain of its own that reads, from a socket, what
 * the lanes' last programs write.
 */
#ifndef PUSH_RUN_PLANS_H
#define PUSH_RUN_PLANS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "record/conf.h"
#include "run/plan.h"

enum { PLANS_LANES_MAX = 16 };

/* Is there a watcher apart from its chains, or one to report to whose socket
 * nobody has named? */
bool plans_want_sockets(const struct conf *conf);

/* The chains, the watcher's first; `*count' of them, in memory that
 * plans_free() frees.  See plan_make(). */
int plans_make(struct plan **out, size_t *count,
	const struct plan_source *source, struct err *err) MUST_CHECK;
void plans_free(struct plan *plans, size_t count); /* accepts NULL */

#endif
