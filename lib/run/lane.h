/*
 * One chain from start to end, over as many lives as it takes: started again,
 * ever more slowly, when one of its programs dies.
 */
#ifndef PUSH_RUN_LANE_H
#define PUSH_RUN_LANE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "run/chain.h"
#include "run/plan.h"

/* Called from the loop; may free nothing of the lane. */
struct lane_events {
	void (*on_ready)(void *self); /* the first time */
	void (*on_over)(void *self);  /* it will not be started again */
	void *self;
};

struct lane_settings {
	int64_t drain_ms;
	int64_t restart_ms; /* the longest wait before a new start */
};

struct lane {
	struct loop *loop;       /* borrowed */
	const struct plan *plan; /* borrowed */
	struct lane_settings settings;
	struct lane_events events;
	struct chain *chain; /* owned; NULL: not started yet */
	struct loop_timer restart;
	int64_t backoff_ms;
	int64_t ready_mono_ms; /* when this life became ready; 0: not yet */
	bool was_ready;
	bool is_over;
	enum chain_verdict verdict; /* once it is over */
};

void lane_init(struct lane *l, struct loop *loop, const struct plan *plan,
	const struct lane_settings *settings, const struct lane_events *events);
void lane_release(struct lane *l);

void lane_start(struct lane *l);

/* As chain_stop(); between two lives it is over at once, with on_over(). */
void lane_stop(struct lane *l);
void lane_signal(struct lane *l, int signo);

/* See chain_on_exits(). */
void lane_on_exits(
	struct lane *l, const struct chain_exit *exits, size_t count);

/* After the processes that have ended were told; may call on_over(). */
void lane_check(struct lane *l);

#endif
