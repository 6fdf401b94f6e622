/*
 * A worker's name on a queue: one live process at a time.
 *
 * The name is a key that lives for ten seconds and is renewed every three.  It
 * says which process has it, so that on the same machine a dead holder is
 * known for dead at once; a holder elsewhere (another host, or this container
 * before it was restarted) is given the time its key has left.  A live one on
 * this machine is given a moment to end: it may be the end of a chain whose
 * push-run was killed.
 */
#ifndef PUSH_QUEUE_HOLD_H
#define PUSH_QUEUE_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/redis.h"

struct hold;

enum {
	HOLD_LIFE_MS = 10000,
	HOLD_RENEW_MS = 3000,
	HOLD_ENDING_MS = 5000, /* for a live holder on this machine */
};

struct hold_want {
	const char *queue;
	const char *worker;
	bool is_hasty; /* a holder that lives on this machine is not waited for */
	bool is_in_use; /* set when it fails because a live process has it */
};

/*
 * Takes the name; may wait for up to HOLD_LIFE_MS, and HOLD_ENDING_MS for a
 * holder of this machine, which may be about to end.  A usage failure when a live
 * process has it.  `r' must outlive the hold.
 */
int hold_take(struct hold **out, struct redis *r, struct hold_want *want,
	struct err *err) MUST_CHECK;

/* Proves to the claim script that the name is ours; borrowed. */
const char *hold_token(const struct hold *h);

/* -1 as a usage failure when another process has taken the name, which is
 * the end of this worker; else temporary. */
int hold_renew(struct hold *h, struct err *err) MUST_CHECK;

/* Gives the name up (best effort) and frees; accepts NULL. */
void hold_release(struct hold *h);

#endif
