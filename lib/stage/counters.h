/*
 * What a stage has done so far, told to the collector once a second by one
 * datagram that never waits: push(7) has the format.
 */
#ifndef PUSH_STAGE_COUNTERS_H
#define PUSH_STAGE_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/outcome.h"

struct counters {
	uint64_t in;
	uint64_t out;
	uint64_t reasons[REASON_COUNT]; /* decided by this stage */
	uint64_t lost_datagrams;
	const char *program; /* borrowed, as are the next two */
	const char *node;
	const char *path; /* of the collector's socket; NULL: nobody asks */
	char host[65];
	int fd;
};

void counters_open(struct counters *c, const char *program, const char *node,
	const char *path);
void counters_close(struct counters *c);

/* Sends what stands now.  `extra' holds `,"name":value' members or is empty. */
void counters_send(struct counters *c, size_t held, uint64_t dropped,
	const struct buf *extra);

#endif
