/*
 * Commands in a pipeline, scripts, and the ways to the server that is to be
 * asked.
 *
 * A server of its own, or the primary that Sentinels name, is one link.  In a
 * cluster there is a link a node, and a command goes to the one that serves its
 * key; replies come in the order of the commands all the same.
 *
 * `due' holds one entry per command whose reply was not handed out yet, oldest
 * first.  When a link is lost they all go at once, and `lost' says why;
 * redis_reply() tells that before anything else can be sent.
 */
#include "net/redis.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/redis_find.h"
#include "net/redis_link.h"
#include "net/redis_url.h"

enum {
	PAUSE_FIRST_MS = 50,
	PAUSE_MOST_MS = 5000,
	/* Where others are elected, the new one is found sooner. */
	PAUSE_ELECTED_MS = 1000,
	PORT_MAX = 65535,
	HOPS_MAX = 8, /* of one command from node to node */
};

/* A command that waits for its reply. */
struct due {
	const struct redis_script *script; /* NULL: not a script call */
	char *call; /* owned by hiredis' allocator; to repeat, or NULL */
	size_t call_len;
	size_t link;
	redisReply *early; /* owned; read before its turn, or NULL */
};

struct link {
	redisContext *context; /* owned; NULL: not connected */
	size_t due;            /* replies that were not read yet */
};

struct redis {
	struct redis_url url;
	struct link *links; /* owned; in a cluster one a node of the map */
	size_t link_count;
	size_t first_host;         /* of the URL, to be asked first */
	struct redis_node primary; /* the one that Sentinels named */
	struct redis_map map;      /* no slots: not known */
	bool is_map_old;
	redisReply *shown; /* owned; what redis_reply() gave last */

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

	const char **argv; /* owned; scratch with room for arg_room */
	size_t *arg_len;   /* owned; the same */
	size_t arg_room;
};

/* --- letting go ------------------------------------------------------------ */

static void due_release(struct due *d)
{
	mem_free(d->call);
	if (d->early != NULL) {
		freeReplyObject(d->early);
	}
	*d = (struct due){ 0 };
}

static void forget_due(struct redis *r)
{
	for (size_t i = 0; i < r->due_count; i++) {
		due_release(&r->due[r->due_first + i]);
	}
	r->due_first = 0;
	r->due_count = 0;
	r->is_cut_short = false;
}

static void hide_shown(struct redis *r)
{
	if (r->shown != NULL) {
		freeReplyObject(r->shown);
		r->shown = NULL;
	}
}

static void link_drop(struct link *l)
{
	if (l->context != NULL) {
		redisFree(l->context);
	}
	*l = (struct link){ 0 };
}

void redis_drop(struct redis *r)
{
	hide_shown(r);
	forget_due(r);
	for (size_t i = 0; i < r->link_count; i++) {
		link_drop(&r->links[i]);
	}
	r->is_map_old = true;
	r->is_lost = false;
}

/* For messages: who is at the other end of a link. */
static const char *link_name(const struct redis *r, size_t link)
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

/* Gives all up because of what the context of one link says; returns -1. */
static int lose(struct redis *r, size_t link, struct err *err)
{
	struct err why = { 0 };

	if (r->links[link].context == NULL) {
		BUG("no connection to lose");
	}
	(void)redis_link_lost(r->links[link].context, link_name(r, link),
		r->url.timeout_ms, &why);
	redis_drop(r);
	return err_copy(err, &why);
}

/* Puts an error answer into `err'; returns -1. */
static int explain(
	struct redis *r, size_t link, const char *text, struct err *err)
{
	bool is_elsewhere;

	(void)redis_link_explain(link_name(r, link), text, &is_elsewhere, err);
	if (is_elsewhere) {
		redis_drop(r);
	}
	return -1;
}

/* The next free entry of `due'. */
static struct due *due_add(struct redis *r)
{
	if (r->due_first + r->due_count == r->due_room) {
		if (r->due_first > r->due_room / 2) {
			memmove(r->due, r->due + r->due_first,
				r->due_count * sizeof(*r->due));
			r->due_first = 0;
		} else {
			r->due_room = r->due_room == 0 ? 16 : r->due_room * 2;
			r->due = mem_resize(
				r->due, r->due_room, sizeof(*r->due));
		}
	}
	struct due *d = &r->due[r->due_first + r->due_count++];
	*d = (struct due){ 0 };
	return d;
}

