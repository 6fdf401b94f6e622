/*
 * Which marks a finished record sets or gives back, by the ACK_ flags that hold
 * for it.  Pure: lib/store/marks.h carries the asks out.
 */
#ifndef PUSH_POLICY_MARK_H
#define PUSH_POLICY_MARK_H

#include "policy/dedupe.h"
#include "policy/fatigue.h"
#include "policy/store_ask.h"
#include "record/record.h"

/* Adds the dedupe mark for a record that passed push-dedupe. */
void mark_ask_dedupe(const struct record *r, unsigned flags,
	struct dedupe_rules *rules, struct store_asks *asks);

/* The same for push-fatigue. */
void mark_ask_fatigue(const struct record *r, unsigned flags,
	const struct fatigue_rules *rules, struct store_asks *asks);

#endif
