/*
 * The marks of finished records: where push-dedupe and push-fatigue keep their
 * state, push-ack sets and gives back, a batch in one round trip to each store.
 */
#ifndef PUSH_STORE_MARKS_H
#define PUSH_STORE_MARKS_H

#include <stdint.h>

#include "base/err.h"
#include "record/conf.h"
#include "record/record.h"

struct marks;

/* Stores by URL; NULL: dedupe.store and fatigue.store of the configuration.
 * Nothing is marked in memory:, which is nobody else's. */
struct marks_settings {
	const char *dedupe_url;
	const char *fatigue_url;
	int64_t dedupe_window_ms;
};

/* Whether stores and rules are right, without asking anybody. */
int marks_check(const struct marks_settings *settings, const struct conf *conf,
	struct err *err) MUST_CHECK;

/* The settings are copied, `conf' is borrowed until the next reload. */
int marks_open(struct marks **out, const struct marks_settings *settings,
	const struct conf *conf, struct err *err) MUST_CHECK;
void marks_close(struct marks *m); /* accepts NULL */

/* Takes the rules from another configuration; -1 leaves the old ones. */
int marks_reload(
	struct marks *m, const struct conf *conf, struct err *err) MUST_CHECK;

/* Forgets what was added. */
void marks_reset(struct marks *m);

/* Adds what the ACK_ flags say for the stages that the record has passed. */
void marks_add(struct marks *m, const struct record *r, unsigned flags);

/* Carries out what was added.  -1: a temporary failure; to be asked again. */
int marks_exchange(struct marks *m, struct err *err) MUST_CHECK;

#endif
