/*
 * Collects what is to be settled by queue, and hands it to settle.lua.
 *
 * Arguments are copied one behind the other into a buffer and remembered by
 * place, since the buffer moves as it grows.
 */
#include "queue/settle.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/redis.h"
#include "queue/key.h"
#include "queue/script.h"

enum {
	KEY_LEASES,
	KEY_DELAYED,
	KEY_DEAD,
	KEY_FEEDBACK,
	KEY_COUNT,
	FIXED_ARGS = 3, /* prefix, attempts, feedback length */
	CALL_MAX_ITEMS = 256,
	FEEDBACK_KEPT = 100000, /* entries of the stream, about */
	BATCH_MAX_BYTES = 256 * 1024 * 1024,
};

struct place {
	size_t at;
	size_t len;
};

/* What one script call gets. */
struct call {
	size_t queue; /* index of its queue */
	size_t items;
	struct place *args; /* owned */
	size_t arg_count;
	size_t arg_room;
};

struct queue {
	char *name;            /* owned */
	char *prefix;          /* owned */
	char *keys[KEY_COUNT]; /* owned */
	size_t call; /* the call that takes its next item + 1; 0: none */
};

struct settle {
	struct redis *redis; /* owned */
	struct script script;
	char attempts[21];
	struct buf bytes;
	struct queue *queues; /* owned; those met so far */
	size_t queue_count;
	struct call *
		calls; /* owned; call_count in use, the rest to be used again */
	size_t call_count;
	size_t call_room;
	struct span *args; /* owned; scratch */
	size_t arg_room;
};

int settle_open(
	struct settle **out, const char *url, int64_t attempts, struct err *err)
{
	struct settle *s;
	struct redis *redis;

	if (redis_new(&redis, url, err) != 0) {
		return -1;
	}
	s = mem_array(1, sizeof(*s));
	s->redis = redis;
	script_init(&s->script, SCRIPT_SETTLE);
	s->attempts[num_format_u64(s->attempts, (uint64_t)attempts)] = '\0';
	buf_init(&s->bytes, BATCH_MAX_BYTES);
	*out = s;
	return 0;
}

void settle_close(struct settle *s)
{
	if (s == NULL) {
		return;
	}
	redis_close(s->redis);
	script_release(&s->script);
	buf_release(&s->bytes);
	for (size_t i = 0; i < s->queue_count; i++) {
		mem_free(s->queues[i].name);
		mem_free(s->queues[i].prefix);
		for (size_t k = 0; k < KEY_COUNT; k++) {
			mem_free(s->queues[i].keys[k]);
		}
	}
	for (size_t i = 0; i < s->call_room; i++) {
		mem_free(s->calls[i].args);
	}
	mem_free(s->queues);
	mem_free(s->calls);
	mem_free(s->args);
	mem_free(s);
}

bool settle_can(struct span queue, struct span receipt)
{
	const char *colon =
		receipt.len == 0 ? NULL : memchr(receipt.ptr, ':', receipt.len);

	return key_is_queue(queue) && colon != NULL &&
	       colon + 1 < receipt.ptr + receipt.len &&
	       key_is_worker((struct span){
		       receipt.ptr, (size_t)(colon - receipt.ptr) });
}

static size_t queue_of(struct settle *s, struct span name)
{
	static const char *const what[KEY_COUNT] = { "leases", "delayed",
		"dead", "feedback" };
	struct queue *q;

	for (size_t i = 0; i < s->queue_count; i++) {
		if (span_equal(span_of(s->queues[i].name), name)) {
			return i;
		}
	}
	s->queues =
		mem_resize(s->queues, s->queue_count + 1, sizeof(*s->queues));
	q = &s->queues[s->queue_count];
	*q = (struct queue){ .name = mem_dup(name.ptr, name.len) };
	q->prefix = key_take(q->name, "", NULL);
	for (size_t k = 0; k < KEY_COUNT; k++) {
		q->keys[k] = key_take(q->name, what[k], NULL);
	}
	return s->queue_count++;
}

static struct call *call_for(struct settle *s, size_t queue)
{
	struct queue *q = &s->queues[queue];
	struct call *c;

	if (q->call > 0 && s->calls[q->call - 1].items < CALL_MAX_ITEMS) {
		return &s->calls[q->call - 1];
	}
	if (s->call_count == s->call_room) {
		s->calls = mem_resize(
			s->calls, s->call_room + 1, sizeof(*s->calls));
		s->calls[s->call_room++] = (struct call){ 0 };
	}
	c = &s->calls[s->call_count++];
	c->queue = queue;
	c->items = 0;
	c->arg_count = 0;
	q->call = s->call_count;
	return c;
}

