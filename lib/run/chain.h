/*
 * One running chain: its processes, the pipes between them, and its end.
 *
 *   starting   some of our programs are not ready yet
 *   ready      all are
 *   ending     the first program was told to end, or has ended, or any died;
 *              end-of-file flows down, each finishes what it has
 *   over       no process is left
 *
 * A program that only watches (the last one, push-stats) does not take part:
 * when it dies it alone is started again, reading on from the same pipe.
 */
#ifndef PUSH_RUN_CHAIN_H
#define PUSH_RUN_CHAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "run/plan.h"

enum {
	CHAIN_PIPE_BYTES = 256 * 1024,
	CHAIN_KILL_MS = 5000,  /* from the last TERM to KILL */
	CHAIN_GRACE_MS = 1000, /* for the first one to end after others have */
	CHAIN_BACKOFF_FIRST_MS = 100,
	CHAIN_BACKOFF_MOST_MS = 10 * 1000,
	CHAIN_HEALTHY_MS = 60 * 1000, /* then the backoff begins anew */
};

struct chain;

/* How it went, once it is over. */
enum chain_verdict {
	CHAIN_FINISHED,  /* the first program ended by itself, no one failed */
	CHAIN_STOPPED,   /* by chain_stop() */
	CHAIN_FAILED,    /* a program died: start again */
	CHAIN_UNUSABLE,  /* a program ended with EXIT_USAGE: call a person */
	CHAIN_CUT_SHORT, /* finished, but a program failed on the way */
};

/* Called from the loop; may free nothing of the chain. */
struct chain_events {
	void (*on_ready)(void *self);
	void (*on_over)(void *self, enum chain_verdict verdict);
	void *self;
};

/* `plan' and `loop' are borrowed.  `drain_ms' bounds the ending after
 * chain_stop() or a death, before the rest get TERM. */
struct chain *chain_new(struct loop *loop, const struct plan *plan,
	int64_t drain_ms, const struct chain_events *events);
void chain_free(struct chain *c); /* accepts NULL; the chain is over */

/* Starts all processes.  -1: not all could be; on_over() will be called when
 * those that were are gone. */
int chain_start(struct chain *c, struct err *err) MUST_CHECK;

/* Ends it in order.  The second time: TERM to all, KILL after
 * CHAIN_KILL_MS. */
void chain_stop(struct chain *c);

/* To each of our programs. */
void chain_signal(struct chain *c, int signo);

/* A process that has ended. */
struct chain_exit {
	pid_t pid;
	int status; /* as waitpid() gives it */
};

/* Takes note of all that have ended together, the last program first: what
 * ended because of another is not taken for the cause.  Those that are not of
 * the chain change nothing. */
void chain_on_exits(
	struct chain *c, const struct chain_exit *exits, size_t count);

/* Call it once all that have ended were told: calls on_over() when no process
 * is left. */
void chain_check(struct chain *c);

#endif
