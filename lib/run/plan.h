/* One chain: which programs make it up, and how each is called. */
#ifndef PUSH_RUN_PLAN_H
#define PUSH_RUN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "record/conf.h"
#include "run/program.h"

enum { PLAN_PROGRAMS_MAX = 32 };

struct plan {
	struct program programs[PLAN_PROGRAMS_MAX];
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

/*
 * The programs are those of run.chain, or the whole chain if the configuration
 * names none.  Ours get `-c conf_path' (when it is not NULL) and --ready-fd.
 * `out' is empty before; release it even when this fails.
 */
int plan_make(struct plan *out, const struct plan_source *source,
	struct err *err) MUST_CHECK;
void plan_release(struct plan *p);

/* Is there push-stats at the end, and somebody before it? */
bool plan_ends_in_watch(const struct conf *conf);

#endif
