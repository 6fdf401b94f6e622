/*
 * Lets each deduplication key through once a window.
 *
 * The key is (app, name, target): the name is the task's dedupe_key, or its id,
 * or where a rule says so a hash of its message; the target is the device,
 * topic, condition, channel or user.  A task with neither name is its own name
 * by its uid, so that it is never a duplicate but its redelivery is recognised.
 * Whose key it is, is told by the uid, never by the producer's id: the same id
 * pushed twice is a duplicate, the same uid seen twice is a redelivery.
 *
 * Pure: lib/store carries the asks out.
 */
#ifndef PUSH_POLICY_DEDUPE_H
#define PUSH_POLICY_DEDUPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "policy/store_ask.h"
#include "record/conf.h"
#include "record/record.h"

enum { DEDUPE_WINDOW_MS = 24 * 60 * 60 * 1000 }; /* the default */

enum { DEDUPE_RULES_MAX = 64 };

struct dedupe_rules;

/*
 * The members `dedupe.rules' and `dedupe.window' of push.conf; `conf' NULL gives
 * no rules.  `window_ms' is the window where no rule says otherwise; 0: that of
 * push.conf.  -1 is a usage failure that names the rule.
 */
int dedupe_rules_new(struct dedupe_rules **out, const struct conf *conf,
	int64_t window_ms, struct err *err) MUST_CHECK;
void dedupe_rules_free(struct dedupe_rules *rules); /* accepts NULL */

/*
 * Adds the asks about a record, with one of the STORE_DEDUPE_ verbs and the
 * record's now; returns how many: 0 where a rule turns dedupe off, 2 where one
 * is per user.  push-dedupe reserves; push-ack asks DONE, EXTEND or RELEASE of
 * the same keys.
 */
size_t dedupe_ask(struct dedupe_rules *rules, const struct record *r,
	enum store_verb verb, struct store_asks *asks);

enum dedupe_verdict {
	DEDUPE_PASS,
	DEDUPE_DUPLICATE,    /* another push has this key */
	DEDUPE_ALREADY_DONE, /* this push was delivered here before */
};

/* What the answers to STORE_DEDUPE_RESERVE mean. */
enum dedupe_verdict dedupe_judge(const struct store_ask *asks, size_t count);

/* Carries an ask out on what is kept under its key. */
enum store_answer dedupe_apply(
	const struct store_ask *ask, struct store_cell *cell);

#endif
