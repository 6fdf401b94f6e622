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

/* What is stopped now; NULL: nobody is asked.  Borrowed until the loop turns. */
const struct risk_stops *risk_state_stops(const struct risk_state *s);
size_t risk_state_stop_count(const struct risk_state *s);

/*
 * Judges surges, in one round trip: verdicts[i] is for records[i], and is set
 * when it is a hit; those that are hits already, and decided records, are passed
 * over, as are redelivered and resumed ones, which were counted when they came
 * first.  -1: a temporary failure, nothing set.
 */
int risk_state_surges(struct risk_state *s, const struct risk_rules *rules,
	struct record *const *records, struct risk_verdict *verdicts,
	size_t count, struct err *err) MUST_CHECK;

#endif
