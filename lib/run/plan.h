/*
 * Which chains there are, which programs make up each, where they are, and how
 * each is called.
 *
 * Without run.lanes there is one chain.  With it there is one a lane, and the
 * watcher at the end (push-stats) is a chain of its own that reads, from a
 * socket, what the lanes' last programs write.
 */
#ifndef PUSH_RUN_PLAN_H
#define PUSH_RUN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "record/conf.h"

enum {
	PLAN_PROGRAMS_MAX = 32,
	PLAN_ARGS_MAX = 64, /* of one program, from the configuration */
	PLAN_FOLDER_BYTES = 4096,
	PLAN_LANES_MAX = 16,
	PLAN_READY_FD = 3, /* our programs are told to say there "ready" */
};

struct plan_program {
	char *name;  /* owned, as are the next two: as it was named */
	char *path;  /* what is executed */
	char **argv; /* ended by NULL */
	size_t argc;
	size_t argv_room;
	bool is_ours;  /* takes our options and signals: named push-... */
	bool is_watch; /* only looks on: the chain goes on without it */
};

struct plan {
	struct plan_program programs[PLAN_PROGRAMS_MAX];
	size_t count;
	char *name;    /* owned: the lane's; NULL: the only chain */
	bool is_watch; /* the lanes' watcher: ends after them */
};

/* Where the chains come from; all borrowed. */
struct plan_source {
	const struct conf *conf;
	const char *conf_path; /* or NULL: there is no file */
	const char *folder;    /* of programs that are named without a slash */
	const char *records;   /* the watcher's socket, when there are lanes */
};

/* Is there a watcher apart from its chains, or one to report to whose socket
 * nobody has named? */
bool plan_wants_sockets(const struct conf *conf);

/*
 * The chains, the watcher's first; `*count' of them, in memory that
 * plans_free() frees.  Programs are those of run.chain, or the whole chain if
 * the configuration names none.  Ours get `-c conf_path' (when it is not NULL)
 * and --ready-fd.  A name without a slash is looked for in `folder', then in
 * PATH.  A program that is not there is a usage failure.
 */
int plans_make(struct plan **out, size_t *count,
	const struct plan_source *source, struct err *err) MUST_CHECK;
void plans_free(struct plan *plans, size_t count); /* accepts NULL */

/* The folder that this very program is in. */
int plan_own_folder(char folder[PLAN_FOLDER_BYTES], struct err *err) MUST_CHECK;

#endif
