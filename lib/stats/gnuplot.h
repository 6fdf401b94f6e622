/* Runs gnuplot, which is a program of its own and may not be installed. */
#ifndef PUSH_STATS_GNUPLOT_H
#define PUSH_STATS_GNUPLOT_H

#include "base/buf.h"
#include "base/err.h"

/* A usage failure when $PATH has none. */
int gnuplot_check(struct err *err) MUST_CHECK;

/* Lets it run the script and waits for its end.  It complains to our standard
 * error; its standard output is thrown away. */
int gnuplot_run(const struct buf *script, struct err *err) MUST_CHECK;

#endif
