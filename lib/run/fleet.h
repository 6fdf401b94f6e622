/*
 * All chains of one push-run.  Each is started again by itself.  The end is
 * common: when one cannot be used as it is configured the others end too, and
 * the watcher ends last.
 */
#ifndef PUSH_RUN_FLEET_H
#define PUSH_RUN_FLEET_H

#include <stddef.h>

#include "base/loop.h"
#include "run/lane.h"
#include "run/plan.h"

struct fleet;

/* Called from the loop; may free nothing. */
struct fleet_events {
	void (*on_ready)(void *self); /* all have been ready, once */
	void (*on_over)(void *self, enum chain_verdict verdict);
	void *self;
};

/* Starts them; `plans' (the watcher's first, if any) and `loop' are
 * borrowed. */
struct fleet *fleet_start(struct loop *loop, const struct plan *plans,
	size_t count, const struct lane_settings *settings,
	const struct fleet_events *events);
void fleet_free(struct fleet *f); /* accepts NULL; all are over */

/* Ends them in order; the second time without waiting, as chain_stop(). */
void fleet_stop(struct fleet *f);

/* To each program of ours. */
void fleet_signal(struct fleet *f, int signo);

/* Collects processes that have ended; call it upon SIGCHLD. */
void fleet_reap(struct fleet *f);

#endif
