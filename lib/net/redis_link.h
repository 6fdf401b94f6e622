/*
 * One connection to one Redis server: opened, with the credentials of an URL
 * shown, and errors of Redis in plain words.  For lib/net/redis*.c.
 */
#ifndef PUSH_NET_REDIS_LINK_H
#define PUSH_NET_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/redis_url.h"

struct redisContext;

/* Whom we speak to. */
struct redis_place {
	const char *host; /* borrowed; NULL: the URL's Unix socket */
	int port;
	bool is_sentinel; /* other credentials, no database */
	const char *name; /* borrowed; for messages */
};

/* A connection that answers within `timeout_ms', which the caller frees with
 * redisFree(); or NULL. */
struct redisContext *redis_link_open(const struct redis_url *u,
	const struct redis_place *place, int64_t timeout_ms, struct err *err);

/*
 * Puts an error answer of Redis into `err'; returns -1.  A usage failure when
 * only a person can repair it.  *is_elsewhere (or NULL): another connection may
 * reach a better server.
 */
int redis_link_explain(const char *name, const char *text, bool *is_elsewhere,
	struct err *err);

/* What broke `c' just now (errno tells a time limit); returns -1. */
int redis_link_lost(const struct redisContext *c, const char *name,
	int64_t timeout_ms, struct err *err);

#endif
