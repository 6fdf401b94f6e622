/*
 * Frequency caps: how many notifications a user gets in a sliding window.
 *
 * A rule counts per (app, user) what it matches, keyed by uid, so that several
 * devices, retries and redeliveries of one push count once.  All matching
 * rules must pass.  Records of exempt categories, and records without a user,
 * match no rule.
 *
 * Pure: lib/store carries the asks out.
 */
#ifndef PUSH_POLICY_FATIGUE_H
#define PUSH_POLICY_FATIGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "policy/match.h"
#include "policy/store_ask.h"
#include "record/conf.h"
#include "record/record.h"

enum {
	FATIGUE_LIMIT_MAX = 1000, /* of a rule; bounds a window's bytes */
	FATIGUE_RULES_MAX = 64,
	FATIGUE_WINDOW_MIN_MS = 1000, /* windows are kept in whole seconds */
};

/* One rule. */
struct fatigue_rule {
	struct match match; /* owned */
	int64_t limit;      /* 1 to FATIGUE_LIMIT_MAX */
	int64_t window_ms;
	char *name;        /* owned; "marketing 3 per 24h" */
	struct digest key; /* what tells rules apart */
};

struct fatigue_rules;

/* The members `fatigue.rules' and `fatigue.exempt' of push.conf; `conf' NULL
 * gives none.  -1 is a usage failure that names the rule. */
int fatigue_rules_new(struct fatigue_rules **out, const struct conf *conf,
	struct err *err) MUST_CHECK;
void fatigue_rules_free(struct fatigue_rules *rules); /* accepts NULL */
size_t fatigue_rules_count(const struct fatigue_rules *rules);

/* One more rule for all records: `limit' per `window' ("24h"). */
int fatigue_rules_add(struct fatigue_rules *rules, int64_t limit,
	const char *window, struct err *err) MUST_CHECK;

/* True for a category that no rule holds back. */
bool fatigue_is_exempt(
	const struct fatigue_rules *rules, const struct record *r);

/*
 * Adds one ask a matching rule, with one of the STORE_FATIGUE_ verbs and the
 * record's now; returns how many, 0 for a record that nothing caps.
 * push-fatigue takes; push-ack keeps or releases the same keys.
 */
size_t fatigue_ask(const struct fatigue_rules *rules, const struct record *r,
	enum store_verb verb, struct store_asks *asks);

/*
 * The rule that holds the record back, or NULL to let it pass.  `asks' are the
 * answered ones of this record, as fatigue_ask() added them.
 */
const struct fatigue_rule *fatigue_judge(const struct fatigue_rules *rules,
	const struct record *r, const struct store_ask *asks, size_t count);

/*
 * Adds the asks that give back what a refused record took from the rules that
 * allowed it.  Also what an earlier delivery of it took: that one may have been
 * cut short before it gave back, and what was delivered is kept anyhow.
 */
void fatigue_refund(
	const struct store_ask *asks, size_t count, struct store_asks *refunds);

/* True when a count that refused this record was given back by another push:
 * it may be asked about once more. */
bool fatigue_has_room(const struct store_ask *asks, size_t count,
	const struct store_asks *refunds);

/* Carries an ask out on what is kept under its key. */
enum store_answer fatigue_apply(
	const struct store_ask *ask, struct store_cell *cell);

#endif
