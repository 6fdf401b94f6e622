/*
 * Risk control: stopped campaigns, blocked users, and patterns that no text may
 * match.
 *
 * Patterns are PCRE2, compiled once, in UTF mode; the library is included in
 * risk.c only.  Judging a record looks at no clock and keeps no state.
 */
#ifndef PUSH_POLICY_RISK_H
#define PUSH_POLICY_RISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "record/outcome.h"
#include "record/record.h"

struct risk_rules; /* opaque; used by one thread at a time */

/* Empty rules, which let everything pass.  `is_caseless' is for the patterns:
 * upper and lower case are the same. */
struct risk_rules *risk_rules_new(bool is_caseless);
void risk_rules_free(struct risk_rules *rules); /* accepts NULL */

/* Adds a rule; the text is copied. */
void risk_stop_campaign(struct risk_rules *rules, struct span campaign);
void risk_block_user(struct risk_rules *rules, struct span user);
/* -1 and a usage failure that names pattern and offset when it is no pattern. */
int risk_block_word(struct risk_rules *rules, struct span pattern,
	struct err *err) MUST_CHECK;

/*
 * REASON_NONE, or why the record is held back: REASON_CAMPAIGN_STOPPED,
 * REASON_RISK_USER, REASON_RISK_CONTENT.  With the last, *rule is the pattern
 * that matched (it lives as long as the rules).  A pattern that takes more work
 * than a text is worth counts as matched, and *is_costly is then set.
 */
enum reason risk_judge(struct risk_rules *rules, const struct record *r,
	struct span *rule, bool *is_costly);

/*
 * For a task with a list of `users': how many of them are blocked.  When some
 * are and some are not, appends the list without them, as JSON.
 */
size_t risk_filter_users(const struct risk_rules *rules, const struct record *r,
	struct buf *users, size_t *left);

#endif
