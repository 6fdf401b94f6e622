/* A program of a chain: what it was named, where it is, how it is called. */
#ifndef PUSH_RUN_PROGRAM_H
#define PUSH_RUN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"
#include "record/conf.h"

enum {
	PROGRAM_ARGS_MAX = 64, /* from the configuration */
	PROGRAM_FOLDER_BYTES = 4096,
	PROGRAM_READY_FD = 3, /* ours are told to say there "ready" */
};

struct program {
	char *name;  /* owned, as are the next two: as it was named */
	char *path;  /* what is executed */
	char **argv; /* ended by NULL */
	size_t argc;
	size_t argv_room;
	bool is_ours;  /* takes our options and signals: named push-... */
	bool is_watch; /* only looks on: the chain goes on without it */
};

/*
 * Finds the program.  A name with a slash is relative to the configuration's
 * file; another is looked for in `folder', then in PATH.  One that is not there
 * is a usage failure; release it all the same.
 */
int program_init(struct program *p, struct span name, const struct conf *conf,
	const char *folder, struct err *err) MUST_CHECK;
void program_release(struct program *p);

/* Is it called so, in whatever folder? */
bool program_is(const struct program *p, const char *name);
bool program_has_name(const char *path, const char *name);

/* One argument more; two.  All are copied. */
void program_add(struct program *p, const char *text, size_t len);
void program_add_option(
	struct program *p, const char *option, const char *value);

/* The folder that this very program is in. */
int program_own_folder(
	char folder[PROGRAM_FOLDER_BYTES], struct err *err) MUST_CHECK;

#endif