static void put(struct settle *s, struct call *c, struct span arg)
{
	if (c->arg_count == c->arg_room) {
		c->arg_room = c->arg_room == 0 ? 64 : c->arg_room * 2;
		c->args = mem_resize(c->args, c->arg_room, sizeof(*c->args));
	}
	c->args[c->arg_count++] = (struct place){ s->bytes.len, arg.len };
	buf_put(&s->bytes, arg.ptr, arg.len);
}

static void put_int(struct settle *s, struct call *c, int64_t n)
{
	char text[20];

	put(s, c,
		(struct span){ text,
			num_format_u64(text, (uint64_t)(n < 0 ? 0 : n)) });
}

static void put_part(
	struct settle *s, struct call *c, const struct settle_item *item)
{
	char text[48] = "";

	if (item->part_of > 0 && fmt_into(text, sizeof(text), "%lld/%lld",
					 (long long)item->part_n,
					 (long long)item->part_of) != 0) {
		BUG("two numbers are too long");
	}
	put(s, c, span_of(text));
}

void settle_add(struct settle *s, const struct settle_item *item)
{
	static const char *const letters[][2] = {
		[SETTLE_DONE] = { "d", "df" },
		[SETTLE_LATER] = { "n", "nf" },
		[SETTLE_RETRY] = { "r", "rf" },
		[SETTLE_DEAD] = { "x", "xf" },
	};
	struct call *c = call_for(s, queue_of(s, item->queue));

	c->items++;
	put(s, c, item->receipt);
	put_part(s, c, item);
	put(s, c, span_of(letters[item->action][item->feedback_count > 0]));
	if (item->feedback_count > 0) {
		put_int(s, c, (int64_t)item->feedback_count * 2);
	}
	for (size_t i = 0; i < item->feedback_count; i++) {
		put(s, c, item->feedback[i].name);
		put(s, c, item->feedback[i].value);
	}
	if (item->action == SETTLE_LATER) {
		put_int(s, c, item->unix_ms);
	}
	if (item->action == SETTLE_RETRY || item->action == SETTLE_DEAD) {
		put(s, c, span_of(item->reason));
		if (item->action == SETTLE_RETRY) {
			put_int(s, c, item->after_ms);
		}
		put(s, c, span_of(item->is_device ? "d" : "t"));
		put(s, c, item->bytes);
	}
}

static void append(struct settle *s, const struct call *c)
{
	const struct queue *q = &s->queues[c->queue];
	size_t count = KEY_COUNT + FIXED_ARGS + c->arg_count;
	char kept[20];

	if (count > s->arg_room) {
		s->arg_room = count * 2;
		s->args = mem_resize(s->args, s->arg_room, sizeof(*s->args));
	}
	for (size_t k = 0; k < KEY_COUNT; k++) {
		s->args[k] = span_of(q->keys[k]);
	}
	s->args[KEY_COUNT] = span_of(q->prefix);
	s->args[KEY_COUNT + 1] = span_of(s->attempts);
	s->args[KEY_COUNT + 2] =
		(struct span){ kept, num_format_u64(kept, FEEDBACK_KEPT) };
	for (size_t i = 0; i < c->arg_count; i++) {
		s->args[KEY_COUNT + FIXED_ARGS + i] =
			(struct span){ s->bytes.data + c->args[i].at,
				c->args[i].len };
	}
	redis_append_script(
		s->redis, &s->script.call, KEY_COUNT, count, s->args);
}

int settle_exchange(
	struct settle *s, struct settle_counts *counts, struct err *err)
{
	struct settle_counts got = { 0 };
	const struct redis_reply *reply;

	if (buf_is_over(&s->bytes)) {
		BUG("a batch to settle has more than %d bytes",
			BATCH_MAX_BYTES);
	}
	for (size_t i = 0; i < s->call_count; i++) {
		append(s, &s->calls[i]);
	}
	for (size_t i = 0; i < s->call_count; i++) {
		if (redis_reply(s->redis, &reply, err) != 0) {
			return err_prefix(err, "cannot settle");
		}
		got.settled += (uint64_t)redis_int(redis_at(reply, 0));
		got.late += (uint64_t)redis_int(redis_at(reply, 1));
		got.delayed += (uint64_t)redis_int(redis_at(reply, 2));
		got.dead += (uint64_t)redis_int(redis_at(reply, 3));
	}
	counts->settled += got.settled;
	counts->late += got.late;
	counts->delayed += got.delayed;
	counts->dead += got.dead;
	settle_reset(s);
	return 0;
}

void settle_reset(struct settle *s)
{
	s->call_count = 0;
	for (size_t i = 0; i < s->queue_count; i++) {
		s->queues[i].call = 0;
	}
	buf_reset(&s->bytes);
}
