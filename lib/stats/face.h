/* What push-stats answers over HTTP, path by path; push-stats(1) lists them. */
#ifndef PUSH_STATS_FACE_H
#define PUSH_STATS_FACE_H

#include <stdint.h>

#include "base/buf.h"
#include "queue/depth.h"
#include "stats/history.h"
#include "stats/live.h"
#include "stats/stats.h"

/* Where the numbers come from; all borrowed. */
struct face {
	const struct stats *stats;
	const struct live *live;     /* NULL: no counters are listened to */
	const struct depths *depths; /* NULL: no queue is looked at */
	const struct history *history;
	int64_t started_unix_ms;
};

/* The HTTP status; the body is appended, *type stays where it is text. */
unsigned face_get(const struct face *f, const char *path, const char **type,
	struct buf *body);

#endif
