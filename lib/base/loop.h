/*
 * One thread waits here for descriptors, timers and signals.
 *
 * Callbacks run from loop_turn() only, one at a time.  A callback may add,
 * change and remove any descriptor or timer, its own included; nothing is
 * called any more after its removal.  Regular files are always ready.
 */
#ifndef PUSH_BASE_LOOP_H
#define PUSH_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct loop_fd;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void loop_fd_cb(void *self, int fd, unsigned ready);
typedef void loop_timer_cb(void *self);
typedef void loop_signal_cb(void *self, int signo);

/* A timer; the caller holds it (zeroed at first) and keeps it until it has
 * fired or was stopped.  Members are the loop's. */
struct loop_timer {
	int64_t due_mono_us;
	loop_timer_cb *on_due;
	void *self;
	size_t slot; /* place in the heap + 1; 0: not set */
};

struct loop *loop_new(void);
void loop_free(struct loop *l);

/*
 * Watches `fd' for `events' (0 pauses).  The descriptor stays the caller's.
 * An error or hang-up is reported as ready for whatever was asked, so that
 * the read or write tells; with events 0 it is not reported.
 * The handle is valid until loop_unwatch().
 */
struct loop_fd *loop_watch(struct loop *l, int fd, unsigned events,
	loop_fd_cb *on_ready, void *self);
void loop_events(struct loop_fd *w, unsigned events);
void loop_unwatch(struct loop_fd *w); /* accepts NULL */

/* Calls `on_due' once, `delay_us' from now (0: on the next turn); setting a
 * timer that is set moves it. */
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_us,
	loop_timer_cb *on_due, void *self);
void loop_timer_stop(struct loop *l, struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);

/* Delivers `signo' through the loop from now on. */
int loop_signal(struct loop *l, int signo, loop_signal_cb *cb, void *self,
	struct err *err) MUST_CHECK;

/* Waits until something is ready, at most `max_wait_us' (-1: no limit), and
 * calls back.  Returns the number of callbacks made. */
int loop_turn(struct loop *l, int64_t max_wait_us);

#endif
