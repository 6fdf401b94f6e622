/*
 * The links to the servers: opened when they are first used and again after a
 * loss, with pauses; the map of a cluster; letting go.
 */
#include "net/redis_inner.h"

#include <sys/socket.h>

#include <hiredis/hiredis.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/redis_link.h"

enum {
	PAUSE_FIRST_MS = 50,
	PAUSE_MOST_MS = 5000,
	/* Where others are elected, the new one is found sooner. */
	PAUSE_ELECTED_MS = 1000,
};

/* --- letting go --- */

void redis_due_release(struct due *d)
{
	mem_free(d->call);
	redis_arena_free(d->early);
	*d = (struct due){ 0 };
}

void redis_forget_due(struct redis *r)
{
	for (size_t i = 0; i < r->due_count; i++) {
		redis_due_release(&r->due[r->due_first + i]);
	}
	r->due_first = 0;
	r->due_count = 0;
	r->is_cut_short = false;
}

void redis_hide_shown(struct redis *r)
{
	redis_arena_free(r->shown);
	r->shown = NULL;
}

static void link_init(struct link *l)
{
	*l = (struct link){ .context = NULL };
	buf_init(&l->out, SIZE_MAX);
}

static void link_drop(struct link *l)
{
	if (l->context != NULL) {
		redisFree(l->context);
	}
	buf_release(&l->out);
	link_init(l);
}

void redis_drop(struct redis *r)
{
	redis_hide_shown(r);
	redis_forget_due(r);
	for (size_t i = 0; i < r->link_count; i++) {
		link_drop(&r->links[i]);
	}
	r->is_map_old = true;
	r->is_lost = false;
}

const char *redis_place_name(const struct redis *r, size_t link)
{
	switch (r->url.kind) {
	case REDIS_SENTINEL:
		return r->primary.name != NULL ? r->primary.name : r->url.name;
	case REDIS_CLUSTER:
		return r->map.nodes[link].name;
	case REDIS_SERVER:
		break;
	}
	return r->url.name;
}

int redis_lose(struct redis *r, size_t link, struct err *err)
{
	struct err why = { 0 };

	if (r->links[link].context == NULL) {
		BUG("no connection to lose");
	}
	(void)redis_link_lost(r->links[link].context, redis_place_name(r, link),
		r->url.timeout_ms, &why);
	redis_drop(r);
	return err_copy(err, &why);
}

/* --- connecting --- */

static int64_t jittered(struct redis *r, int64_t ms)
{
	r->dice ^= r->dice << 13;
	r->dice ^= r->dice >> 7;
	r->dice ^= r->dice << 17;
	return ms / 2 + (int64_t)(r->dice % (uint64_t)(ms / 2 + 1));
}

static void pause_connecting(struct redis *r)
{
	int64_t most =
		r->url.kind == REDIS_SERVER ? PAUSE_MOST_MS : PAUSE_ELECTED_MS;
	int64_t ms = PAUSE_FIRST_MS;

	for (unsigned i = 0; i < r->failed_connects && ms < most; i++) {
		ms *= 2;
	}
	ms = ms > most ? most : ms;
	r->failed_connects++;
	r->next_connect_mono_ms = clock_mono_ms() + jittered(r, ms);
}

void redis_make_links(struct redis *r, size_t count)
{
	if (count > r->link_count) {
		r->links = mem_resize(r->links, count, sizeof(*r->links));
		for (size_t i = r->link_count; i < count; i++) {
			link_init(r->links + i);
		}
		r->link_count = count;
	}
}

static int link_open(struct redis *r, size_t link,
	const struct redis_place *place, struct err *err)
{
	struct redisContext *c =
		redis_link_open(&r->url, place, r->url.timeout_ms, err);

	r->links[link].context = c;
	if (c == NULL || (r->url.kind == REDIS_SENTINEL &&
				 redis_check_primary(c, place->name,
					 r->url.timeout_ms, err) != 0)) {
		return -1;
	}
	redis_arena_serve(&r->arena, c);
	return 0;
}

