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

#include <stdint.h>

#include "base/err.h"
#include "net/redis.h"

struct hold;

enum {
	HOLD_LIFE_MS = 10000,
	HOLD_RENEW_MS = 3000,
	HOLD_ENDING_MS = 5000, /* for a live holder on this machine */
};

/*
 * Takes the name; may wait for up to HOLD_LIFE_MS.  A usage failure when a
 * live process has it.  `r' must outlive the hold.
 */
int hold_take(struct hold **out, struct redis *r, const char *queue,
	const char *worker, struct err *err) MUST_CHECK;

/* Proves to the claim script that the name is ours; borrowed. */
const char *hold_token(const struct hold *h);

/* -1 as a usage failure when another process has taken the name, which is
 * the end of this worker; else temporary. */
int hold_renew(struct hold *h, struct err *err) MUST_CHECK;

/* Gives the name up (best effort) and frees; accepts NULL. */
void hold_release(struct hold *h);

#endif
