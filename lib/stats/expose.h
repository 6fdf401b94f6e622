/*
 * The numbers as Prometheus scrapes them: text exposition format 0.0.4.
 * push-stats(1) lists the metrics; times are in seconds, labels are bounded.
 *
 * Source: Prometheus, "Exposition formats", text-based format, read 2026-11.
 */
#ifndef PUSH_STATS_EXPOSE_H
#define PUSH_STATS_EXPOSE_H

#include <stdint.h>

#include "base/buf.h"
#include "stats/live.h"
#include "stats/stats.h"

enum { EXPOSE_MAX_BYTES = 16 * 1024 * 1024 };

#define EXPOSE_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends the whole page.  `live' NULL: no counters are listened to. */
void expose(const struct stats *s, const struct live *live,
	int64_t started_unix_ms, struct buf *out);

#endif
