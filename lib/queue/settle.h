/*
 * Ending claims: done, later, dead letter, with feedback; a batch at a time, in
 * one script call a queue.  See push-queue(7) and settle.lua.
 *
 * Each item is carried out as a whole or not at all, and only while its receipt
 * is still in flight and its part not settled before: so asking twice changes
 * nothing.
 */
#ifndef PUSH_QUEUE_SETTLE_H
#define PUSH_QUEUE_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct settle;

enum settle_action {
	SETTLE_DONE,
	SETTLE_LATER, /* as it was, at `unix_ms'; no attempt is counted */
	SETTLE_WAIT,  /* again in `after_ms'; no attempt is counted */
	SETTLE_ANEW,  /* the same, beginning with its first attempt */
	SETTLE_RETRY, /* the next attempt in `after_ms'; over the limit: dead */
	SETTLE_TOO_OLD, /* a retry that is given up: to the dead letters */
	SETTLE_DEAD,    /* to the dead letters */
};

enum { SETTLE_FEEDBACK_MAX = 12, SETTLE_APART_BYTES = 16 };

struct settle_pair {
	struct span name;
	struct span value;
};

/* Everything is borrowed until settle_add() returns. */
struct settle_item {
	struct span queue;
	struct span receipt;
	int64_t part_n;
	int64_t part_of; /* 0: not a part */
	enum settle_action action;
	int64_t unix_ms;    /* SETTLE_LATER */
	int64_t after_ms;   /* all but SETTLE_DONE, LATER and DEAD */
	const char *reason; /* all but SETTLE_DONE and LATER */
	bool is_device;     /* `bytes' is a record that the chain had let in */
	bool is_whole;      /* and that is to be spread out to devices still */
	struct span apart;  /* of a part: the digest of its device; or absent */
	struct span bytes;  /* what is kept; absent: what was claimed */
	struct settle_pair feedback[SETTLE_FEEDBACK_MAX];
	size_t feedback_count; /* 0: none */
};

struct settle_counts {
	uint64_t settled;
	uint64_t late; /* the lease was lost, or it was settled before */
	uint64_t delayed;
	uint64_t dead;
};

void settle_counts_add(
	struct settle_counts *to, const struct settle_counts *more);

/* `attempts': after that many a retry becomes a dead letter.  Connects when there
 * is something to settle; -1 for a wrong URL. */
int settle_open(struct settle **out, const char *url, int64_t attempts,
	struct err *err) MUST_CHECK;
void settle_close(struct settle *s); /* accepts NULL */

/* False when queue or receipt are none that the queue could have given. */
bool settle_can(struct span queue, struct span receipt);

/* Adds one item for which settle_can() is true. */
void settle_add(struct settle *s, const struct settle_item *item);

/* Carries out what was added and adds to *counts.  -1: a temporary failure; what
 * was added is kept and asked for again by the next call. */
int settle_exchange(struct settle *s, struct settle_counts *counts,
	struct err *err) MUST_CHECK;

/* Forgets what was added. */
void settle_reset(struct settle *s);

#endif
