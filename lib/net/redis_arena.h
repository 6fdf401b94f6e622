/*
 * The memory that replies of Redis are put together in: one piece behind the
 * other, and taken back at once when the last of them is freed, in place of an
 * allocation or two for each element of each reply.  For lib/net/redis*.c.
 */
#ifndef PUSH_NET_REDIS_ARENA_H
#define PUSH_NET_REDIS_ARENA_H

#include <stddef.h>

/* Of hiredis. */
struct redisContext;
struct redisReply;

struct redis_arena_block;

/* Start it as { 0 }. */
struct redis_arena {
	struct redis_arena_block *blocks; /* owned; the newest first */
	size_t replies;                   /* that were not freed yet */
};

/* What `c' reads from now on lies in the arena, which must outlive both. */
void redis_arena_serve(struct redis_arena *a, struct redisContext *c);

/* Frees a reply that lies in an arena, with all that is in it; accepts NULL. */
void redis_arena_free(struct redisReply *reply);

/* When no reply lies in it any more. */
void redis_arena_release(struct redis_arena *a);

#endif
