/* A folder of our own for one socket, gone when we are. */
#ifndef PUSH_RUN_SCRATCH_H
#define PUSH_RUN_SCRATCH_H

#include "base/buf.h"
#include "base/err.h"

/* Zeroed is none. */
struct scratch {
	struct buf path; /* of the file in the folder; empty: none was made */
};

/* Makes a folder in $TMPDIR or /tmp, for a file `name' that others make. */
int scratch_make(
	struct scratch *s, const char *name, struct err *err) MUST_CHECK;

/* Where the file goes; borrowed from `s'. */
const char *scratch_path(struct scratch *s);

/* Removes the file, if it is there, and the folder. */
void scratch_remove(struct scratch *s);

#endif
