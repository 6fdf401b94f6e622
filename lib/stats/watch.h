/*
 * The live numbers as a table for a terminal, from what /api/stats and
 * /api/history say: of this process or of another one.
 */
#ifndef PUSH_STATS_WATCH_H
#define PUSH_STATS_WATCH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "record/json.h"

/* Appends the table; members that are missing are shown as "-". */
void watch_table(
	const struct json *stats, const struct json *history, struct buf *out);

/* Prints the table made of the two texts to the standard output, over the last
 * one if that is a terminal.  -1 when a text is no JSON or cannot be printed. */
int watch_print(const struct buf *stats, const struct buf *history,
	struct err *err) MUST_CHECK;

struct watch;

/* Asks the push-stats at `url' ("http://host:port") once a second and prints.
 * While it does not answer, one line says so.  `url' is borrowed. */
struct watch *watch_open(struct loop *loop, const char *url);
void watch_close(struct watch *w); /* accepts NULL */

#endif