int redis_reach_node(struct redis *r, size_t link, struct err *err)
{
	const struct redis_node *node = &r->map.nodes[link];
	struct redis_place place = { node->host, node->port, false,
		node->name };

	return link_open(r, link, &place, err);
}

/* Opens the only link there is. */
static int reach(struct redis *r, struct err *err)
{
	struct redis_place place = { .name = r->url.name };

	if (r->url.kind == REDIS_SENTINEL) {
		if (redis_find_primary(
			    &r->url, &r->first_host, &r->primary, err) != 0) {
			return -1;
		}
		place.host = r->primary.host;
		place.port = r->primary.port;
		place.name = r->primary.name;
	} else if (r->url.host_count > 0) {
		place.host = r->url.hosts[0].name;
		place.port = r->url.hosts[0].port;
	}
	return link_open(r, 0, &place, err);
}

/* Learns anew who serves what, when that may have changed and no reply is due. */
static int learn_map(struct redis *r, struct err *err)
{
	if (r->map.slots != NULL && (!r->is_map_old || r->due_count > 0)) {
		return 0;
	}
	for (size_t i = 0; i < r->link_count; i++) {
		link_drop(&r->links[i]);
	}
	if (redis_find_nodes(&r->url, &r->first_host, &r->map, err) != 0) {
		return -1;
	}
	r->is_map_old = false;
	redis_make_links(r, r->map.count);
	return 0;
}

/* The link for a key; any, when there is none.  -1: nobody serves it. */
static int choose(
	struct redis *r, struct span key, size_t *link, struct err *err)
{
	unsigned slot;

	*link = 0;
	if (r->url.kind != REDIS_CLUSTER) {
		return 0;
	}
	if (learn_map(r, err) != 0) {
		return -1;
	}
	slot = redis_slot(key);
	if (r->map.slots[slot] == 0) {
		return err_set(err, 0, "%s: no node serves slot %u",
			r->url.name, slot);
	}
	*link = (size_t)r->map.slots[slot] - 1;
	return 0;
}

/* True when the other side has hung up while nothing was asked, as it does
 * when it is restarted or finds us idle for too long. */
static bool is_hung_up(const struct link *l)
{
	char one;

	return l->context != NULL && l->due == 0 &&
	       recv(l->context->fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

int redis_connect(struct redis *r, struct span key, size_t *link)
{
	struct err why;
	int failed;

	if (r->url.kind != REDIS_CLUSTER && r->links[0].due > 0) {
		*link = 0; /* one more command of a pipeline: most of them */
		return 0;
	}
	why = (struct err){ 0 };
	if (redis_pause_ms(r) > 0) {
		r->is_lost = true; /* r->lost is what the last attempt said */
		return -1;
	}
	failed = choose(r, key, link, &why);
	if (failed == 0 && is_hung_up(&r->links[*link])) {
		link_drop(&r->links[*link]);
	}
	if (failed == 0 && r->links[*link].context == NULL) {
		failed = r->url.kind == REDIS_CLUSTER
				 ? redis_reach_node(r, *link, &why)
				 : reach(r, &why);
		if (failed == 0) {
			r->failed_connects = 0;
		}
	}
	if (failed != 0) {
		redis_drop(r);
		pause_connecting(r);
		r->first_host++;
		if (r->url.host_count > 0) {
			r->first_host %= r->url.host_count;
		}
		r->lost = why;
		r->is_lost = true;
	}
	return failed;
}

int64_t redis_pause_ms(const struct redis *r)
{
	int64_t left;

	if (r->failed_connects ==
		0) { /* no look at the clock for each command */
		return 0;
	}
	left = r->next_connect_mono_ms - clock_mono_ms();
	return left < 0 ? 0 : left;
}
