/*
 * Sends envelopes one after the other.  A short list waits; what does not fit,
 * and what Sentry does not want, is dropped and counted.
 */
#ifndef PUSH_SENTRY_SENDER_H
#define PUSH_SENTRY_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "sentry/dsn.h"

enum { SENDER_WAITING_MAX = 64 };

struct sender;

/* All is borrowed. */
struct sender *sender_new(
	struct loop *loop, const struct dsn *dsn, const char *ca_file);
void sender_free(struct sender *s); /* accepts NULL */

/* Takes the envelope's bytes over, or drops them. */
void sender_put(struct sender *s, struct buf *envelope);

size_t sender_waiting(const struct sender *s);

struct sender_counts {
	uint64_t sent;
	uint64_t dropped;
};
struct sender_counts sender_counts(const struct sender *s);

#endif
