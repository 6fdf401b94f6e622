/*
 * What the programs of the chain say about themselves: once a second each
 * sends what it has read, written and still holds, counted since its start.
 *
 * From that follows the live backlog of a node: what the node before has
 * written and it has not read (in the pipe), and what it holds (inside).  The
 * order of nodes is that of the programs in the chain.  A program that was not
 * heard of for LIVE_STALE_MS is taken for ended.  Nodes' totals go on
 * over restarts and never fall; a pipe one of whose ends was restarted alone
 * counts from empty again.
 * Pure: time comes in as an argument.
 */
#ifndef PUSH_STATS_LIVE_H
#define PUSH_STATS_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/outcome.h"
#include "stats/facts.h"

enum {
	LIVE_STALE_MS = 5000,
	LIVE_TOGETHER_MS = 3000, /* started within: as one chain */
	LIVE_NODES_MAX = 64,
	LIVE_PROCESSES_MAX = 256,
	LIVE_NAME_BYTES = 64,
};

/* What is exported as a total, in a table of its own so that nobody repeats
 * the list. */
enum live_total {
	LIVE_IN,
	LIVE_OUT,
	LIVE_DROPPED,        /* by an output that does not wait */
	LIVE_LOST_DATAGRAMS, /* counters that could not be sent */
	LIVE_TOTAL_COUNT
};

struct live_node {
	char name[LIVE_NAME_BYTES + 1];
	size_t rank; /* of its program in the chain, from 1; 0: none */
	uint64_t totals[LIVE_TOTAL_COUNT];
	uint64_t outcomes[OUTCOME_COUNT];
	bool has_fact[FACTS_MAX];  /* it was said at least once */
	uint64_t facts[FACTS_MAX]; /* of FACT_TOTAL */
	struct counted_list rules; /* push-risk's; owned */
};

/* A node now. */
struct live_now {
	uint64_t processes;
	uint64_t pipe;   /* records before it */
	uint64_t inside; /* records it holds */
	bool has_pipe;   /* the node before is known and alive */
};

struct live;

struct live *live_new(void);
void live_free(struct live *c); /* accepts NULL */

/* Takes one datagram.  -1, and counted, when it is none of ours. */
int live_take(struct live *c, const char *bytes, size_t len,
	int64_t now_mono_ms) MUST_CHECK;

/* Forgets programs that have ended; to be called before reading. */
void live_sweep(struct live *c, int64_t now_mono_ms);

/* The nodes in the chain's order; borrowed until the next datagram. */
size_t live_count(const struct live *c);
const struct live_node *live_at(const struct live *c, size_t i);
struct live_now live_now(const struct live *c, size_t i);

/* One of node_facts that is a gauge, over the processes that live. */
int64_t live_gauge(const struct live *c, size_t i, size_t fact);

/* The credentials of a node's processes that live, added up by app; release
 * its members. */
struct credential_list live_credentials(const struct live *c, size_t i);

/* Datagrams that could not be read. */
uint64_t live_bad(const struct live *c);

const char *live_total_name(enum live_total total);

#endif
