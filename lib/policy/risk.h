/*
 * Risk control: what is stopped (campaigns, apps, categories), who gets nothing
 * (users, devices), what no text may hold (patterns, links), and how much is
 * too much at once (surges).
 *
 * Judging a record looks at no clock.  Surges are counted by the caller's store:
 * risk_surge() only says what to ask.
 */
#ifndef PUSH_POLICY_RISK_H
#define PUSH_POLICY_RISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "policy/rate.h"
#include "record/conf.h"
#include "record/json.h"
#include "record/outcome.h"
#include "record/record.h"

enum risk_kind {
	RISK_CAMPAIGN,
	RISK_APP,
	RISK_CATEGORY,
	RISK_ID, /* only live */
	RISK_USER,
	RISK_DEVICE,
	RISK_WORD,
	RISK_LINK,
	RISK_SURGE,
	RISK_KIND_COUNT
};

/* "campaign", "app", ..., and the reason that such a rule gives. */
const char *risk_kind_name(enum risk_kind kind);
enum reason risk_kind_reason(enum risk_kind kind);

struct risk_rules; /* opaque; used by one thread at a time */

/* Empty rules, which let everything pass.  `is_caseless' is for the patterns:
 * upper and lower case are the same. */
struct risk_rules *risk_rules_new(bool is_caseless);
void risk_rules_free(struct risk_rules *rules); /* accepts NULL */

/* Adds a rule of any kind but RISK_SURGE; the text is copied.  -1 and a usage
 * failure when it is no pattern (with the offset) or no site. */
int risk_add(struct risk_rules *rules, enum risk_kind kind, struct span text,
	struct err *err) MUST_CHECK;

/* Adds a surge limit: an object of risk.surges whose types have been checked
 * and which must live as long.  -1 and a usage failure when it has no limit or
 * no time. */
int risk_add_surge(struct risk_rules *rules, const struct json *v,
	struct err *err) MUST_CHECK;

/* Adds all of section `risk' of a configuration, which must live as long. */
int risk_add_conf(struct risk_rules *rules, const struct conf *conf,
	struct err *err) MUST_CHECK;

/* What an operator stopped while the chain runs; replaced as a whole. */
struct risk_stops;
struct risk_stops *risk_stops_new(void);
void risk_stops_free(struct risk_stops *stops); /* accepts NULL */
/* Only the kinds up to RISK_ID. */
void risk_stops_add(
	struct risk_stops *stops, enum risk_kind kind, struct span name);

struct risk_verdict {
	bool is_hit;
	enum risk_kind kind;
	struct span rule; /* as it was added; lives as long as rules and stops,
	                     or as the record */
	bool is_live;     /* an operator's stop, not a rule */
	bool is_costly;   /* the pattern took more work than a text is worth */
};

/*
 * Judges a record by all but surges.  A pattern that takes too much work counts
 * as matched.  `stops' may be NULL.
 */
struct risk_verdict risk_judge(struct risk_rules *rules,
	const struct risk_stops *stops, const struct record *r);

/*
 * Writes a verdict that is a hit into the record: the facts "rule" (of patterns,
 * links and surges), "why" and "by", and the decision; in a dry run the fact
 * "would" instead of that.
 */
void risk_tell(struct record *r, const struct risk_verdict *v, bool is_dry);

/*
 * For a task with a list of users (RISK_USER) or devices (RISK_DEVICE): how many
 * of them are blocked, and in *left how many are not.  When there are both,
 * appends the task without the blocked ones.
 */
size_t risk_filter(const struct risk_rules *rules, const struct record *r,
	enum risk_kind kind, struct buf *task, size_t *left);

/* How many surge limits there are. */
size_t risk_surge_count(const struct risk_rules *rules);

/*
 * True when limit `n' is for this record: rate, units and now of *ask are then
 * set, and the length of its key, whose bytes are appended to `keys'; the caller
 * sets the pointer when they do not move any more.  *shown, which names the
 * limit, lives as long as the rules.
 */
bool risk_surge(const struct risk_rules *rules, size_t n,
	const struct record *r, struct buf *keys, struct rate_ask *ask,
	struct span *shown);

/* --- counting, for the counters --- */

struct risk_counts; /* opaque */
struct risk_counts *risk_counts_new(void);
void risk_counts_free(struct risk_counts *counts); /* accepts NULL */

/* Users and devices are counted by kind alone: no token is ever shown. */
void risk_count(
	struct risk_counts *counts, enum risk_kind kind, struct span rule);

/* Appends `,"rules":{"campaign:spring":3,...}', and `,"rules_left_out":n' when
 * not all fit into RISK_COUNTS_MAX_BYTES. */
enum { RISK_COUNTS_MAX_BYTES = 6 * 1024 };
void risk_counts_put(const struct risk_counts *counts, struct buf *json);

#endif
