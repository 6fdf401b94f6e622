/*
 * A picture of a captured file, drawn by gnuplot: latency percentiles by node
 * and over time, backlog over time.
 */
#ifndef PUSH_STATS_PLOT_H
#define PUSH_STATS_PLOT_H

#include "base/buf.h"
#include "base/err.h"
#include "stats/stats.h"

/* A usage failure when the file's name ends neither in .svg nor in .png, or when
 * there is no gnuplot: to be asked before a long input is read. */
int plot_check(const char *path, struct err *err) MUST_CHECK;

/* Draws into the file, which is replaced once the picture is whole.  `stats' has
 * backlogs and timelines.  A usage failure when no record has stamps. */
int plot_draw(const struct stats *stats, const char *path,
	struct err *err) MUST_CHECK;

#endif
