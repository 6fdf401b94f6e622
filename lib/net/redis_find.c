/*
 * Asking Sentinels and cluster nodes.
 *
 * Sentinels as redis.io "Guidelines for Redis clients with support for Redis
 * Sentinel" says: the first that answers is believed and asked first next time,
 * and the server itself must then call itself a primary (ROLE).
 */
#include "net/redis_find.h"

#include <stdbool.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/redis_link.h"

enum {
	/* One that does not answer is passed over soon: there are others. */
	ASK_LIMIT_MS = 500,
	PORT_MAX = 65535,
	NAME_MAX_BYTES = 16 * 1024,
};

void redis_node_release(struct redis_node *n)
{
	mem_free(n->host);
	mem_free(n->name);
	*n = (struct redis_node){ 0 };
}

void redis_node_set(struct redis_node *n, const struct redis_url *u,
	struct span host, int port)
{
	struct buf name;
	bool is_v6 = memchr(host.ptr, ':', host.len) != NULL;

	redis_node_release(n);
	n->host = mem_dup(host.ptr, host.len);
	n->port = port;
	buf_init(&name, NAME_MAX_BYTES);
	buf_fmt(&name, "%s (at %s%s%s:%d)", u->name, is_v6 ? "[" : "", n->host,
		is_v6 ? "]" : "", port);
	n->name = mem_text(buf_string(&name));
	buf_release(&name);
}

/* --- asking --- */

/* The answer of one host of the URL; the caller frees it.  Or NULL. */
static redisReply *ask_one(const struct redis_url *u, size_t which, int argc,
	const char **argv, struct err *err)
{
	const struct redis_host *h = &u->hosts[which];
	int64_t limit_ms =
		u->timeout_ms < ASK_LIMIT_MS ? u->timeout_ms : ASK_LIMIT_MS;
	struct redis_node node = { 0 };
	struct redis_place place;
	redisContext *c;
	redisReply *reply = NULL;

	redis_node_set(&node, u, span_of(h->name), h->port);
	place = (struct redis_place){ h->name, h->port,
		u->kind == REDIS_SENTINEL, node.name };
	c = redis_link_open(u, &place, limit_ms, err);
	if (c != NULL) {
		reply = redisCommandArgv(c, argc, argv, NULL);
		if (reply == NULL) {
			(void)redis_link_lost(c, node.name, limit_ms, err);
		} else if (reply->type == REDIS_REPLY_ERROR) {
			(void)redis_link_explain(
				node.name, reply->str, NULL, err);
			freeReplyObject(reply);
			reply = NULL;
		}
		redisFree(c);
	}
	redis_node_release(&node);
	return reply;
}

static int number_of(const redisReply *reply)
{
	int64_t n = 0;

	if (reply->type == REDIS_REPLY_INTEGER) {
		n = reply->integer;
	} else if (reply->type != REDIS_REPLY_STRING ||
		   num_parse(reply->str, 1, PORT_MAX, &n) != 0) {
		return 0;
	}
	return n < 1 || n > PORT_MAX ? 0 : (int)n;
}

static bool is_list(const redisReply *reply, size_t least)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements >= least;
}

/* --- Sentinels --- */

int redis_find_primary(const struct redis_url *u, size_t *first,
	struct redis_node *out, struct err *err)
{
	const char *argv[] = { "SENTINEL", "get-master-addr-by-name",
		u->primary };

	if (u->host_count == 0) {
		BUG("an URL without hosts has nobody to ask");
	}
	for (size_t i = 0; i < u->host_count; i++) {
		size_t which = (*first + i) % u->host_count;
		redisReply *reply = ask_one(u, which, 3, argv, err);
		int port;

		if (reply == NULL) {
			continue; /* *err is that of the last one */
		}
		if (!is_list(reply, 2) ||
			reply->element[0]->type != REDIS_REPLY_STRING) {
			(void)err_set(err, 0,
				"%s: the Sentinels know no primary '%s'",
				u->name, u->primary);
			freeReplyObject(reply);
			continue;
		}
		port = number_of(reply->element[1]);
		redis_node_set(out, u,
			(struct span){ reply->element[0]->str,
				reply->element[0]->len },
			port);
		freeReplyObject(reply);
		*first = which;
		return 0;
	}
	*first = (*first + 1) % u->host_count;
	return -1;
}

