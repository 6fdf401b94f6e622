/*
 * What the files that make up net/redis.h share: redis.c (commands and
 * replies), redis_reach.c (the links), redis_insist.c (refusals that another
 * try helps against).
 *
 * A server of its own, or the primary that Sentinels name, is one link.  In a
 * cluster there is a link a node, and a command goes to the one that serves its
 * key; replies come in the order of the commands all the same.
 */
#ifndef PUSH_NET_REDIS_INNER_H
#define PUSH_NET_REDIS_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "net/redis.h"
#include "net/redis_arena.h"
#include "net/redis_find.h"
#include "net/redis_url.h"

/* Of hiredis; the files that look inside include it. */
struct redisContext;
struct redisReply;

/* A command that waits for its reply. */
struct due {
	const struct redis_script *script; /* NULL: not a script call */
	char *call; /* owned; to be repeated, or NULL: it never is */
	size_t call_len;
	size_t link;
	struct redisReply *early; /* owned; read before its turn, or NULL */
};

struct link {
	struct redisContext *context; /* owned; NULL: not connected */
	size_t due;                   /* replies that were not read yet */
	struct buf out; /* commands that hiredis has not got yet */
};

struct redis {
	struct redis_url url;
	struct link *links; /* owned; in a cluster one a node of the map */
	size_t link_count;
	size_t first_host;         /* of the URL, to be asked first */
	struct redis_node primary; /* the one that Sentinels named */
	struct redis_map map;      /* no slots: not known */
	bool is_map_old;
	struct redisReply *shown; /* owned; what redis_reply() gave last */
	struct redis_arena arena; /* of all replies */

	struct due *due; /* owned; a queue: `due_first', `due_count' of room */
	size_t due_first;
	size_t due_count;
	size_t due_room;
	bool is_cut_short; /* a reply was an error; the rest may be unread */

	bool is_lost; /* appended commands are gone; `lost' is to be told */
	struct err lost;
	unsigned failed_connects; /* in a row */
	int64_t next_connect_mono_ms;
	uint64_t dice; /* for jitter */
};

/* --- links (redis_reach.c) --- */

/* Connects when that is due; 0 and *link, or -1 with the reason in r->lost. */
int redis_connect(struct redis *r, struct span key, size_t *link);

/* Opens the link of a node that is known. */
int redis_reach_node(struct redis *r, size_t link, struct err *err);

/* The links follow the map, which only grows until all are dropped. */
void redis_make_links(struct redis *r, size_t count);

/* For messages: who is at the other end of a link. */
const char *redis_place_name(const struct redis *r, size_t link);

/* Gives all up because of what the context of one link says; returns -1. */
int redis_lose(struct redis *r, size_t link, struct err *err);

void redis_hide_shown(struct redis *r);
void redis_due_release(struct due *d);
void redis_forget_due(struct redis *r);

/* --- refusals (redis_insist.c) --- */

/* Does what a refusal says would help: loads the script, asks another node.
 * 0: *reply is the answer now; -1: everything is lost. */
int redis_insist(struct redis *r, struct due *d, struct redisReply **reply,
	struct err *err);

/* Whether a node of a cluster names another one. */
bool redis_is_hint(const struct redis *r, const struct redisReply *reply);

/* "MOVED 3999 10.0.0.1:6381": the node it names, who then serves the slot for
 * good (MOVED) or for this command (ASK).  -1: it names none. */
int redis_take_hint(struct redis *r, struct due *d, const char *hint);

/* --- on a link (redis.c) --- */

/* Behind what waits to be sent on a link: one command, or what is one already. */
void redis_say(
	struct redis *r, size_t link, size_t count, const struct span *args);
void redis_repeat(struct redis *r, const struct due *d);

/* The next reply on a link, or NULL when that broke. */
struct redisReply *redis_next_reply(struct redis *r, size_t link);

/* The reply to an entry of `due', wherever it is; NULL when its link broke. */
struct redisReply *redis_reply_of(struct redis *r, struct due *d);

#endif
