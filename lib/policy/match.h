/*
 * Which records a rule of push.conf is for: app, category, priority.
 *
 * What a rule does not name matches everything.
 */
#ifndef PUSH_POLICY_MATCH_H
#define PUSH_POLICY_MATCH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/json.h"
#include "record/record.h"

struct match {
	struct span app;      /* owned; absent: every app, each for itself */
	struct span category; /* owned; absent: any */
	bool has_priority;    /* false: any */
	enum priority priority;
};

/* The members `app', `category' and `priority' of a rule; -1 is a usage
 * failure. */
int match_parse(
	struct match *m, const struct json *rule, struct err *err) MUST_CHECK;
void match_release(struct match *m);

bool match_fits(const struct match *m, const struct record *r);
/* True when both are for the same records. */
bool match_is_same(const struct match *a, const struct match *b);

/* Appends what is named, each with a blank behind it: "shop marketing ". */
void match_write(const struct match *m, struct buf *out);

#endif
