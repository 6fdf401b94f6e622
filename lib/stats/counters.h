/*
 * What the programs of the chain say about themselves: once a second each
 * sends what it has read, written and still holds, counted since its start.
 *
 * From that follows the live backlog of a node: what the node before has
 * written and it has not read (in the pipe), and what it holds (inside).  The
 * order of nodes is that of the programs in the chain.  A program that was not
 * heard of for COUNTERS_STALE_MS is taken for ended.  Nodes' totals go on
 * over restarts and never fall; a pipe one of whose ends was restarted alone
 * counts from empty again.
 * Pure: time comes in as an argument.
 */
#ifndef PUSH_STATS_COUNTERS_H
#define PUSH_STATS_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/outcome.h"

enum {
	COUNTERS_STALE_MS = 5000,
	COUNTERS_TOGETHER_MS = 3000, /* started within: as one chain */
	COUNTERS_NODES_MAX = 64,
	COUNTERS_PROCESSES_MAX = 256,
	COUNTERS_NAME_BYTES = 64,
};

/* What is exported as a total, in a table of its own so that nobody repeats
 * the list. */
enum counters_total {
	COUNTERS_IN,
	COUNTERS_OUT,
	COUNTERS_DROPPED,        /* by an output that does not wait */
	COUNTERS_LOST_DATAGRAMS, /* counters that could not be sent */
	COUNTERS_TOTAL_COUNT
};

struct counters_node {
	char name[COUNTERS_NAME_BYTES + 1];
	size_t rank; /* of its program in the chain, from 1; 0: none */
	uint64_t totals[COUNTERS_TOTAL_COUNT];
	uint64_t outcomes[OUTCOME_COUNT];
};

/* A node now. */
struct counters_live {
	uint64_t processes;
	uint64_t pipe;   /* records before it */
	uint64_t inside; /* records it holds */
	bool has_pipe;   /* the node before is known and alive */
};

struct counters;

struct counters *counters_new(void);
void counters_free(struct counters *c); /* accepts NULL */

/* Takes one datagram.  -1, and counted, when it is none of ours. */
int counters_take(struct counters *c, const char *bytes, size_t len,
	int64_t now_mono_ms) MUST_CHECK;

/* Forgets programs that have ended; to be called before reading. */
void counters_sweep(struct counters *c, int64_t now_mono_ms);

/* The nodes in the chain's order; borrowed until the next datagram. */
size_t counters_count(const struct counters *c);
const struct counters_node *counters_at(const struct counters *c, size_t i);
struct counters_live counters_live(const struct counters *c, size_t i);

/* Datagrams that could not be read. */
uint64_t counters_bad(const struct counters *c);

const char *counters_total_name(enum counters_total total);

#endif
