/*
 * The numbers as a person reads them, and as a program does: one table, one
 * JSON object.  push-stats(1) describes both.
 */
#ifndef PUSH_STATS_REPORT_H
#define PUSH_STATS_REPORT_H

#include "base/buf.h"
#include "queue/depth.h"
#include "stats/live.h"
#include "stats/stats.h"

enum { REPORT_MAX_BYTES = 4 * 1024 * 1024 };

/* Appends the table: times in milliseconds, moments in UTC. */
void report_table(const struct stats *s, struct buf *out);

/* Appends a table of latencies for a spreadsheet, with a line of names; times in
 * microseconds. */
void report_csv(const struct stats *s, struct buf *out);

/* Appends one JSON object, without a newline; times in microseconds.  `live'
 * adds what the programs say about themselves, `depths' the queues; NULL:
 * nothing does. */
void report_json(const struct stats *s, const struct live *live,
	const struct depths *depths, struct buf *out);

#endif
