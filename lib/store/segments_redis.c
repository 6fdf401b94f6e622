/*
 * Segments in Redis.
 *
 * push:s:APP:SEGMENT  sorted set of users, all with score 0, so that it is in
 *                     the order of their bytes; in a cluster push:s:{APP}:SEGMENT
 */
#include "base/mem.h"
#include "net/redis.h"
#include "store/registry_redis.h"
#include "store/segments_backend.h"

enum { STEP_USERS = 1000 };

struct shared {
	struct redis *redis; /* owned */
	struct registry_kind kind;
	struct nameset noted; /* apps; see registry_note_app() */
	struct buf key;
	struct buf from;
};

static struct span text_of(const struct buf *b)
{
	return (struct span){ b->data == NULL ? "" : b->data, b->len };
}

static struct span key_of(struct shared *s, const struct membership *m)
{
	return registry_key(&s->key, &s->kind, m->app, m->segment);
}

static int shared_put(void *self, const struct membership *list, size_t count,
	uint64_t *added, struct err *err)
{
	struct shared *s = self;
	const struct redis_reply *reply;
	uint64_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (registry_note_app(s->redis, &s->noted, list[i].app, err) !=
			0) {
			return -1;
		}
	}
	for (size_t i = 0; i < count; i++) {
		redis_append(s->redis, 4,
			(struct span[]){ span_of("ZADD"), key_of(s, list + i),
				span_of("0"), list[i].user });
	}
	for (size_t i = 0; i < count; i++) {
		if (redis_reply(s->redis, &reply, err) != 0) {
			return -1;
		}
		n += redis_int(reply) > 0;
	}
	*added += n;
	return 0;
}

static int shared_remove(void *self, const struct membership *which,
	uint64_t *removed, struct err *err)
{
	struct shared *s = self;
	const struct redis_reply *reply;
	struct span key = key_of(s, which);

	if (which->user.ptr != NULL) {
		redis_append(s->redis, 3,
			(struct span[]){ span_of("ZREM"), key, which->user });
	} else {
		redis_append(
			s->redis, 2, (struct span[]){ span_of("ZCARD"), key });
		redis_append(
			s->redis, 2, (struct span[]){ span_of("UNLINK"), key });
	}
	if (redis_reply(s->redis, &reply, err) != 0) {
		return -1;
	}
	*removed += (uint64_t)redis_int(reply);
	return which->user.ptr != NULL ? 0 : redis_reply(s->redis, &reply, err);
}

/* Users behind `from' (which has its bracket) of the segment at `key'. */
static int range(struct shared *s, struct span key, size_t max,
	const struct redis_reply **reply, struct err *err)
{
	struct buf most;
	int result;

	buf_init(&most, 32);
	buf_u64(&most, max);
	result = redis_command(s->redis, reply, 7,
		(struct span[]){ span_of("ZRANGEBYLEX"), key, text_of(&s->from),
			span_of("+"), span_of("LIMIT"), span_of("0"),
			text_of(&most) },
		err);
	buf_release(&most);
	return result;
}

static void set_from(struct shared *s, struct span user)
{
	buf_reset(&s->from);
	if (user.ptr == NULL) {
		buf_putc(&s->from, '-');
		return;
	}
	buf_putc(&s->from, '(');
	buf_put(&s->from, user.ptr, user.len);
}

static int shared_page(void *self, const struct membership *after, size_t max,
	struct devices_sink *sink, struct err *err)
{
	struct shared *s = self;
	const struct redis_reply *reply;

	set_from(s, after->user);
	if (range(s, key_of(s, after), max, &reply, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < redis_count(reply); i++) {
		devices_sink_add(sink, redis_text(redis_at(reply, i)));
	}
	return 0;
}

/* --- walking --- */

struct walk {
	struct shared *shared;
	devices_cb *cb;
	void *cb_self;
	struct buf app;
	struct buf line;
	bool is_stopped;
};

static int show_segment(struct walk *w, struct span key, struct err *err)
{
	const struct redis_reply *reply;
	struct membership m;
	size_t count;

	if (!registry_key_parse(key, &w->shared->kind, &w->app, &m.segment)) {
		return 0;
	}
	m.app = text_of(&w->app);
	set_from(w->shared, (struct span){ NULL, 0 });
	do {
		if (range(w->shared, key, STEP_USERS, &reply, err) != 0) {
			return -1;
		}
		count = redis_count(reply);
		for (size_t i = 0; i < count && !w->is_stopped; i++) {
			m.user = redis_text(redis_at(reply, i));
			buf_reset(&w->line);
			membership_write(&m, &w->line);
			w->is_stopped = !w->cb(w->cb_self, text_of(&w->line));
		}
		if (count > 0) {
			set_from(w->shared,
				redis_text(redis_at(reply, count - 1)));
		}
	} while (count == STEP_USERS && !w->is_stopped);
	return 0;
}

static int walk_on(void *self, const struct devices_sink *keys, struct err *err)
{
	struct walk *w = self;

	for (size_t i = 0; i < keys->count && !w->is_stopped; i++) {
		if (show_segment(w, devices_sink_at(keys, i), err) != 0) {
			return -1;
		}
	}
	return w->is_stopped ? 0 : 1;
}

static int shared_each(
	void *self, devices_cb *cb, void *cb_self, struct err *err)
{
	struct shared *s = self;
	struct walk w = { .shared = s, .cb = cb, .cb_self = cb_self };
	int result;

	buf_init(&w.app, SIZE_MAX);
	buf_init(&w.line, SIZE_MAX);
	result = registry_walk(s->redis, &s->kind, walk_on, &w, err);
	buf_release(&w.app);
	buf_release(&w.line);
	return result;
}

static void shared_close(void *self)
{
	struct shared *s = self;

	redis_close(s->redis);
	buf_release(&s->key);
	buf_release(&s->from);
	nameset_release(&s->noted);
	mem_free(s);
}

const struct segments_backend *segments_redis_open(
	void **self, const char *url, struct err *err)
{
	static const struct segments_backend backend = {
		.put = shared_put,
		.remove = shared_remove,
		.page = shared_page,
		.each = shared_each,
		.close = shared_close,
	};
	struct redis *redis;
	struct shared *s;

	if (redis_open(&redis, url, err) != 0) {
		return NULL;
	}
	s = mem_array(1, sizeof(*s));
	s->redis = redis;
	s->kind = (struct registry_kind){ "push:s:", redis_is_cluster(redis) };
	buf_init(&s->key, SIZE_MAX);
	buf_init(&s->from, SIZE_MAX);
	*self = s;
	return &backend;
}
