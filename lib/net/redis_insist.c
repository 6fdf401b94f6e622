/*
 * Refusals that another try helps against: a script that Redis does not know
 * (new, or flushed away), a key that another node of the cluster serves.
 */
#include "net/redis_inner.h"

#include <string.h>

#include <hiredis/hiredis.h>

#include "base/num.h"

enum {
	PORT_MAX = 65535,
	HOPS_MAX = 8, /* of one command from node to node */
};

static bool is_error(const redisReply *reply, const char *code)
{
	return reply != NULL && reply->type == REDIS_REPLY_ERROR &&
	       strncmp(reply->str, code, strlen(code)) == 0;
}

/* Reads the replies that are on their way on a link, so that what is sent next
 * is answered next.  0 or -1. */
static int clear_link(struct redis *r, size_t link)
{
	for (size_t i = 0; i < r->due_count; i++) {
		struct due *later = &r->due[r->due_first + i];

		if (later->link == link && later->early == NULL) {
			later->early = redis_reply_of(r, later);
			if (later->early == NULL) {
				return -1;
			}
		}
	}
	return 0;
}

/*
 * Redis did not know the script of `d': loads it, calls it again.  The new
 * reply, or NULL when the connection broke.
 */
static redisReply *call_again(struct redis *r, const struct due *d, bool asking)
{
	struct span body = d->script->body;
	redisReply *reply;
	redisReply *load;

	if (clear_link(r, d->link) != 0) {
		return NULL;
	}
	redis_say(r, d->link, 3,
		(struct span[]){ span_of("SCRIPT"), span_of("LOAD"), body });
	if (asking) {
		redis_say(r, d->link, 1, &(struct span){ "ASKING", 6 });
	}
	redis_repeat(r, d);
	load = redis_next_reply(r, d->link);
	if (load == NULL) {
		return NULL;
	}
	if (asking) {
		redis_arena_free(redis_next_reply(r, d->link));
	}
	reply = redis_next_reply(r, d->link);
	if (reply != NULL && load->type == REDIS_REPLY_ERROR) {
		/* Why it was not loaded says more than that it is not there. */
		redis_arena_free(reply);
		return load;
	}
	redis_arena_free(load);
	return reply;
}

int redis_take_hint(struct redis *r, struct due *d, const char *hint)
{
	const char *slot = strchr(hint, ' ');
	const char *host = slot == NULL ? NULL : strchr(slot + 1, ' ');
	const char *port = host == NULL ? NULL : strrchr(host, ':');
	struct span name;
	int64_t number;
	char digits[8] = "";
	int64_t slot_number;

	if (port == NULL || num_parse(port + 1, 1, PORT_MAX, &number) != 0 ||
		host - slot - 1 >= (ptrdiff_t)sizeof(digits)) {
		return -1;
	}
	memcpy(digits, slot + 1, (size_t)(host - slot - 1));
	if (num_parse(digits, 0, REDIS_SLOTS - 1, &slot_number) != 0) {
		return -1;
	}
	name = (struct span){ host + 1, (size_t)(port - host - 1) };
	if (name.len == 0) { /* the host we asked */
		name = span_of(r->map.nodes[d->link].host);
	}
	d->link = redis_map_node(&r->map, &r->url, name, (int)number);
	redis_make_links(r, r->map.count);
	if (hint[0] == 'M') {
		r->map.slots[slot_number] = (uint16_t)(d->link + 1);
		r->is_map_old = true; /* more will have moved */
	}
	return 0;
}

/* Another node of the cluster is to be asked.  0: *reply is its answer; -1:
 * everything is lost. */
static int follow(struct redis *r, struct due *d, redisReply **reply,
	bool *asking, struct err *err)
{
	redisReply *said = NULL;

	*asking = (*reply)->str[0] == 'A';
	if (redis_take_hint(r, d, (*reply)->str) != 0) {
		return err_set(err, 0, "%s: unexpected answer: %s", r->url.name,
			(*reply)->str);
	}
	redis_arena_free(*reply);
	*reply = NULL;
	if (r->links[d->link].context == NULL &&
		redis_reach_node(r, d->link, err) != 0) {
		redis_drop(r);
		return -1;
	}
	if (clear_link(r, d->link) != 0) {
		return redis_lose(r, d->link, err);
	}
	if (*asking) {
		redis_say(r, d->link, 1, &(struct span){ "ASKING", 6 });
	}
	redis_repeat(r, d);
	if (*asking) {
		said = redis_next_reply(r, d->link);
		if (said == NULL) {
			return redis_lose(r, d->link, err);
		}
		redis_arena_free(said);
	}
	*reply = redis_next_reply(r, d->link);
	return *reply == NULL ? redis_lose(r, d->link, err) : 0;
}

bool redis_is_hint(const struct redis *r, const redisReply *reply)
{
	return r->url.kind == REDIS_CLUSTER &&
	       (is_error(reply, "MOVED ") || is_error(reply, "ASK "));
}

int redis_insist(
	struct redis *r, struct due *d, redisReply **reply, struct err *err)
{
	bool asking = false;

	for (int hop = 0; hop < HOPS_MAX; hop++) {
		if (d->script != NULL && is_error(*reply, "NOSCRIPT")) {
			redis_arena_free(*reply);
			*reply = call_again(r, d, asking);
			if (*reply == NULL) {
				return redis_lose(r, d->link, err);
			}
			if (is_error(*reply, "NOSCRIPT")) {
				return 0;
			}
		} else if (!redis_is_hint(r, *reply)) {
			return 0;
		} else if (follow(r, d, reply, &asking, err) != 0) {
			return -1;
		}
	}
	return 0;
}
