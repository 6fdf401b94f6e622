/*
 * Which programs make up a chain, where they are, and how each is called.
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
	PLAN_READY_FD = 3, /* our programs are told to say there "ready" */
};

struct plan_program {
	char *name;    /* owned, as are the next two: as it was named */
	char *path;    /* what is executed */
	char **argv;   /* ended by NULL */
	bool is_ours;  /* takes our options and signals: named push-... */
	bool is_watch; /* only looks on: the chain goes on without it */
};

struct plan {
	struct plan_program programs[PLAN_PROGRAMS_MAX];
	size_t count;
};

/*
 * The programs of run.chain, or the whole chain if the configuration names none.
 * Ours get `-c conf_path' (when it is not NULL) and --ready-fd.  A name without
 * a slash is looked for in `folder', then in PATH.  A program that is not there
 * is a usage failure.
 */
int plan_make(struct plan *out, const struct conf *conf, const char *conf_path,
	const char *folder, struct err *err) MUST_CHECK;
void plan_release(struct plan *p);

/* The folder that this very program is in. */
int plan_own_folder(char folder[PLAN_FOLDER_BYTES], struct err *err) MUST_CHECK;

#endif
