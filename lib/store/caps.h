/*
 * Frequency caps for a batch of records: asks the store about all at once,
 * gives back what refused records took, and asks once more about those that
 * were refused for want of that.
 */
#ifndef PUSH_STORE_CAPS_H
#define PUSH_STORE_CAPS_H

#include <stddef.h>

#include "base/err.h"
#include "policy/fatigue.h"
#include "record/record.h"
#include "store/store.h"

/* A record that is being asked about. */
struct caps_turn {
	struct record *rec;
	size_t first; /* its asks */
	size_t count;
	const struct fatigue_rule *over; /* the rule that refuses; NULL: none */
};

/* Start it as { 0 }. */
struct caps {
	struct caps_turn *turns; /* owned */
	size_t count;
	size_t cap;
	struct store_asks asks;
	struct store_asks refunds;
};

/* Begins a batch of at most `most' records. */
void caps_begin(struct caps *c, size_t most);
void caps_add(struct caps *c, struct record *r);

/* Takes the turns of what was added and decides those that a rule refuses as
 * fatigue-cap, with the fact "rule"; more may be added then.  -1: a temporary
 * failure; begin again. */
int caps_take(struct caps *c, const struct fatigue_rules *rules,
	struct store *store, struct err *err) MUST_CHECK;
void caps_release(struct caps *c);

#endif
