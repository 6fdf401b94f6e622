/*
 * The numbers as Prometheus scrapes them: text exposition format 0.0.4.
 * push-stats(1) lists the metrics; times are in seconds, labels are bounded.
 */
#ifndef PUSH_STATS_EXPOSE_H
#define PUSH_STATS_EXPOSE_H

#include <stdint.h>

#include "base/buf.h"
#include "queue/depth.h"
#include "stats/live.h"
#include "stats/stats.h"

enum { EXPOSE_MAX_BYTES = 16 * 1024 * 1024 };

#define EXPOSE_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Where the numbers come from. */
struct expose_from {
	const struct stats *stats;
	const struct live *live;     /* NULL: no counters are listened to */
	const struct depths *depths; /* NULL: no queue is looked at */
	int64_t started_unix_ms;
};

/* Appends the whole page. */
void expose(const struct expose_from *from, struct buf *out);

/* Its parts that are not from records. */
void expose_live(const struct live *live, struct buf *out);
void expose_depths(const struct depths *depths, struct buf *out);

#endif
