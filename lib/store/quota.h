/*
 * The quotas of apps, taken for a batch in one round trip.
 */
#ifndef PUSH_STORE_QUOTA_H
#define PUSH_STORE_QUOTA_H

#include "base/err.h"
#include "policy/auth.h"
#include "record/conf.h"
#include "record/record.h"

struct quota;

/* In a replay they are counted here, by the records' own time. */
struct quota *quota_new(bool is_replay);
void quota_free(struct quota *q); /* accepts NULL */

/* Goes where `auth.store' says, if an app has a quota.  -1 leaves it as it
 * was. */
int quota_follow(struct quota *q, const struct auth_rules *rules,
	const struct conf *conf, struct err *err) MUST_CHECK;

/*
 * Takes from the quotas for the undecided records and decides those without
 * room: REASON_QUOTA_WAIT or REASON_QUOTA.  Redelivered and resumed records have
 * theirs already.  -1: a temporary failure, nothing decided.
 */
int quota_take(struct quota *q, const struct auth_rules *rules,
	struct record *const *records, size_t count,
	struct err *err) MUST_CHECK;

#endif
