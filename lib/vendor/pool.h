/*
 * The connections of one credential to one endpoint, and the flights that wait
 * for a place on them.
 *
 * Connections are opened on demand, one at a time, with backoff after failures.
 * A flight that cannot be sent does not wait for long: it is given back with a
 * reason, so that one credential's trouble does not hold up the others.
 */
#ifndef PUSH_VENDOR_POOL_H
#define PUSH_VENDOR_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "net/http2.h"
#include "record/outcome.h"
#include "vendor/flight.h"
#include "vendor/pace.h"
#include "vendor/vendor.h"

enum { POOL_CONNECTIONS_MAX = 256 };

struct credential;
struct pool;

struct pool_events {
	/* About to be sent: has its request there.  False: the engine has decided
	 * and taken it. */
	bool (*on_sending)(void *self, struct flight *f);
	/* Its request is not needed any more unless it is sent again. */
	void (*on_written)(void *self, struct flight *f);
	/* Sent, and ended; the engine's again. */
	void (*on_end)(void *self, struct flight *f, enum http2_end end);
	/* Not sent, the engine's again: `reason' is why; try again after
	 * `after_ms' if it is a retry. */
	void (*on_unsent)(void *self, struct flight *f, enum reason reason,
		int64_t after_ms);
};

struct pool_setup {
	struct loop *loop;
	const struct vendor *vendor;
	const char *url;     /* "https://host[:port]" */
	const char *ca_file; /* or NULL */
	size_t connections;  /* at most */
	size_t streams;      /* of one connection, at most */
	size_t share;        /* of all its connections, at most */
	int64_t ping_ms;
	int64_t wait_ms; /* for a place on working connections */
	struct pace_limit pace;
	const struct pool_events *events;
	void *self;
};

/* What happened since the start, over all connections. */
struct pool_counts {
	uint64_t connects;
	uint64_t connect_failures;
	uint64_t lost; /* connections that broke */
	uint64_t goaways;
};

/* `setup', its texts and the credential are borrowed for its life; `counts' is
 * added to. */
struct pool *pool_new(const struct pool_setup *setup, struct credential *c,
	struct pool_counts *counts);
/* Closes at once; no flight may be in it.  Accepts NULL. */
void pool_free(struct pool *p);

/* Takes the flight: sends it now, lets it wait, or gives it back before this
 * returns (on_sending, on_unsent). */
void pool_send(struct pool *p, struct flight *f);

/* The URL of its setup has changed: what is in flight ends where it is, all else
 * goes to the new place. */
void pool_move(struct pool *p);

/* Sends what waits, if it can now; gives back what has waited too long.  To
 * be called every now and then while flights wait. */
void pool_pump(struct pool *p);

/* Takes a flight back: out of the queue, or off its connection.  True when it
 * may have been processed. */
bool pool_take_back(struct pool *p, struct flight *f);

/* One of those that wait, or NULL. */
struct flight *pool_first_waiting(const struct pool *p);

/* What the answer says of the vendor: it serves, or others would fail as this
 * one did. */
void pool_good(struct pool *p);
void pool_bad(struct pool *p);

/* Nothing is sent for so long, then one as a probe; `reason' is what records
 * leave with meanwhile. */
void pool_break(struct pool *p, enum reason reason, int64_t for_ms);
bool pool_is_broken(const struct pool *p);

/* The connection that carried this flight last takes no more requests. */
void pool_retire(struct pool *p, const struct flight *f);

/* The connection that carries it is asked for a sign of life. */
void pool_suspect(struct pool *p, const struct flight *f);

size_t pool_connections(const struct pool *p); /* ready ones */
size_t pool_streams(const struct pool *p);     /* in flight */
size_t pool_waiting(const struct pool *p);
uint64_t pool_put_off(const struct pool *p); /* over the rate, so far */

#endif
