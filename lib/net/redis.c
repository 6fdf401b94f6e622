/*
 * Commands in a pipeline, scripts, and their replies.
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
#include "net/redis_inner.h"
#include "net/redis_link.h"

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
		redis_make_links(r, 1);
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
	redis_arena_release(&r->arena);
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

/* Lets hiredis have what was said on a link. */
static int pass_on(struct link *l)
{
	int failed = 0;

	if (l->out.len > 0) {
		failed = redisAppendFormattedCommand(l->context, l->out.data,
				 l->out.len) != REDIS_OK;
		buf_reset(&l->out);
	}
	return failed ? -1 : 0;
}

redisReply *redis_next_reply(struct redis *r, size_t link)
{
	struct link *l = r->links + link;
	void *reply = NULL;

	if (pass_on(l) != 0 || redisGetReply(l->context, &reply) != REDIS_OK) {
		return NULL;
	}
	return reply;
}

redisReply *redis_reply_of(struct redis *r, struct due *d)
{
	redisReply *reply = d->early;

	if (reply == NULL) {
		reply = redis_next_reply(r, d->link);
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
		redisReply *reply = redis_reply_of(r, d);

		if (reply == NULL) {
			(void)redis_lose(
				r, d->link, NULL); /* a fresh one is made */
			break;
		}
		redis_arena_free(reply);
		redis_due_release(d);
		r->due_first++;
		r->due_count--;
	}
	r->is_cut_short = false;
}

/* Makes a link fit for a new command; 0 or -1, told later. */
static int make_ready(struct redis *r, struct span key, size_t *link)
{
	redis_hide_shown(r);
	if (r->is_lost && r->due_count == 0) {
		r->is_lost = false; /* told already: a new pipeline begins */
	}
	skip_rest(r);
	return r->is_lost ? -1 : redis_connect(r, key, link);
}

static char *put_number(char *at, char kind, size_t n)
{
	*at++ = kind;
	at += num_format_u64(at, n);
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

enum { NUMBER_BYTES = 1 + 20 + 2 }; /* its kind, digits, line end */

/* Begins a command of `count' arguments, as Redis reads it (RESP2, an array of
 * bulk strings).  The library's own way goes through printf, which took more
 * time than all else that we do about a command. */
static void begin_call(struct buf *b, size_t count)
{
	char *at = buf_room(b, NUMBER_BYTES);

	b->len = (size_t)(put_number(at, '*', count) - b->data);
}

static void put_args(struct buf *b, size_t count, const struct span *args)
{
	size_t most = 0;
	char *at;

	for (size_t i = 0; i < count; i++) {
		most += NUMBER_BYTES + args[i].len + 2;
	}
	at = buf_room(b, most);
	for (size_t i = 0; i < count; i++) {
		at = put_number(at, '$', args[i].len);
		if (args[i].len > 0) {
			memcpy(at, args[i].ptr, args[i].len);
			at += args[i].len;
		}
		*at++ = '\r';
		*at++ = '\n';
	}
	b->len = (size_t)(at - b->data);
}

void redis_say(
	struct redis *r, size_t link, size_t count, const struct span *args)
{
	begin_call(&r->links[link].out, count);
	put_args(&r->links[link].out, count, args);
}

void redis_repeat(struct redis *r, const struct due *d)
{
	buf_put(&r->links[d->link].out, d->call, d->call_len);
}

/* The reply to what was said on a link from `start' on is due.  What may be told
 * to go elsewhere, or that its script is not known, is kept. */
static void expect(struct redis *r, size_t link, size_t start,
	const struct redis_script *script)
{
	const struct buf *out = &r->links[link].out;
	struct due *d = due_add(r);

	d->script = script;
	d->link = link;
	if (script != NULL || r->url.kind == REDIS_CLUSTER) {
		d->call_len = out->len - start;
		d->call = mem_dup(out->data + start, d->call_len);
	}
	r->links[link].due++;
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
	size_t start;

	if (make_ready(r, key, &link) != 0) {
		(void)due_add(r); /* so that the loss is told to this one too */
		return;
	}
	start = r->links[link].out.len;
	redis_say(r, link, count, args);
	expect(r, link, start, NULL);
}

void redis_append_script(struct redis *r, const struct redis_script *s,
	size_t keys, size_t count, const struct span *args)
{
	char number[20];
	const struct span head[] = {
		span_of("EVALSHA"),
		span_of(s->sha1),
		{ number, num_format_u64(number, keys) },
	};
	struct buf *out;
	size_t link;
	size_t start;

	if (make_ready(r, keys > 0 ? args[0] : span_of(""), &link) != 0) {
		(void)due_add(r);
		return;
	}
	out = &r->links[link].out;
	start = out->len;
	begin_call(out, 3 + count);
	put_args(out, 3, head);
	put_args(out, count, args);
	expect(r, link, start, s);
}

int redis_send(struct redis *r, struct err *err)
{
	if (r->is_lost) {
		redis_forget_due(r);
		return err_copy(err, &r->lost);
	}
	for (size_t i = 0; i < r->link_count; i++) {
		int is_done = r->links[i].context == NULL;

		if (!is_done && pass_on(r->links + i) != 0) {
			return redis_lose(r, i, err);
		}
		while (!is_done) {
			if (redisBufferWrite(r->links[i].context, &is_done) !=
				REDIS_OK) {
				return redis_lose(r, i, err);
			}
		}
	}
	return 0;
}

/* --- replies --------------------------------------------------------------- */

/* Puts an error answer into `err'; returns -1. */
static int explain(
	struct redis *r, size_t link, const char *text, struct err *err)
{
	bool is_elsewhere;

	(void)redis_link_explain(
		redis_place_name(r, link), text, &is_elsewhere, err);
	if (is_elsewhere) {
		redis_drop(r);
	}
	return -1;
}

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

/* Does what helps against a refusal, or puts it into `err'; NULL: the link
 * broke.  0: *reply is the answer now. */
static int refused(struct redis *r, struct due *d, redisReply **reply,
	bool may_wait, struct err *err)
{
	if (*reply == NULL) {
		return redis_lose(r, d->link, err);
	}
	if (may_wait || !redis_is_hint(r, *reply)) {
		if (redis_insist(r, d, reply, err) != 0) {
			return -1;
		}
	} else if (redis_take_hint(r, d, (*reply)->str) == 0) {
		/* The next one finds its way; this is told as a loss. */
		redis_drop(r);
		return err_set(err, 0, "%s: %s", r->url.name, (*reply)->str);
	}
	if ((*reply)->type == REDIS_REPLY_ERROR) {
		r->is_cut_short = r->due_count > 0;
		return explain(r, d->link, (*reply)->str, err);
	}
	return 0;
}

/* Hands out `reply', the answer to the oldest command; NULL: its link broke. */
static int show(struct redis *r, redisReply *reply, bool may_wait,
	const struct redis_reply **out, struct err *err)
{
	struct due d = due_take(r);
	int failed = 0;

	if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
		failed = refused(r, &d, &reply, may_wait, err);
	}
	redis_due_release(&d);
	if (failed != 0) {
		redis_arena_free(reply);
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
	redis_hide_shown(r);
	if (r->is_lost) {
		redis_forget_due(r);
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
	return show(
		r, redis_reply_of(r, &r->due[r->due_first]), true, out, err);
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
		*reply = redis_reply_of(r, d);
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
		return redis_lose(r, d->link, err);
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
