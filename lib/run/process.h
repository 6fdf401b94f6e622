/* A running program: started between two pipes, asked to be ready, told to end. */
#ifndef PUSH_RUN_PROCESS_H
#define PUSH_RUN_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "run/program.h"

struct process {
	struct loop *loop;             /* borrowed */
	const struct program *program; /* borrowed */
	void (*on_ready)(void *self);  /* it is ready, or never will be */
	void *self;
	pid_t pid;    /* 0: not running */
	int ready_fd; /* to be read from; -1: none */
	struct loop_fd *ready_watch;
	bool is_ready;
	int64_t since_mono_ms;
};

/* Starts it between `in' and `out' (-1: push-run's own), which it does not
 * keep.  May be called again when it has ended. */
int process_start(
	struct process *p, int in, int out, struct err *err) MUST_CHECK;

/* A signal, if it is running. */
void process_tell(const struct process *p, int signo);

/* No longer waits for it to be ready. */
void process_stop_listening(struct process *p);

/* Says in the log how it ended; true when it did as it should. */
bool process_log_end(const struct process *p, int status, bool is_ending);

/* A pipe whose ends close on exec; both -1 when there is none to be had. */
int process_pipe(int ends[2], struct err *err) MUST_CHECK;

/* Closes it unless it is -1, which it is then. */
void process_close_fd(int *fd);

#endif
