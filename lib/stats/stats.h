/*
 * What the stream tells: every record that reached the end of the chain is
 * added up here, by node, priority and kind.
 *
 * A node's latency is its `out' minus the `out' of the node before: the wait in
 * the pipe (its `in' minus that) plus the service (its `out' minus its `in').
 * The first node follows t0.  Negative differences count as 0 and are counted.
 * Pure: no descriptors, no clock.  Faces of the numbers: report.h, expose.h.
 */
#ifndef PUSH_STATS_STATS_H
#define PUSH_STATS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/record.h"
#include "stats/backlog.h"
#include "stats/hist.h"
#include "stats/recent.h"
#include "stats/senders.h"
#include "stats/sla.h"
#include "stats/timeline.h"

/* All labels are bounded; what comes beyond is counted under "other". */
enum {
	STATS_NODES_MAX = 32,   /* further nodes' stamps count as untimed */
	STATS_ANSWERS_MAX = 64, /* of one vendor */
};

/* The latencies of a node for one priority and kind. */
struct stats_cell {
	struct hist wait;
	struct hist service;
	struct hist total;
	uint64_t late; /* whose total was over the limit */
};

struct stats_node {
	struct stats_label name;
	struct stats_cell cells[PRIORITY_COUNT][KIND_COUNT];
	struct backlog backlog;   /* empty unless asked for */
	struct timeline timeline; /* of its latency; the same */
};

struct stats_answer {
	int64_t status; /* the HTTP status; 0: none came */
	struct stats_label text;
	uint64_t count;
};

struct stats_vendor {
	struct stats_label name; /* the node's */
	struct stats_asked asked;
	struct stats_answer answers[STATS_ANSWERS_MAX];
	size_t answer_count;
};

/* How many were held against a limit, and how many were over it. */
struct stats_kept {
	uint64_t records;
	uint64_t late;
};

struct stats {
	bool has_backlog;
	bool has_timelines; /* the caller may set it before the first record */
	uint64_t records;
	uint64_t unreadable; /* lines that this reader could not read */
	uint64_t untimed;    /* stamps that make no sense */
	uint64_t clamped;    /* negative differences */
	/* By what became of them; unreadable lines are not among these. */
	uint64_t decided[OUTCOME_COUNT][REASON_COUNT];
	/* From created_ms to the claim, where created_ms is given. */
	struct hist queue_wait[PRIORITY_COUNT][KIND_COUNT];
	uint64_t queue_late[PRIORITY_COUNT][KIND_COUNT]; /* over the limit */
	/* From created_ms, else the claim, to the vendor's answer, else to the
	 * last node. */
	struct hist end_to_end[PRIORITY_COUNT][KIND_COUNT][OUTCOME_COUNT];
	/* Of those that a vendor took or refused for good. */
	struct stats_kept delivery[PRIORITY_COUNT][KIND_COUNT];
	struct timeline delivered; /* how long these took end to end */
	struct stats_node nodes[STATS_NODES_MAX]; /* in the chain's order */
	size_t node_count;
	struct stats_vendor vendors[STATS_VENDORS_MAX];
	size_t vendor_count;
	uint64_t redelivered; /* records in a second or later attempt */
	struct sla sla;       /* the defaults until somebody sets others */
	struct senders senders;
	struct recent recent;
};

/* `has_backlog' also keeps the backlog over time; some 0.5 MiB a node. */
struct stats *stats_new(bool has_backlog);
void stats_free(struct stats *s); /* accepts NULL */

void stats_take(struct stats *s, const struct record *r);

/* A node's latencies over all priorities and kinds; release its members. */
struct stats_cell stats_node_sum(const struct stats_node *node);
void stats_cell_release(struct stats_cell *cell);

#endif
