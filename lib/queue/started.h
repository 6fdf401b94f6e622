/* From a claimed entry to the record that starts through the chain. */
#ifndef PUSH_QUEUE_STARTED_H
#define PUSH_QUEUE_STARTED_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/claim.h"
#include "record/record.h"

/* The record, its trace begun with the facts of the claim.  Never fails: what is
 * no task comes out rejected. */
struct record *started_record(struct record_pool *pool, const char *queue,
	const struct claim_entry *e, int64_t now_unix_us);

/* Has its not_before_ms yet to come? */
bool started_must_wait(const struct claim_entry *e, const struct record *r,
	int64_t now_unix_us);

#endif
