/*
 * The program around a command: one that does one thing and ends, as push-queue
 * and push-device do, where stage.h is for what reads records.
 *
 * Its commands are a table, which is what --help prints, what the first word
 * of the command line is looked up in, and what says how many words there may be.
 */
#ifndef PUSH_STAGE_COMMAND_H
#define PUSH_STAGE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/conf.h"
#include "stage/opt.h"

enum { COMMAND_OPERANDS_MAX = 2 };

struct command {
	const char *name;
	const char *operands; /* as help shows them, "KIND NAME"; NULL: none */
	size_t most;          /* how many there may be */
	unsigned needs;       /* the program's own, for its open() */
	const char *help;     /* one line, lower case, no full stop */
	int (*run)(void *self, struct err *err); /* 0, or -1 with why */
};
#define COMMAND_END                          \
	{                                    \
		NULL, NULL, 0, 0, NULL, NULL \
	}

struct command_program {
	const struct opt_program *options; /* has the commands */
	const char **config;   /* what --config sets; $PUSH_CONFIG otherwise */
	const char **operands; /* of COMMAND_OPERANDS_MAX: get the words behind
	                          the command; NULL where there is none */
	void *self;
	/* Before the command: what it `needs'. */
	int (*open)(void *self, const struct conf *conf, unsigned needs,
		struct err *err);
	/* Also after a failure of open(). */
	void (*close)(void *self);
};

/* The whole of main(): options, push.conf, open, the command, close, and the
 * exit status, which is no success when the output could not be written. */
int command_main(const struct command_program *p, char **argv);

/* Whether it is time to tell how far a long command is: two seconds after
 * *told_mono_ms, which is then now. */
bool command_tells_progress(int64_t *told_mono_ms);

/* The outermost part, for programs without commands: log, $PUSH_CONFIG into
 * *config, `run', the check of the output and the exit status. */
int command_run(const char *name, const char **config,
	int (*run)(void *self, char **argv, struct err *err), void *self,
	char **argv);

#endif
