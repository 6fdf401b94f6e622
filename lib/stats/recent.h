/* The last records that went wrong, for a person who looks: never a token, a
 * user or a text. */
#ifndef PUSH_STATS_RECENT_H
#define PUSH_STATS_RECENT_H

#include <stddef.h>
#include <stdint.h>

#include "record/record.h"
#include "stats/label.h"

enum { RECENT_MAX = 32 };

struct recent_one {
	int64_t at_unix_us;
	struct stats_label id; /* the task's; cut to what a label holds */
	struct stats_label app;
	struct stats_label node; /* that decided */
	enum outcome outcome;
	enum reason reason;
	int64_t attempt; /* 0: not known */
};

/* Zeroed is empty. */
struct recent {
	uint64_t count; /* ever */
	struct recent_one ring[RECENT_MAX];
};

/* `node' decided it, at this time. */
void recent_add(struct recent *recent, const struct record *r, struct span node,
	int64_t at_unix_us);

/* The `i'th from the newest (0); NULL past the oldest. */
const struct recent_one *recent_at(const struct recent *recent, size_t i);

#endif
