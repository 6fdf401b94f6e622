/*
 * From a task with many targets to one record each.
 *
 * The parts of a task are numbered, and each is decided sooner or later, here or
 * further down the chain, so that push-ack can tell when the task is finished.
 *
 * Pure: who has which devices comes in as an argument.
 */
#ifndef PUSH_POLICY_FANOUT_H
#define PUSH_POLICY_FANOUT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/digest.h"
#include "policy/platforms.h"
#include "record/record.h"

/* Where the targets of a record come from. */
enum fanout_source {
	FANOUT_NONE, /* it has its target: a device, topic, condition, channel */
	FANOUT_DEVICES, /* the array `devices' */
	FANOUT_USERS,   /* whoever is named in the array `users' */
	FANOUT_SEGMENT, /* whoever is in the segment, a page at a time */
	FANOUT_USER,    /* the one `user' */
	FANOUT_BAD,     /* there is none, or there are too many */
};
enum fanout_source fanout_source(const struct record *r);

struct fanout {
	struct record_stem stem; /* of the record being spread out */
	bool is_kind_due;        /* its lists told the kind */
	struct buf json;
	struct span apart; /* borrowed: what push-pop said, by blanks */
	const struct platforms_set *platforms; /* borrowed; NULL: all */
	struct digest *devices; /* owned; those of its parts so far */
	size_t devices_count;
	size_t devices_cap;
};

enum { FANOUT_APART_BYTES = 16 };

/* What the queue calls the device of a part that became a record of its own: a
 * digest in hexadecimal.  False when the record has no device. */
bool fanout_apart(const struct record *r, char dst[FANOUT_APART_BYTES]);

void fanout_init(struct fanout *f);
void fanout_release(struct fanout *f);

/* Begins a record whose source is not NONE or BAD; its app may send to these
 * platforms, NULL: to all. */
void fanout_begin(struct fanout *f, const struct record *r,
	const struct platforms_set *platforms);

/* One part of the task. */
struct fanout_part {
	size_t n;           /* 0-based */
	size_t of;          /* 0: nobody knows, and parts are not numbered */
	struct span user;   /* absent: as in the task */
	struct span device; /* JSON; absent: there is none, for this reason: */
	enum reason without;
};

/* How many users of a segment are spread out at once. */
enum { FANOUT_PAGE = 500 };

/* The last user of the page before; absent: it is the first one. */
struct span fanout_after(const struct record *r);

/* The part that stands for the rest of a segment behind user `after': decided so
 * that push-ack puts it back into the queue. */
struct record *fanout_rest(struct fanout *f, struct record_pool *pool,
	const struct record *r, const struct fanout_part *part,
	struct span after);

/*
 * The record of a part, to be emitted or freed.  It comes decided when it has no
 * device, when the platform is unknown or the device is no object (bad-target),
 * when the app may not send to the platform, or when another part of the task has
 * the same device (duplicate).
 */
struct record *fanout_child(struct fanout *f, struct record_pool *pool,
	const struct fanout_part *part);

/* In a replay: what was decided here when the record was captured, as far as
 * that hung on the registry or on other parts of its task; REASON_NONE: it is
 * decided anew. */
enum reason fanout_captured(const struct record *r);

#endif
