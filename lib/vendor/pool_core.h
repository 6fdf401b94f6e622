/*
 * A pool from the inside, for the files that make it up:
 *
 *   pool.c           what waits and is sent
 *   pool_conn.c      its connections
 *   pool_obstacle.c  why nothing can be sent
 */
#ifndef PUSH_VENDOR_POOL_CORE_H
#define PUSH_VENDOR_POOL_CORE_H

#include "vendor/breaker.h"
#include "vendor/credential.h"
#include "vendor/pool.h"

enum { POOL_HOST_MAX_BYTES = 256 };

struct conn {
	struct pool *pool;
	struct http2 *http2; /* owned; NULL: the place is free */
	uint64_t no;         /* 1 for the pool's first connection */
	bool is_ready;
	bool is_retired;   /* takes no more; its place may be taken over */
	bool has_answered; /* proved that it is good for something */
};

struct pool {
	const struct pool_setup *setup;
	struct credential *credential;
	struct pool_counts *counts;
	char authority[POOL_HOST_MAX_BYTES];
	struct buf coded;          /* what every request says */
	struct token *coded_token; /* counted; that it says it with */
	struct conn *conns; /* owned; the second half of the places is for
	                       replacements of those that are retired */
	size_t places;
	struct conn *current;
	size_t burst;
	uint64_t last_no;
	size_t connecting;
	size_t ready;
	struct breaker breaker;
	struct pace pace;
	uint64_t put_off;
	int failures; /* to connect, in a row */
	int64_t next_connect_mono_ms;
	struct flight_list waiting;
	size_t streams;        /* in flight on all connections */
	int64_t heard_mono_ms; /* last answer, or first request after a pause */
	bool is_pumping;
};

/* --- connections (pool_conn.c) --- */

/* The connection for this flight, or NULL: none has room. */
struct conn *pool_pick(struct pool *p, const struct flight *f);
void conn_submit(struct conn *conn, struct flight *f);
/* Opens one more if there is a place. */
void pool_connect(struct pool *p);

/* --- obstacles (pool_obstacle.c) --- */

/* Why nothing can be sent, if that will not pass at once. */
struct obstacle {
	enum reason reason; /* REASON_NONE: no such obstacle */
	int64_t after_ms;
	bool is_waiting; /* for a token or a connection that is coming */
};

struct obstacle pool_obstacle(struct pool *p, int64_t now_mono_ms);
void pool_give_back(struct pool *p, struct flight *f, const struct obstacle *o);
/* What has waited longer than it should; all of it when there is no room and
 * no answer comes that could make some, since what waits takes the place of
 * others. */
void pool_expire(struct pool *p, const struct obstacle *o, int64_t now_mono_ms);

#endif
