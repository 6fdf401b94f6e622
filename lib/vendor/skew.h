/*
 * How far this host's clock is from a vendor's, as told by the Date field of its
 * answers.  A wrong clock is otherwise hard to see: tokens that are signed with
 * it are refused, with words that say something else.
 */
#ifndef PUSH_VENDOR_SKEW_H
#define PUSH_VENDOR_SKEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct skew {
	const char *vendor; /* its name, for the log */
	bool is_known;
	bool is_told;           /* the log has it */
	int64_t ahead_s;        /* of the vendor's; negative: behind */
	int64_t looked_unix_ms; /* when it was measured */
};

/* Takes the Date of an answer that has just come, which may be absent; looks at
 * one a second.  Says once in the log when the clocks are more than a minute
 * apart, and when they are together again. */
void skew_note(struct skew *s, struct span date, int64_t now_unix_ms);

/* Seconds between the clocks, whoever is ahead; -1: not known. */
int64_t skew_distance_s(const struct skew *s);

#endif