/* --- connecting ------------------------------------------------------------ */

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

/* The links follow the map, which only grows until all are dropped. */
static void make_links(struct redis *r, size_t count)
{
	if (count > r->link_count) {
		r->links = mem_resize(r->links, count, sizeof(*r->links));
		for (size_t i = r->link_count; i < count; i++) {
			r->links[i] = (struct link){ 0 };
		}
		r->link_count = count;
	}
}

/* Opens the link of a node that is known. */
static int reach_node(struct redis *r, size_t link, struct err *err)
{
	const struct redis_node *node = &r->map.nodes[link];
	struct redis_place place = { node->host, node->port, false,
		node->name };

	r->links[link].context =
		redis_link_open(&r->url, &place, r->url.timeout_ms, err);
	return r->links[link].context == NULL ? -1 : 0;
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
	r->links[0].context =
		redis_link_open(&r->url, &place, r->url.timeout_ms, err);
	if (r->links[0].context == NULL) {
		return -1;
	}
	return r->url.kind == REDIS_SENTINEL
		       ? redis_check_primary(r->links[0].context, place.name,
				 r->url.timeout_ms, err)
		       : 0;
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
	make_links(r, r->map.count);
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

/* Connects when that is due; 0 and *link, or -1 with the reason in r->lost. */
static int connect_now(struct redis *r, struct span key, size_t *link)
{
	struct err why = { 0 };
	int failed;

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
				 ? reach_node(r, *link, &why)
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
	int64_t left = r->next_connect_mono_ms - clock_mono_ms();

	return r->failed_connects == 0 || left < 0 ? 0 : left;
}

int redis_new(struct redis **out, const char *url, struct err *err)
{
	struct redis_url parsed;
	struct redis *r;

	if (redis_url_parse(&parsed, url, err) != 0) {
		return -1;
	}
	r = mem_array(1, sizeof(*r));
	r->url = parsed;
	if (parsed.kind != REDIS_CLUSTER) {
		make_links(r, 1);
	}
	r->dice = (uint64_t)clock_mono_us() * 2654435761U ^
		  (uint64_t)getpid() << 32 ^ 1;
	*out = r;
	return 0;
}

int redis_open(struct redis **out, const char *url, struct err *err)
{
	const struct redis_reply *reply;
	struct span ping = span_of("PING");

	if (redis_new(out, url, err) != 0) {
		return -1;
	}
	if (redis_command(*out, &reply, 1, &ping, err) != 0) {
		redis_close(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}

void redis_close(struct redis *r)
{
	if (r == NULL) {
		return;
	}
	redis_drop(r);
	redis_url_release(&r->url);
	redis_node_release(&r->primary);
	redis_map_release(&r->map);
	mem_free(r->links);
	mem_free(r->due);
	mem_free(r->argv);
	mem_free(r->arg_len);
	mem_free(r);
}

const char *redis_name(const struct redis *r)
{
	return r->url.name;
}

bool redis_is_cluster(const struct redis *r)
{
	return r->url.kind == REDIS_CLUSTER;
}

/* --- commands -------------------------------------------------------------- */

/* The arguments in the two arrays that hiredis takes, behind `extra' free
 * places. */
static void spread(
	struct redis *r, size_t extra, size_t count, const struct span *args)
{
	if (extra + count > r->arg_room) {
		r->arg_room = (extra + count) * 2;
		r->argv = mem_resize(r->argv, r->arg_room, sizeof(*r->argv));
		r->arg_len = mem_resize(
			r->arg_len, r->arg_room, sizeof(*r->arg_len));
	}
	for (size_t i = 0; i < count; i++) {
		r->argv[extra + i] = args[i].ptr == NULL ? "" : args[i].ptr;
		r->arg_len[extra + i] = args[i].len;
	}
}

/* The next reply on a link, or NULL when that broke. */
static redisReply *next_reply(struct redis *r, size_t link)
{
	void *reply = NULL;

	if (redisGetReply(r->links[link].context, &reply) != REDIS_OK) {
		return NULL;
	}
	return reply;
}

/* The reply to an entry of `due', wherever it is; NULL when its link broke. */
static redisReply *reply_of(struct redis *r, struct due *d)
{
	redisReply *reply = d->early;

	if (reply == NULL) {
		reply = next_reply(r, d->link);
		r->links[d->link].due--;
	}
	d->early = NULL;
	return reply;
}

/* Drops what a failed pipeline left unread. */
static void skip_rest(struct redis *r)
{
	while (r->is_cut_short && r->due_count > 0) {
		struct due *d = &r->due[r->due_first];
		redisReply *reply = reply_of(r, d);

		if (reply == NULL) {
			(void)lose(r, d->link, NULL); /* a fresh one is made */
			break;
		}
		freeReplyObject(reply);
		due_release(d);
		r->due_first++;
		r->due_count--;
	}
	r->is_cut_short = false;
}

/* Makes a link fit for a new command; 0 or -1, told later. */
static int make_ready(struct redis *r, struct span key, size_t *link)
{
	hide_shown(r);
	if (r->is_lost && r->due_count == 0) {
		r->is_lost = false; /* told already: a new pipeline begins */
	}
	skip_rest(r);
	return r->is_lost ? -1 : connect_now(r, key, link);
}

static char *put_number(char *at, char kind, size_t n)
{
	*at++ = kind;
	at += num_format_u64(at, n);
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

/* What is in argv as Redis reads it (RESP2, an array of bulk strings).  The
 * library's own way goes through printf, which took more time than all else
 * that we do about a command. */
static char *format_argv(const struct redis *r, size_t count, size_t *len)
{
	enum { NUMBER_BYTES = 1 + 20 + 2 }; /* its kind, digits, line end */
	size_t most = NUMBER_BYTES;
	char *call;
	char *at;

	for (size_t i = 0; i < count; i++) {
		most += NUMBER_BYTES + r->arg_len[i] + 2;
	}
	call = mem_alloc(most);
	at = put_number(call, '*', count);
	for (size_t i = 0; i < count; i++) {
		at = put_number(at, '$', r->arg_len[i]);
		memcpy(at, r->argv[i], r->arg_len[i]);
		at += r->arg_len[i];
		*at++ = '\r';
		*at++ = '\n';
	}
	*len = (size_t)(at - call);
	return call;
}

/* Appends what is in argv; in a cluster also keeps it, to be repeated. */
static void append_argv(struct redis *r, size_t link, size_t count,
	const struct redis_script *script)
{
	redisContext *c = r->links[link].context;
	size_t len;
	char *call = format_argv(r, count, &len);
	bool failed = redisAppendFormattedCommand(c, call, len) != REDIS_OK;
	struct due *d;

	if (failed) {
		(void)lose(r, link, &r->lost);
		r->is_lost = true;
	}
	d = due_add(r);
	d->script = script;
	d->link = link;
	d->call = call;
	d->call_len = len;
	if (!failed) {
		r->links[link].due++;
	}
}

void redis_append(struct redis *r, size_t count, const struct span *args)
{
	/* All that we say to clusters has its key there, or none. */
	redis_append_near(r, count > 1 ? args[1] : span_of(""), count, args);
}

void redis_append_near(
	struct redis *r, struct span key, size_t count, const struct span *args)
{
	size_t link;

	if (make_ready(r, key, &link) != 0) {
		(void)due_add(r); /* so that the loss is told to this one too */
		return;
	}
	spread(r, 0, count, args);
	append_argv(r, link, count, NULL);
}

void redis_append_script(struct redis *r, const struct redis_script *s,
	size_t keys, size_t count, const struct span *args)
{
	char number[21] = "";
	size_t link;

	if (make_ready(r, keys > 0 ? args[0] : span_of(""), &link) != 0) {
		(void)due_add(r);
		return;
	}
	number[num_format_u64(number, keys)] = '\0';
	spread(r, 3, count, args);
	r->argv[0] = "EVALSHA";
	r->arg_len[0] = strlen("EVALSHA");
	r->argv[1] = s->sha1;
	r->arg_len[1] = strlen(s->sha1);
	r->argv[2] = number;
	r->arg_len[2] = strlen(number);
	append_argv(r, link, count + 3, s);
}

int redis_send(struct redis *r, struct err *err)
{
	if (r->is_lost) {
		forget_due(r);
		return err_copy(err, &r->lost);
	}
	for (size_t i = 0; i < r->link_count; i++) {
		int is_done = r->links[i].context == NULL;

		while (!is_done) {
			if (redisBufferWrite(r->links[i].context, &is_done) !=
				REDIS_OK) {
				return lose(r, i, err);
			}
		}
	}
	return 0;
}

/* --- replies --------------------------------------------------------------- */

static struct due due_take(struct redis *r)
{
	struct due d = r->due[r->due_first];

	r->due_first++;
	r->due_count--;
	if (r->due_count == 0) {
		r->due_first = 0;
	}
	return d;
}

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
			later->early = reply_of(r, later);
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
	redisContext *c = r->links[d->link].context;
	struct span body = d->script->body;
	redisReply *reply;
	redisReply *load;

	if (clear_link(r, d->link) != 0) {
		return NULL;
	}
	spread(r, 0, 3,
		(struct span[]){ span_of("SCRIPT"), span_of("LOAD"), body });
	if (redisAppendCommandArgv(c, 3, r->argv, r->arg_len) != REDIS_OK ||
		(asking && redisAppendCommand(c, "ASKING") != REDIS_OK) ||
		redisAppendFormattedCommand(c, d->call, d->call_len) !=
			REDIS_OK) {
		return NULL;
	}
	load = next_reply(r, d->link);
	if (load == NULL) {
		return NULL;
	}
	if (asking) {
		reply = next_reply(r, d->link);
		if (reply != NULL) {
			freeReplyObject(reply);
		}
	}
	reply = next_reply(r, d->link);
	if (reply != NULL && load->type == REDIS_REPLY_ERROR) {
		/* Why it was not loaded says more than that it is not there. */
		freeReplyObject(reply);
		return load;
	}
	freeReplyObject(load);
	return reply;
}

/* "MOVED 3999 10.0.0.1:6381": the node it names, who then serves the slot for
 * good (MOVED) or for this command (ASK).  -1: it names none. */
static int take_hint(struct redis *r, struct due *d, const char *hint)
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
	make_links(r, r->map.count);
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
	redisContext *c;
	redisReply *said = NULL;

	*asking = (*reply)->str[0] == 'A';
	if (take_hint(r, d, (*reply)->str) != 0) {
		return err_set(err, 0, "%s: unexpected answer: %s", r->url.name,
			(*reply)->str);
	}
	freeReplyObject(*reply);
	*reply = NULL;
	if (r->links[d->link].context == NULL &&
		reach_node(r, d->link, err) != 0) {
		redis_drop(r);
		return -1;
	}
	c = r->links[d->link].context;
	if (clear_link(r, d->link) != 0 ||
		(*asking && redisAppendCommand(c, "ASKING") != REDIS_OK) ||
		redisAppendFormattedCommand(c, d->call, d->call_len) !=
			REDIS_OK) {
		return lose(r, d->link, err);
	}
	if (*asking) {
		said = next_reply(r, d->link);
		if (said == NULL) {
			return lose(r, d->link, err);
		}
		freeReplyObject(said);
	}
	*reply = next_reply(r, d->link);
	return *reply == NULL ? lose(r, d->link, err) : 0;
}

static bool is_hint(const struct redis *r, const redisReply *reply)
{
	return r->url.kind == REDIS_CLUSTER &&
	       (is_error(reply, "MOVED ") || is_error(reply, "ASK "));
}

/* Does what a refusal says would help: loads the script, asks another node. */
static int insist(
	struct redis *r, struct due *d, redisReply **reply, struct err *err)
{
	bool asking = false;

	for (int hop = 0; hop < HOPS_MAX; hop++) {
		if (d->script != NULL && is_error(*reply, "NOSCRIPT")) {
			freeReplyObject(*reply);
			*reply = call_again(r, d, asking);
			if (*reply == NULL) {
				return lose(r, d->link, err);
			}
			if (is_error(*reply, "NOSCRIPT")) {
				return 0;
			}
		} else if (!is_hint(r, *reply)) {
			return 0;
		} else if (follow(r, d, reply, &asking, err) != 0) {
			return -1;
		}
	}
	return 0;
}

/* Hands out `reply', the answer to the oldest command; NULL: its link broke. */
static int show(struct redis *r, redisReply *reply, bool may_wait,
	const struct redis_reply **out, struct err *err)
{
	struct due d = due_take(r);
	int failed = 0;

	if (reply == NULL) {
		failed = lose(r, d.link, err);
	} else if (may_wait || !is_hint(r, reply)) {
		failed = insist(r, &d, &reply, err);
	} else if (take_hint(r, &d, reply->str) == 0) {
		/* The next one finds its way; this is told as a loss. */
		redis_drop(r);
		failed = err_set(err, 0, "%s: %s", r->url.name, reply->str);
	}
	if (failed == 0 && reply != NULL && reply->type == REDIS_REPLY_ERROR) {
		r->is_cut_short = r->due_count > 0;
		failed = explain(r, d.link, reply->str, err);
	}
	due_release(&d);
	if (failed != 0) {
		if (reply != NULL) {
			freeReplyObject(reply);
		}
		return -1;
	}
	r->shown = reply;
	*out = (const struct redis_reply *)reply;
	return 0;
}

/* What redis_reply() and redis_poll() begin with.  0: go on; -1: the connection
 * was lost before. */
static int begin_reply(struct redis *r, struct err *err)
{
	hide_shown(r);
	if (r->is_lost) {
		forget_due(r);
		return err_copy(err, &r->lost);
	}
	if (r->due_count == 0) {
		for (size_t i = 0; i < r->link_count; i++) {
			if (r->links[i].context != NULL) {
				BUG("no reply of Redis is due");
			}
		}
		return err_set(err, 0, "%s: connection lost", r->url.name);
	}
	return 0;
}

int redis_reply(
	struct redis *r, const struct redis_reply **out, struct err *err)
{
	if (begin_reply(r, err) != 0) {
		return -1;
	}
	/* One link sends when it is read; others would wait for their turn. */
	if (r->link_count > 1 && redis_send(r, err) != 0) {
		return -1;
	}
	return show(r, reply_of(r, &r->due[r->due_first]), true, out, err);
}

/* What has arrived for `d', read once: the descriptor blocks.  1 and *reply, 0
 * not yet, -1 when its link broke. */
static int peek(struct redis *r, struct due *d, redisReply **reply)
{
	redisContext *c = r->links[d->link].context;
	void *got = NULL;
	char one;
	ssize_t n;

	if (d->early != NULL) {
		*reply = reply_of(r, d);
		return 1;
	}
	n = recv(c->fd, &one, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n >= 0 ||
		(errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
		if (redisBufferRead(c) != REDIS_OK) {
			return -1;
		}
	}
	if (redisGetReplyFromReader(c, &got) != REDIS_OK) {
		return -1;
	}
	*reply = got;
	if (got == NULL) {
		return 0;
	}
	r->links[d->link].due--;
	return 1;
}

int redis_poll(struct redis *r, const struct redis_reply **out, struct err *err)
{
	redisReply *reply = NULL;
	struct due *d;
	int got;

	if (begin_reply(r, err) != 0) {
		return -1;
	}
	d = &r->due[r->due_first];
	got = peek(r, d, &reply);
	if (got < 0) {
		return lose(r, d->link, err);
	}
	if (got == 0) {
		return 0;
	}
	return show(r, reply, false, out, err) == 0 ? 1 : -1;
}

size_t redis_due(const struct redis *r)
{
	return r->due_count;
}

int redis_command(struct redis *r, const struct redis_reply **out, size_t count,
	const struct span *args, struct err *err)
{
	redis_append(r, count, args);
	return redis_reply(r, out, err);
}

int redis_fd(const struct redis *r)
{
	size_t link = r->due_count > 0 ? r->due[r->due_first].link : 0;

	return link >= r->link_count || r->links[link].context == NULL
		       ? -1
		       : r->links[link].context->fd;
}