int redis_check_primary(struct redisContext *c, const char *name,
	int64_t timeout_ms, struct err *err)
{
	redisReply *reply = redisCommand(c, "ROLE");
	int failed = 0;

	if (reply == NULL) {
		return redis_link_lost(c, name, timeout_ms, err);
	}
	if (is_list(reply, 1) &&
		reply->element[0]->type == REDIS_REPLY_STRING &&
		strcmp(reply->element[0]->str, "master") != 0) {
		failed = err_set(
			err, 0, "%s: is no primary any more, or not yet", name);
	}
	freeReplyObject(reply);
	return failed;
}

/* --- clusters --- */

void redis_map_release(struct redis_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		redis_node_release(&map->nodes[i]);
	}
	mem_free(map->nodes);
	mem_free(map->slots);
	*map = (struct redis_map){ 0 };
}

size_t redis_map_node(struct redis_map *map, const struct redis_url *u,
	struct span host, int port)
{
	for (size_t i = 0; i < map->count; i++) {
		if (map->nodes[i].port == port &&
			span_is(host, map->nodes[i].host)) {
			return i;
		}
	}
	map->nodes =
		mem_resize(map->nodes, map->count + 1, sizeof(*map->nodes));
	map->nodes[map->count] = (struct redis_node){ 0 };
	redis_node_set(&map->nodes[map->count], u, host, port);
	return map->count++;
}

/* One range of CLUSTER SLOTS: first, last, {host, port, ...} of the primary,
 * then replicas.  A node that does not know its own address leaves it empty. */
static void take_range(struct redis_map *map, const struct redis_url *u,
	size_t asked, const redisReply *range)
{
	const redisReply *primary;
	struct span host = span_of(u->hosts[asked].name);
	size_t node;
	int port;

	if (!is_list(range, 3) || !is_list(range->element[2], 2)) {
		return;
	}
	primary = range->element[2];
	if (primary->element[0]->type == REDIS_REPLY_STRING &&
		primary->element[0]->len > 0) {
		host = (struct span){ primary->element[0]->str,
			primary->element[0]->len };
	}
	port = number_of(primary->element[1]);
	if (port == 0 || span_is(host, "?")) {
		return;
	}
	node = redis_map_node(map, u, host, port);
	for (long long s = range->element[0]->integer;
		s >= 0 && s < REDIS_SLOTS && s <= range->element[1]->integer;
		s++) {
		map->slots[s] = (uint16_t)(node + 1);
	}
}

int redis_find_nodes(const struct redis_url *u, size_t *first,
	struct redis_map *map, struct err *err)
{
	const char *argv[] = { "CLUSTER", "SLOTS" };

	redis_map_release(map);
	if (u->host_count == 0) {
		BUG("an URL without hosts has nobody to ask");
	}
	for (size_t i = 0; i < u->host_count; i++) {
		size_t which = (*first + i) % u->host_count;
		redisReply *reply = ask_one(u, which, 2, argv, err);

		if (reply == NULL) {
			continue; /* *err is that of the last one */
		}
		map->slots = mem_array(REDIS_SLOTS, sizeof(*map->slots));
		for (size_t k = 0; is_list(reply, 0) && k < reply->elements;
			k++) {
			take_range(map, u, which, reply->element[k]);
		}
		freeReplyObject(reply);
		*first = which;
		return 0;
	}
	*first = (*first + 1) % u->host_count;
	return -1;
}

/* CRC-16/XMODEM, as "Redis cluster specification", Appendix A, has it. */
unsigned redis_slot(struct span key)
{
	const char *open = key.len == 0 ? NULL : memchr(key.ptr, '{', key.len);
	unsigned crc = 0;

	if (open != NULL) {
		const char *end = key.ptr + key.len;
		const char *close =
			memchr(open + 1, '}', (size_t)(end - open - 1));

		if (close != NULL && close > open + 1) {
			key = (struct span){ open + 1,
				(size_t)(close - open - 1) };
		}
	}
	for (size_t i = 0; i < key.len; i++) {
		crc ^= (unsigned)(unsigned char)key.ptr[i] << 8;
		for (int bit = 0; bit < 8; bit++) {
			crc = (crc & 0x8000U) != 0 ? (crc << 1 ^ 0x1021U)
						   : crc << 1;
		}
		crc &= 0xffffU;
	}
	return crc % REDIS_SLOTS;
}
