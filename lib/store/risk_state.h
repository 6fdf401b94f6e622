/*
 * What push-risk knows from outside its rules: what operators stop, and how
 * much was sent lately.
 */
#ifndef PUSH_STORE_RISK_STATE_H
#define PUSH_STORE_RISK_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/loop.h"
#include "policy/risk.h"
#include "record/conf.h"

struct risk_state;

/* Knows nothing yet.  In a replay nobody is asked, and surges are counted here
 * by the records' own time. */
struct risk_state *risk_state_new(struct loop *loop, bool is_replay);
void risk_state_free(struct risk_state *s); /* accepts NULL */

/*
 * Goes where the configuration says for what these rules need: operators' stops
 * at `stops_url' ("none": nowhere; NULL: risk.stops, else the file's redis),
 * surges at risk.store.  -1 leaves it as it was.
 */
int risk_state_follow(struct risk_state *s, const struct risk_rules *rules,
	const struct conf *conf, const char *stops_url,
	struct err *err) MUST_CHECK;

/* Whether it could go there, without asking anybody. */
int risk_state_check(const struct conf *conf, const char *stops_url,
	struct err *err) MUST_CHECK;

/* How many stops of operators are known. */
size_t risk_state_stop_count(const struct risk_state *s);

/*
 * Judges undecided records by rules, stops and surges, the latter in one round
 * trip: *verdicts, borrowed until the next call, has one a record, by place.
 * Redelivered and resumed records are no surge: they were counted when they came
 * first, but for those that never came so far and for the rest of a segment.  -1: a temporary failure, to be tried again.
 */
int risk_state_judge(struct risk_state *s, struct risk_rules *rules,
	struct record *const *records, size_t count,
	const struct risk_verdict **verdicts, struct err *err) MUST_CHECK;

#endif
