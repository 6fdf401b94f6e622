/*
 * Where the server is that one has to ask: the primary that Sentinels name, or
 * the node of a cluster that serves a key.  For lib/net/redis.c.
 */
#ifndef PUSH_NET_REDIS_FIND_H
#define PUSH_NET_REDIS_FIND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "net/redis_url.h"

enum { REDIS_SLOTS = 16384 };

struct redis_node {
	char *host; /* owned; NULL: not known */
	int port;
	char *name; /* owned; for messages */
};

void redis_node_set(struct redis_node *n, const struct redis_url *u,
	struct span host, int port);
void redis_node_release(struct redis_node *n);

/* Asks the Sentinels, beginning with number *first, which is then the one that
 * answered.  What they say may be old: see redis_check_primary(). */
int redis_find_primary(const struct redis_url *u, size_t *first,
	struct redis_node *out, struct err *err) MUST_CHECK;

/* 0 when the server at the other end says it is a primary, or may not be asked;
 * else -1. */
struct redisContext;
int redis_check_primary(struct redisContext *c, const char *name,
	int64_t timeout_ms, struct err *err) MUST_CHECK;

/* Who serves what. */
struct redis_map {
	struct redis_node *nodes; /* owned */
	size_t count;
	uint16_t *slots; /* owned; place of the node + 1; 0: nobody */
};

/* Asks the hosts of the URL likewise; what *map held is replaced. */
int redis_find_nodes(const struct redis_url *u, size_t *first,
	struct redis_map *map, struct err *err) MUST_CHECK;

/* The place of a node, which is added when it was not known. */
size_t redis_map_node(struct redis_map *map, const struct redis_url *u,
	struct span host, int port);
void redis_map_release(struct redis_map *map);

/* The slot of a key: CRC16 of what is between its first braces, or of all. */
unsigned redis_slot(struct span key);

#endif
