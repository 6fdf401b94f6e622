/*
 * The running program, for the files of this folder only: stage.c brings it to
 * life and to its end, run.c turns its loop, batch.c passes the records through.
 */
#ifndef PUSH_STAGE_RUN_H
#define PUSH_STAGE_RUN_H

#include "stage/counters.h"
#include "stage/input.h"
#include "stage/options.h"
#include "stage/output.h"
#include "stage/stage.h"

enum {
	BATCH_MOST = 256,
	RETRY_FIRST_MS = 50,
	TOLD_MOST = 2,
};

/* A failure that was told, and when; { 0 }: none. */
struct told {
	struct err err;
	int64_t mono_ms;
};

/* What every stage's command line can say. */
struct options {
	const char *config;
	const char *in;
	const char *out;
	const char *node;
	const char *counters;
	const char *log_format;
	size_t max_line;
	int64_t drain_ms;
	int64_t ready_fd;
	bool is_check;
	bool is_replay;
	bool drops_decided;
	bool is_verbose;
};

/* The one that the table in options.c fills: a program runs one stage. */
extern struct options stage_options;
extern const struct opt stage_option_rows[]; /* that table */

struct run {
	const struct stage *stage;
	struct options *options; /* borrowed */
	struct loop *loop;       /* owned, as is all down to output */
	struct conf *first_conf; /* options borrow from it to the end */
	struct conf *conf;       /* the current one; may be first_conf */
	struct record_pool *pool;
	struct input *input;
	struct output *output;
	struct counters counters;
	struct opt_seen seen;
	char node[RECORD_NODE_MAX_BYTES + 1];
	struct record *records[BATCH_MOST];
	struct batch batch; /* over `records'; being handled or held back */
	size_t held;
	size_t window;
	size_t batch_most;
	size_t added; /* lines since the last output_added() */
	size_t unflushed_bytes;
	struct loop_timer retry;
	struct loop_timer tick;
	struct loop_timer drain_limit;
	int64_t backoff_ms;
	struct told told[TOLD_MOST]; /* of the pause that lasts */
	bool is_awake;               /* a source may produce */
	bool is_draining;
	bool is_over; /* the drain took too long */
	struct err err;
	bool has_failed;
};

/* --- batch.c --- */

/* Does one piece of work; false when there is none to do now. */
bool batch_step(struct run *run);
/* True while nothing may be read: the output is full, or a failure paused us. */
bool batch_is_blocked(const struct run *run);

/* --- run.c --- */

/* TERM, INT and HUP. */
int run_catch_signals(struct run *run, struct err *err) MUST_CHECK;
/* Turns the loop until all that was read is out, or has failed. */
void run_until_done(struct run *run);
/* What falls due every second, and at the end. */
void run_tick(void *self);

#endif
