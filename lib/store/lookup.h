/*
 * From records to records with devices: asks the registry for a batch and
 * spreads each record out.
 *
 * The order of calls for a batch: lookup_begin(), lookup_add() for each record,
 * lookup_find(), lookup_spread() for each in the same order; then lookup_page()
 * for those with a segment.
 */
#ifndef PUSH_STORE_LOOKUP_H
#define PUSH_STORE_LOOKUP_H

#include <stdbool.h>

#include "base/err.h"
#include "policy/platforms.h"
#include "record/record.h"

struct lookup;

/* Gets each new record, which is its own from then on. */
typedef void lookup_cb(void *self, struct record *r);

/* In a replay devices count that were registered before the record's now. */
struct lookup *lookup_new(lookup_cb *emit, void *self, bool is_replay);
void lookup_free(struct lookup *l); /* accepts NULL */

/* Opens the registry in the place of the one before; "memory:": nobody has a
 * device.  -1 keeps the one before. */
int lookup_open(struct lookup *l, const char *url, struct err *err) MUST_CHECK;

/* Takes over which platforms the apps may send to, in the place of those
 * before. */
void lookup_allow(struct lookup *l, struct platforms *platforms);

void lookup_begin(struct lookup *l, struct record_pool *pool);
void lookup_add(struct lookup *l, const struct record *r);
int lookup_find(struct lookup *l, struct err *err) MUST_CHECK;

/* True when others were emitted in the record's place; else it is to go on as it
 * is: it has its target, was decided, or has a segment. */
bool lookup_spread(struct lookup *l, struct record *r);

/* True for a record whose segment is to be spread out. */
bool lookup_has_segment(const struct record *r);

/*
 * Spreads one page of a segment out.  What is behind it is a part of its own,
 * which push-ack puts back into the queue; for a record that comes from no
 * queue it is the next call's.  *is_replaced as for lookup_spread(), once there
 * is nothing left to do for the record.
 */
int lookup_page(struct lookup *l, struct record *r, bool *is_replaced,
	struct err *err) MUST_CHECK;

#endif
