/*
 * How a finished record is settled.  Follows the ACK_ flags of the reason table
 * and nothing else; the same flags tell policy/mark.h which marks it sets.
 *
 * Pure: queue/settle.h carries the items out.
 */
#ifndef PUSH_QUEUE_ENDING_H
#define PUSH_QUEUE_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/settle.h"
#include "record/record.h"

/* After which a retry is given up. */
struct ending_limits {
	int64_t attempts;
	int64_t max_age_ms; /* since the first claim, when it would be due; 0:
	                       none */
};

/* The ACK_ flags for a decided record: its reason's, or for a retry that is over
 * a limit those of attempts-exhausted or too-old. */
unsigned ending_flags(
	const struct record *r, const struct ending_limits *limits);

/*
 * How the record is settled.  False when it is not: it never saw a queue, or
 * its lease is to run out.  *item borrows from `r' and from `scratch', which is
 * reset.
 */
bool ending_item(const struct record *r, const struct ending_limits *limits,
	struct settle_item *item, struct buf *scratch);

#endif
