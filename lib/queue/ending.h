/*
 * What becomes of a finished record: which marks it sets or gives back, and how
 * it is settled.  Follows the ACK_ flags of the reason table and nothing else.
 *
 * Pure: lib/store carries the asks out, queue/settle.h the items.
 */
#ifndef PUSH_QUEUE_ENDING_H
#define PUSH_QUEUE_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "policy/dedupe.h"
#include "policy/fatigue.h"
#include "policy/store_ask.h"
#include "queue/settle.h"
#include "record/record.h"

/* The ACK_ flags for a decided record: its reason's, or for a retry that has
 * used its last of `attempts' those of attempts-exhausted. */
unsigned ending_flags(const struct record *r, int64_t attempts);

/* Adds the dedupe mark for a record that passed push-dedupe. */
void ending_ask_dedupe(const struct record *r, unsigned flags,
	struct dedupe_rules *rules, struct store_asks *asks);

/* The same for push-fatigue. */
void ending_ask_fatigue(const struct record *r, unsigned flags,
	const struct fatigue_rules *rules, struct store_asks *asks);

/*
 * How the record is settled.  False when it is not: it never saw a queue, or
 * its lease is to run out.  *item borrows from `r' and from `scratch', which is
 * reset.
 */
bool ending_item(
	const struct record *r, struct settle_item *item, struct buf *scratch);

#endif
