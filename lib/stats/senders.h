/*
 * Who asks for notifications: by app, and by app and campaign, how many
 * records and how many different users.  Both lists are bounded; what comes
 * beyond is counted under "other".
 */
#ifndef PUSH_STATS_SENDERS_H
#define PUSH_STATS_SENDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/record.h"
#include "stats/distinct.h"
#include "stats/hist.h"
#include "stats/label.h"

enum {
	STATS_VENDORS_MAX = 8,
	STATS_APPS_MAX = 256,
	STATS_CAMPAIGNS_MAX = 128,
};

/* What a vendor's numbers come to. */
struct stats_success {
	uint64_t records; /* asked to deliver */
	uint64_t accepted;
	uint64_t at_fault; /* not accepted and not the notification's fault:
	                      unavailable, throttled, ambiguous, configuration */
};

/* Records that a vendor was asked to deliver. */
struct stats_asked {
	uint64_t reasons[REASON_COUNT]; /* by what became of them */
	struct hist latency;            /* from read to answered; owned */
};

/* Not accepted, and the vendor might have: its success falls by it. */
bool reason_at_fault(enum reason reason);

struct stats_success asked_success(const struct stats_asked *asked);

struct stats_app {
	struct stats_label name;
	uint64_t records;
	struct distinct users; /* asked for; owned */
	/* By vendor, in the order of the vendors' list. */
	struct stats_asked vendors[STATS_VENDORS_MAX];
};

struct stats_campaign {
	struct stats_label app;
	struct stats_label name;
	uint64_t records;
	uint64_t accepted;
	struct distinct users; /* owned */
};

/* Zeroed is empty. */
struct senders {
	struct stats_app apps[STATS_APPS_MAX + 1]; /* the last one is "other" */
	size_t app_count;
	uint16_t app_slots[4 * STATS_APPS_MAX]; /* place in apps + 1; 0: free */
	/* The last one is "other". */
	struct stats_campaign campaigns[STATS_CAMPAIGNS_MAX + 1];
	size_t campaign_count;
	size_t campaign_last; /* where the record before was found */
};

void senders_init(struct senders *s);
void senders_release(struct senders *s);

/* Counts the record; the app it was counted for, or NULL: it has none. */
struct stats_app *senders_take(struct senders *s, const struct record *r);

#endif
