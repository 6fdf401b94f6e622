/*
 * The registry from a file: NDJSON, one device or one membership of a segment a
 * line, as push-device exports them.  A line that is refused is told and
 * skipped.
 */
#ifndef PUSH_STORE_IMPORT_H
#define PUSH_STORE_IMPORT_H

#include <stdint.h>

#include "base/err.h"
#include "store/devices.h"
#include "store/segments.h"

struct import {
	/* Told by the caller.  Neither may be NULL. */
	void (*on_refused)(uint64_t line, const char *why);
	void (*on_progress)(uint64_t lines); /* now and then */

	/* Told to the caller, also after a failure. */
	uint64_t lines;
	uint64_t refused;
	struct devices_counts counts;
	uint64_t joined; /* users who were not in their segment */
};

/*
 * Reads the file, "-" for standard input, in bounded memory.  An absent registered_ms becomes the
 * time of the import.  -1: reading or the registry failed; importing the same
 * file again is harmless.
 */
int import_run(struct import *i, struct devices *d, struct segments *s,
	const char *path, struct err *err) MUST_CHECK;

#endif
