/*
 * The results file: every finished record as one line, appended.
 *
 * Lines are collected and then written at once; what the disk did not take is
 * kept and tried again, so that no line is lost, repeated or cut.
 */
#ifndef PUSH_QUEUE_RESULTS_H
#define PUSH_QUEUE_RESULTS_H

#include "base/buf.h"
#include "base/err.h"

struct results;

/* Opens for appending; `path' (copied) NULL gives a file that takes nothing.
 * A usage failure when it cannot be opened. */
int results_open(
	struct results **out, const char *path, struct err *err) MUST_CHECK;
void results_close(struct results *f); /* accepts NULL */

/* Opens the path anew, for rotation; on failure the old one stays in use. */
int results_reopen(struct results *f, struct err *err) MUST_CHECK;

/* Where whole lines are appended; NULL when there is no file. */
struct buf *results_buf(struct results *f);

/* Writes what was collected.  -1: a temporary failure, call again. */
int results_flush(struct results *f, struct err *err) MUST_CHECK;

#endif
