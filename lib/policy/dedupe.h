/*
 * Lets each deduplication key through once a window.
 *
 * The key is (app, name, target): the name is the task's dedupe_key, or its id;
 * the target is the device, topic, condition, channel or user.  A task with
 * neither name is its own name by its uid, so that it is never a duplicate but
 * its redelivery is recognised.  Whose key it is, is told by the uid, never by
 * the producer's id: the same id pushed twice is a duplicate, the same uid seen
 * twice is a redelivery.
 *
 * Pure: lib/store carries the asks out.
 */
#ifndef PUSH_POLICY_DEDUPE_H
#define PUSH_POLICY_DEDUPE_H

#include <stdint.h>

#include "policy/store_ask.h"
#include "record/record.h"

enum { DEDUPE_WINDOW_MS = 24 * 60 * 60 * 1000 }; /* the default */

enum dedupe_verdict {
	DEDUPE_PASS,
	DEDUPE_DUPLICATE,    /* another push has this key */
	DEDUPE_ALREADY_DONE, /* this push was delivered here before */
};

/*
 * The ask about a record, with one of the STORE_DEDUPE_ verbs and the record's
 * now.  push-dedupe reserves; push-ack asks DONE, EXTEND or RELEASE of the
 * same key.
 */
struct store_ask dedupe_ask(
	const struct record *r, enum store_verb verb, int64_t window_ms);

/* What an answer to STORE_DEDUPE_RESERVE means. */
enum dedupe_verdict dedupe_judge(enum store_answer answer);

/* Carries an ask out on what is kept under its key. */
enum store_answer dedupe_apply(
	const struct store_ask *ask, struct store_cell *cell);

#endif
