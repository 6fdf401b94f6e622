/* SCAN, of one server or of a cluster's node for each app. */
#include "store/registry_redis.h"

#include "base/buf.h"
#include "base/mem.h"

#define APPS_KEY "push:apps"

int registry_note_app(struct redis *r, struct nameset *noted, struct span app,
	struct err *err)
{
	struct span name = app.ptr == NULL ? span_of("") : app;
	const struct redis_reply *reply;

	if (!redis_is_cluster(r) || nameset_has(noted, name)) {
		return 0;
	}
	if (redis_command(r, &reply, 3,
		    (struct span[]){ span_of("SADD"), span_of(APPS_KEY), name },
		    err) != 0) {
		return -1;
	}
	(void)nameset_add(noted, name);
	return 0;
}

struct walk {
	struct redis *redis;
	registry_cb *cb;
	void *self;
	struct devices_sink keys; /* of one step */
	struct buf cursor;
	struct buf pattern;
	struct buf near;
};

static struct span text_of(const struct buf *b)
{
	return (struct span){ b->data == NULL ? "" : b->data, b->len };
}

/* Copies the texts of a list, so that others may be asked meanwhile. */
static void copy_list(struct devices_sink *to, const struct redis_reply *list)
{
	devices_sink_reset(to);
	for (size_t i = 0; i < redis_count(list); i++) {
		devices_sink_add(to, redis_text(redis_at(list, i)));
	}
}

static int scan_step(struct walk *w, struct err *err)
{
	const struct redis_reply *reply;

	redis_append_near(w->redis, text_of(&w->near), 6,
		(struct span[]){ span_of("SCAN"), text_of(&w->cursor),
			span_of("MATCH"), text_of(&w->pattern),
			span_of("COUNT"), span_of("500") });
	if (redis_reply(w->redis, &reply, err) != 0) {
		return -1;
	}
	buf_reset(&w->cursor);
	buf_put(&w->cursor, redis_text(redis_at(reply, 0)).ptr,
		redis_text(redis_at(reply, 0)).len);
	copy_list(&w->keys, redis_at(reply, 1));
	return w->cb(w->self, &w->keys, err);
}

/* On the server that has the keys of the app, or on the only one. */
static int scan(struct walk *w, const struct registry_kind *kind,
	struct span app, struct err *err)
{
	struct span none = { NULL, 0 };
	int goes_on;

	(void)registry_pattern(&w->pattern, kind, app);
	(void)registry_key(&w->near, kind, app, none);
	buf_reset(&w->cursor);
	buf_text(&w->cursor, "0");
	do {
		goes_on = scan_step(w, err);
	} while (goes_on == 1 && !span_is(text_of(&w->cursor), "0"));
	return goes_on;
}

static int scan_apps(
	struct walk *w, const struct registry_kind *kind, struct err *err)
{
	const struct redis_reply *reply;
	struct devices_sink apps = { .count = 0 };
	int goes_on = 1;

	if (redis_command(w->redis, &reply, 2,
		    (struct span[]){ span_of("SMEMBERS"), span_of(APPS_KEY) },
		    err) != 0) {
		return -1;
	}
	buf_init(&apps.bytes, SIZE_MAX);
	copy_list(&apps, reply);
	for (size_t i = 0; goes_on == 1 && i < apps.count; i++) {
		goes_on = scan(w, kind, devices_sink_at(&apps, i), err);
	}
	buf_release(&apps.bytes);
	mem_free(apps.ends);
	return goes_on;
}

int registry_walk(struct redis *r, const struct registry_kind *kind,
	registry_cb *cb, void *self, struct err *err)
{
	struct walk w = { .redis = r, .cb = cb, .self = self };
	int result;

	buf_init(&w.keys.bytes, SIZE_MAX);
	buf_init(&w.cursor, SIZE_MAX);
	buf_init(&w.pattern, SIZE_MAX);
	buf_init(&w.near, SIZE_MAX);
	result = kind->is_tagged ? scan_apps(&w, kind, err)
				 : scan(&w, kind, span_of(""), err);
	buf_release(&w.keys.bytes);
	mem_free(w.keys.ends);
	buf_release(&w.cursor);
	buf_release(&w.pattern);
	buf_release(&w.near);
	return result < 0 ? -1 : 0;
}
