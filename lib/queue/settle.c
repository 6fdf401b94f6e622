/*
 * Collects what is to be settled by queue and worker, and hands it to
 * settle.lua.
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
	KEY_INFLIGHT,
	KEY_FULL,
	KEY_WAKE,
	KEY_DELAYED,
	KEY_DEAD,
	KEY_FEEDBACK,
	KEY_COUNT,
	FIXED_ARGS = 6, /* prefix to count of fields */
	CALL_MAX_ITEMS = 256,
	FEEDBACK_KEPT = 100000, /* entries of the stream, about */
	BATCH_MAX_BYTES = 256 * 1024 * 1024,
};

struct place {
	size_t at;
	size_t len;
};

struct places {
	struct place *items; /* owned */
	size_t count;
	size_t room;
};

/* What one script call gets. */
struct call {
	size_t target; /* index */
	size_t items;
	struct places done;   /* fields that are simply done */
	struct places others; /* arguments of the other items */
};

/* One worker's claims on one queue. */
struct target {
	char *queue;  /* owned */
	char *worker; /* owned */
	char *prefix; /* owned */
	char uid_prefix[KEY_UID_PREFIX_LEN + 1];
	char *keys[KEY_COUNT]; /* owned */
	size_t call; /* the call that takes its next item + 1; 0: none */
};

struct settle {
	struct redis *redis; /* owned */
	struct script script;
	char attempts[21];
	struct buf bytes;
	struct target *targets; /* owned; those met so far */
	size_t target_count;
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

static void target_release(struct target *t)
{
	mem_free(t->queue);
	mem_free(t->worker);
	mem_free(t->prefix);
	for (size_t k = 0; k < KEY_COUNT; k++) {
		mem_free(t->keys[k]);
	}
}

void settle_close(struct settle *s)
{
	if (s == NULL) {
		return;
	}
	redis_close(s->redis);
	script_release(&s->script);
	buf_release(&s->bytes);
	for (size_t i = 0; i < s->target_count; i++) {
		target_release(&s->targets[i]);
	}
	for (size_t i = 0; i < s->call_room; i++) {
		mem_free(s->calls[i].done.items);
		mem_free(s->calls[i].others.items);
	}
	mem_free(s->targets);
	mem_free(s->calls);
	mem_free(s->args);
	mem_free(s);
}

/* Cuts a receipt into worker and field; false when it is none. */
static bool cut(struct span receipt, struct span *worker, struct span *field)
{
	const char *colon =
		receipt.len == 0 ? NULL : memchr(receipt.ptr, ':', receipt.len);

	if (colon == NULL) {
		return false;
	}
	*worker = (struct span){ receipt.ptr, (size_t)(colon - receipt.ptr) };
	*field = (struct span){ colon + 1, receipt.len - worker->len - 1 };
	return key_is_worker(*worker) && field->len > 0;
}

bool settle_can(struct span queue, struct span receipt)
{
	struct span worker;
	struct span field;

	return key_is_queue(queue) && cut(receipt, &worker, &field);
}

static size_t target_of(struct settle *s, struct span queue, struct span worker)
{
	static const char *const what[KEY_COUNT] = { "inflight", "full", "wake",
		"delayed", "dead", "feedback" };
	struct target *t;

	for (size_t i = 0; i < s->target_count; i++) {
		if (span_equal(span_of(s->targets[i].queue), queue) &&
			span_equal(span_of(s->targets[i].worker), worker)) {
			return i;
		}
	}
	s->targets = mem_resize(
		s->targets, s->target_count + 1, sizeof(*s->targets));
	t = &s->targets[s->target_count];
	*t = (struct target){ .queue = mem_dup(queue.ptr, queue.len),
		.worker = mem_dup(worker.ptr, worker.len) };
	t->prefix = key_take(t->queue, "", NULL);
	key_uid_prefix(t->queue, t->uid_prefix);
	for (size_t k = 0; k < KEY_COUNT; k++) {
		t->keys[k] = key_take(
			t->queue, what[k], k <= KEY_WAKE ? t->worker : NULL);
	}
	return s->target_count++;
}

static struct call *call_for(struct settle *s, size_t target)
{
	struct target *t = &s->targets[target];
	struct call *c;

	if (t->call > 0 && s->calls[t->call - 1].items < CALL_MAX_ITEMS) {
		return &s->calls[t->call - 1];
	}
	if (s->call_count == s->call_room) {
		s->calls = mem_resize(
			s->calls, s->call_room + 1, sizeof(*s->calls));
		s->calls[s->call_room++] = (struct call){ 0 };
	}
	c = &s->calls[s->call_count++];
	c->target = target;
	c->items = 0;
	c->done.count = 0;
	c->others.count = 0;
	t->call = s->call_count;
	return c;
}

static void put(struct settle *s, struct places *to, struct span arg)
{
	if (to->count == to->room) {
		to->room = to->room == 0 ? 64 : to->room * 2;
		to->items = mem_resize(to->items, to->room, sizeof(*to->items));
	}
	to->items[to->count++] = (struct place){ s->bytes.len, arg.len };
	buf_put(&s->bytes, arg.ptr, arg.len);
}

static void put_int(struct settle *s, struct places *to, int64_t n)
{
	char text[20];

	put(s, to,
		(struct span){ text,
			num_format_u64(text, (uint64_t)(n < 0 ? 0 : n)) });
}

static void put_part(
	struct settle *s, struct places *to, const struct settle_item *item)
{
	char text[48] = "";

