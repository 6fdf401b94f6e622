/*
 * Sockets between programs that no pipe joins: where all report to the
 * collector, and where lanes hand over to the watcher.  In a folder of our own,
 * gone when we are.
 */
#ifndef PUSH_RUN_SOCKETS_H
#define PUSH_RUN_SOCKETS_H

#include "base/buf.h"
#include "base/err.h"
#include "record/conf.h"

/* Zeroed is none. */
struct sockets {
	struct buf folder;  /* in $TMPDIR or /tmp; empty: none was made */
	struct buf records; /* where the watcher of lanes reads */
};

/* Makes the folder, and names the collector's socket to all programs to come
 * unless somebody else has named one. */
int sockets_make(
	struct sockets *s, const struct conf *conf, struct err *err) MUST_CHECK;

/* Removes what is there of it. */
void sockets_remove(struct sockets *s);

#endif
