/*
 * One blocking command of Redis, waited for through the loop on a connection of
 * its own.  It changes nothing that is in a queue.
 */
#ifndef PUSH_QUEUE_WAITER_H
#define PUSH_QUEUE_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "net/redis.h"

/* From the loop, once for each waiter_arm(): there is something, or the connection
 * was lost, which is left to the caller's next command to tell. */
typedef void waiter_cb(void *self);

enum waiter_for {
	WAITER_FOR_ENTRIES, /* BLMOVE of a queue onto itself */
	WAITER_FOR_TOKEN,   /* BLPOP, which takes the token */
};

struct waiter {
	struct loop *loop;
	struct redis *redis;   /* owned */
	struct loop_fd *watch; /* owned; NULL: not waiting */
	char *key;             /* owned */
	enum waiter_for what;
	waiter_cb *on_end;
	void *self;
	int64_t since_mono_ms;
};

/* Fills in a waiter whose loop, what, on_end and self the caller has set; takes
 * `key' over, also in a failure. */
int waiter_init(struct waiter *w, const char *url, char *key,
	struct err *err) MUST_CHECK;
void waiter_release(struct waiter *w);

/* Begins to wait, unless it does.  Without a connection nothing comes. */
void waiter_arm(struct waiter *w);

/* Waits no longer and gives the connection up. */
void waiter_drop(struct waiter *w);

#endif