	if (item->part_of > 0 && fmt_into(text, sizeof(text), "%lld/%lld",
					 (long long)item->part_n,
					 (long long)item->part_of) != 0) {
		BUG("two numbers are too long");
	}
	put(s, to, span_of(text));
}

static void put_origin(
	struct settle *s, struct places *to, const struct settle_item *item)
{
	char origin[1 + SETTLE_APART_BYTES] = "t";
	size_t len = 1;

	if (item->is_whole) {
		origin[0] = 'w';
	} else if (item->is_device) {
		origin[0] = 'd';
	}
	if (item->is_device && item->apart.len == SETTLE_APART_BYTES) {
		memcpy(origin + 1, item->apart.ptr, SETTLE_APART_BYTES);
		len += SETTLE_APART_BYTES;
	}
	put(s, to, (struct span){ origin, len });
}

void settle_add(struct settle *s, const struct settle_item *item)
{
	static const char *const letters[][2] = {
		[SETTLE_DONE] = { "d", "df" },
		[SETTLE_LATER] = { "n", "nf" },
		[SETTLE_WAIT] = { "w", "wf" },
		[SETTLE_ANEW] = { "a", "af" },
		[SETTLE_RETRY] = { "r", "rf" },
		[SETTLE_TOO_OLD] = { "o", "of" },
		[SETTLE_DEAD] = { "x", "xf" },
	};
	struct span worker;
	struct span field;
	struct call *c;
	struct places *to;

	if (!cut(item->receipt, &worker, &field)) {
		BUG("a receipt that cannot be settled");
	}
	c = call_for(s, target_of(s, item->queue, worker));
	c->items++;
	if (item->action == SETTLE_DONE && item->part_of == 0 &&
		item->feedback_count == 0) {
		put(s, &c->done, field);
		return;
	}
	to = &c->others;
	put(s, to, field);
	put_part(s, to, item);
	put(s, to, span_of(letters[item->action][item->feedback_count > 0]));
	if (item->feedback_count > 0) {
		put_int(s, to, (int64_t)item->feedback_count * 2);
	}
	for (size_t i = 0; i < item->feedback_count; i++) {
		put(s, to, item->feedback[i].name);
		put(s, to, item->feedback[i].value);
	}
	if (item->action == SETTLE_LATER) {
		put_int(s, to, item->unix_ms);
	}
	if (item->action != SETTLE_DONE && item->action != SETTLE_LATER) {
		put(s, to, span_of(item->reason));
		if (item->action != SETTLE_DEAD) {
			put_int(s, to, item->after_ms);
		}
		put_origin(s, to, item);
		put(s, to, item->bytes);
	}
}

static void append_places(
	struct settle *s, size_t *count, const struct places *from)
{
	for (size_t i = 0; i < from->count; i++) {
		s->args[(*count)++] =
			(struct span){ s->bytes.data + from->items[i].at,
				from->items[i].len };
	}
}

static void append(struct settle *s, const struct call *c)
{
	const struct target *t = &s->targets[c->target];
	size_t most = KEY_COUNT + FIXED_ARGS + c->done.count + c->others.count;
	size_t count = 0;
	char kept[20];
	char done[20];

	if (most > s->arg_room) {
		s->arg_room = most * 2;
		s->args = mem_resize(s->args, s->arg_room, sizeof(*s->args));
	}
	for (size_t k = 0; k < KEY_COUNT; k++) {
		s->args[count++] = span_of(t->keys[k]);
	}
	s->args[count++] = span_of(t->prefix);
	s->args[count++] = span_of(t->worker);
	s->args[count++] = span_of(s->attempts);
	s->args[count++] =
		(struct span){ kept, num_format_u64(kept, FEEDBACK_KEPT) };
	s->args[count++] = span_of(t->uid_prefix);
	s->args[count++] =
		(struct span){ done, num_format_u64(done, c->done.count) };
	append_places(s, &count, &c->done);
	append_places(s, &count, &c->others);
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
			return -1;
		}
		got.settled += (uint64_t)redis_int(redis_at(reply, 0));
		got.late += (uint64_t)redis_int(redis_at(reply, 1));
		got.delayed += (uint64_t)redis_int(redis_at(reply, 2));
		got.dead += (uint64_t)redis_int(redis_at(reply, 3));
	}
	settle_counts_add(counts, &got);
	settle_reset(s);
	return 0;
}

void settle_counts_add(
	struct settle_counts *to, const struct settle_counts *more)
{
	to->settled += more->settled;
	to->late += more->late;
	to->delayed += more->delayed;
	to->dead += more->dead;
}

void settle_reset(struct settle *s)
{
	s->call_count = 0;
	for (size_t i = 0; i < s->target_count; i++) {
		s->targets[i].call = 0;
	}
	buf_reset(&s->bytes);
}
