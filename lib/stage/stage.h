/*
 * The program around every stage: stage_main() owns its whole life.
 *
 * A stage gives its name, its options and a few functions; the runtime
 * does options, configuration, signals, reading, parsing, expiry, stamping,
 * writing, back-pressure, counting, readiness and the exit status.
 *
 * Order of life: options, configuration, signals, open, ready, loop, drain,
 * flush, close, exit.
 */
#ifndef PUSH_STAGE_STAGE_H
#define PUSH_STAGE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "record/conf.h"
#include "record/record.h"
#include "stage/opt.h"

/* The records that one read brought in. */
struct batch {
	struct record **records;
	size_t count;
};

/* NOLINTBEGIN(bugprone-macro-parentheses): `rec' is declared here */
/* Walks the records that no stage has decided yet. */
#define BATCH_EACH_UNDECIDED(batch, rec)                                     \
	for (struct record *rec = batch_undecided(batch, NULL); rec != NULL; \
		rec = batch_undecided(batch, rec))
static inline struct record *batch_undecided(
	const struct batch *b, const struct record *after)
{
	for (size_t at = after == NULL ? 0 : after->place + 1; at < b->count;
		at++) {
		struct record *r = b->records[at];

		if (r->outcome == OUTCOME_UNDECIDED && !r->is_held &&
			!r->is_consumed) {
			return r;
		}
	}
	return NULL;
}

/* Walks all of them; for stages with sees_decided. */
#define BATCH_EACH(batch, rec)                                           \
	for (struct record **rec##_at = (batch)->records,                \
			   *rec = (batch)->count > 0 ? *rec##_at : NULL; \
		rec != NULL;                                             \
		rec = ++rec##_at < (batch)->records + (batch)->count     \
			      ? *rec##_at                                \
			      : NULL)
/* NOLINTEND(bugprone-macro-parentheses) */

struct run; /* the running program */

enum stage_input { INPUT_LINES, INPUT_NONE /* a source */ };
enum stage_output {
	OUTPUT_LINES,
	OUTPUT_LOSSY, /* full or closed: drop and count, never wait */
	OUTPUT_NONE,
};

struct stage {
	const char *name;    /* "push-dedupe" */
	const char *summary; /* the sentence of --help and the page */
	const struct opt *opts;
	void *self;
	enum stage_input input;
	enum stage_output output;
	bool sees_decided; /* handle() and stamp decided records too */

	/* Acquires what the stage needs.  A failure ends the program with
	 * err_status(). */
	int (*open)(void *self, struct run *run, struct err *err);

	/* HUP: takes over from run_conf(), which is the new one; -1 keeps what was,
	 * and the runtime then keeps the old configuration too.  May be NULL. */
	int (*reload)(void *self, struct run *run, struct err *err);

	/* --check: is everything right that can be told without asking others?  A
	 * usage failure when not; else close() follows.  May be NULL, and may be
	 * open() itself when that asks nobody. */
	int (*check)(void *self, struct run *run, struct err *err);

	/*
	 * Decides the batch's records, or holds them (run_hold) and emits them later
	 * (run_emit).  -1 is a temporary failure: the same batch comes again
	 * after a pause; records decided before the failure stay decided.
	 * 1: emitted much and has more: the same batch comes again as soon as
	 * the reader has taken that.
	 */
	int (*handle)(void *self, struct batch *batch, struct err *err);

	/* Sources only: called whenever the output has room.  1: emitted
	 * something, call again; 0: nothing now, run_wake() will tell; -1: temporary
	 * failure, called again after a pause. */
	int (*produce)(void *self, struct err *err);

	/* TERM, or the end of input: nothing new will come; what is held should
	 * be finished.  May be NULL. */
	void (*drain)(void *self);

	/* Adds `,"name":value' members to the counters datagram.  May be NULL. */
	void (*count)(void *self, struct buf *json);

	void (*close)(void *self); /* may be NULL */
};

/* Runs the stage; the exit status of the program. */
int stage_main(const struct stage *stage, int argc, char **argv);

/* --- what a running stage may ask --- */

struct loop *run_loop(struct run *run);
const struct conf *run_conf(const struct run *run);
struct record_pool *run_pool(struct run *run);
const char *run_node(const struct run *run);
/* The collector's socket; NULL: none was named. */
const char *run_counters(const struct run *run);
bool run_is_replay(const struct run *run);
bool run_is_draining(const struct run *run);
/* Do the programs behind this one outlive it?  They do behind a socket; behind
 * a pipe they end with it. */
bool run_is_outlived(const struct run *run);
/* How long a drain may take: --drain. */
int64_t run_drain_ms(const struct run *run);

/* At most `window' records are held at once; reading pauses above.  At most
 * `batch' are parsed at once.  Defaults: 1024 and 256. */
void run_set_window(struct run *run, size_t window, size_t batch);

/* Takes a record of the batch out of it: the stage now has it and must emit it
 * once.  For asynchronous stages. */
void run_hold(struct run *run, struct record *r);
size_t run_held(const struct run *run);

/* Stamps a held or new record and lets it go; it is not the caller's any
 * more.  Written at the latest when the loop is about to wait. */
void run_emit(struct run *run, struct record *r);
/* The same for one of many new ones that go at once, at a time that the caller
 * has looked up for all: they are written in pieces as large as a batch. */
void run_emit_at(struct run *run, struct record *r, int64_t now_unix_us);

/* Replaces a record of the current batch by others (emitted by run_emit): it
 * is freed after handle() without being written. */
void run_consume(struct run *run, struct record *r);

/* Sources: produce() has something to do again. */
void run_wake(struct run *run);

/* Sources: there is nothing more to come; drain and exit 0. */
void run_finish(struct run *run);

#endif
