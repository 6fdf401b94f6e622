/*
 * The registry in Redis.
 *
 * push:u:APP:USER  hash: "ios:TOKEN" → JSON (a ':' or '%' in APP is escaped)
 * push:t:DIGEST    of (app, platform, token) → "REGISTERED:USER"
 *
 * In a cluster push:u:{APP}:USER and push:t:{APP}:DIGEST; see registry_key.h.
 *
 * A registration looks at the owner first and then calls a script that does
 * nothing if the owner has changed; then it looks again.
 */
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "net/redis.h"
#include "store/devices_backend.h"
#include "store/registry_redis.h"

enum {
	/* Others being faster; and a batch may name one token as often. */
	ROUNDS_MAX = 2 * DEVICES_BATCH_MAX,
	FIND_PIPELINE = 512,
};

extern const char asset_device_put_lua[];
extern const size_t asset_device_put_lua_len;
extern const char asset_device_drop_lua[];
extern const size_t asset_device_drop_lua_len;

struct shared {
	struct redis *redis; /* owned */
	struct registry_kind users;
	struct registry_kind tokens;
	struct nameset noted; /* apps; see registry_note_app() */
	struct redis_script put;
	struct redis_script drop;
	struct buf key;
	struct buf token_key;
	struct buf former;
	struct buf field;
	struct buf owner;
	struct buf json;
	struct buf *seen; /* owned; of each device of a batch: its owner */
};

/* The owner as stored: "REGISTERED:USER", or empty. */
struct owner {
	int64_t registered_unix_ms;
	struct span user;
};

static struct span text_of(const struct buf *b)
{
	return (struct span){ b->data == NULL ? "" : b->data, b->len };
}

static struct span user_key(struct shared *s, struct span app, struct span user)
{
	return registry_key(&s->key, &s->users, app, user);
}

/* PREFIX DIGEST, and with an app only in a cluster: the digest knows it. */
static struct span owner_key(struct shared *s, const struct device *d)
{
	struct digest key = device_key(d);
	struct span name = { (const char *)key.bytes, DIGEST_BYTES };

	if (s->tokens.is_tagged) {
		return registry_key(&s->token_key, &s->tokens, d->app, name);
	}
	buf_reset(&s->token_key);
	buf_text(&s->token_key, s->tokens.prefix);
	buf_put(&s->token_key, name.ptr, name.len);
	return text_of(&s->token_key);
}

static struct span field_of(struct buf *b, const struct device *d)
{
	char lower[DEVICE_TOKEN_MAX_BYTES];
	struct span token = device_token(d, lower);

	buf_reset(b);
	buf_text(b, platform_name(d->platform));
	buf_putc(b, ':');
	buf_put(b, token.ptr, token.len);
	return text_of(b);
}

/* False when there is none, or nothing that we wrote. */
static bool owner_parse(struct span text, struct owner *out)
{
	const char *colon =
		text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
	char digits[24];
	size_t len = colon == NULL ? 0 : (size_t)(colon - text.ptr);

	if (len == 0 || len >= sizeof(digits)) {
		return false;
	}
	memcpy(digits, text.ptr, len);
	digits[len] = '\0';
	out->user = (struct span){ colon + 1, text.len - len - 1 };
	return num_parse(digits, 0, INT64_MAX, &out->registered_unix_ms) == 0;
}

/* --- putting --- */

enum put_state { PUT_TO_DO, PUT_ADDED, PUT_UPDATED, PUT_MOVED, PUT_TOO_OLD };

static int look_at_owners(struct shared *s, const struct device *list,
	const enum put_state *states, size_t count, struct err *err)
{
	const struct redis_reply *reply;

	for (size_t i = 0; i < count; i++) {
		if (states[i] == PUT_TO_DO) {
			redis_append(s->redis, 2,
				(struct span[]){ span_of("GET"),
					owner_key(s, list + i) });
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (states[i] == PUT_TO_DO) {
			struct span owner;

			if (redis_reply(s->redis, &reply, err) != 0) {
				return -1;
			}
			owner = redis_text(reply);
			buf_reset(s->seen + i);
			buf_put(s->seen + i, owner.ptr, owner.len);
		}
	}
	return 0;
}

/* Appends the call that registers one; what it will have been. */
static enum put_state append_put(
	struct shared *s, const struct device *d, struct span seen)
{
	struct owner owner = { .user = { NULL, 0 } };
	bool is_owned = owner_parse(seen, &owner);
	bool is_moved = is_owned && !span_equal(owner.user, d->user);

	if (is_owned && owner.registered_unix_ms > d->registered_unix_ms) {
		return PUT_TOO_OLD;
	}
	buf_reset(&s->owner);
	buf_i64(&s->owner, d->registered_unix_ms);
	buf_putc(&s->owner, ':');
	buf_put(&s->owner, d->user.ptr, d->user.len);
	buf_reset(&s->json);
	device_write(d, &s->json);
	redis_append_script(s->redis, &s->put, 3, 7,
		(struct span[]){
			owner_key(s, d),
			user_key(s, d->app, d->user),
			registry_key(&s->former, &s->users, d->app,
				is_moved ? owner.user : d->user),
			seen,
			text_of(&s->owner),
			field_of(&s->field, d),
			text_of(&s->json),
		});
	return is_moved ? PUT_MOVED : is_owned ? PUT_UPDATED : PUT_ADDED;
}

/* One look and one attempt for all that are to do; *left still are. */
static int put_round(struct shared *s, const struct device *list,
	enum put_state *states, size_t count, size_t *left, struct err *err)
{
	const struct redis_reply *reply;
	enum put_state *hoped = mem_array(count, sizeof(*hoped));
	int result = look_at_owners(s, list, states, count, err);

	*left = 0;
	for (size_t i = 0; result == 0 && i < count; i++) {
		if (states[i] == PUT_TO_DO) {
			hoped[i] =
				append_put(s, list + i, text_of(s->seen + i));
		}
	}
	for (size_t i = 0; result == 0 && i < count; i++) {
		if (states[i] != PUT_TO_DO) {
			continue;
		}
		if (hoped[i] != PUT_TOO_OLD) {
			result = redis_reply(s->redis, &reply, err);
			if (result != 0) {
				break;
			}
			if (redis_int(reply) == 0) {
				(*left)++;
				continue;
			}
			if (redis_int(reply) == 2 && hoped[i] == PUT_ADDED) {
				hoped[i] = PUT_UPDATED; /* twice in the batch */
			}
		}
		states[i] = hoped[i];
	}
	mem_free(hoped);
	return result;
}

static int shared_put(void *self, const struct device *list, size_t count,
	struct devices_counts *counts, struct err *err)
{
	struct shared *s = self;
	enum put_state *states = mem_array(count, sizeof(*states));
	size_t left = count;
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		result = registry_note_app(
			s->redis, &s->noted, list[i].app, err);
	}
	for (int round = 0; result == 0 && left > 0; round++) {
		result = round < ROUNDS_MAX
				 ? put_round(s, list, states, count, &left, err)
				 : err_set(err, 0,
					   "%s: devices keep changing owners",
					   redis_name(s->redis));
	}
	for (size_t i = 0; result == 0 && i < count; i++) {
		counts->added += states[i] == PUT_ADDED;
		counts->updated += states[i] == PUT_UPDATED;
		counts->moved += states[i] == PUT_MOVED;
		counts->too_old += states[i] == PUT_TOO_OLD;
	}
	mem_free(states);
	return result;
}

/* --- removing --- */

/* Removes a token if somebody (or just d->user) has it, registered before that
 * time; or, with `is_dry', only tells. */
static int drop_older(struct shared *s, const struct device *d,
	int64_t before_unix_ms, bool is_dry, size_t *removed, struct err *err)
{
	const struct redis_reply *reply;
	struct owner owner;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		if (redis_command(s->redis, &reply, 2,
			    (struct span[]){ span_of("GET"), owner_key(s, d) },
			    err) != 0) {
			return -1;
		}
		buf_reset(s->seen);
		buf_put(s->seen, redis_text(reply).ptr, redis_text(reply).len);
		if (!owner_parse(text_of(s->seen), &owner) ||
			owner.registered_unix_ms >= before_unix_ms ||
			(d->user.ptr != NULL &&
				!span_equal(owner.user, d->user))) {
			return 0;
		}
		if (is_dry) {
			*removed = 1;
			return 0;
		}
		redis_append_script(s->redis, &s->drop, 2, 4,
			(struct span[]){
				owner_key(s, d),
				user_key(s, d->app, owner.user),
				text_of(s->seen),
				field_of(&s->field, d),
			});
		if (redis_reply(s->redis, &reply, err) != 0) {
			return -1;
		}
		if (redis_int(reply) == 1) {
			(*removed)++;
			return 0;
		}
	}
	return err_set(err, 0, "%s: device keeps changing its owner",
		redis_name(s->redis));
}

static int drop(struct shared *s, const struct device *d, size_t *removed,
	struct err *err)
{
	return drop_older(s, d, INT64_MAX, false, removed, err);
}

static int shared_prune(void *self, const struct device *which,
	int64_t dead_unix_ms, bool is_dry, size_t *removed, struct err *err)
{
	return drop_older(self, which, dead_unix_ms, is_dry, removed, err);
}

/* "ios:TOKEN" to platform and token; false for what is not a field of ours. */
static bool field_parse(struct span field, struct device *d)
{
	for (int i = PLATFORM_IOS; i <= PLATFORM_ANDROID; i++) {
		const char *name = platform_name((enum platform)i);
		size_t len = strlen(name);

		if (field.len > len && memcmp(field.ptr, name, len) == 0 &&
			field.ptr[len] == ':') {
			d->platform = (enum platform)i;
			d->token = (struct span){ field.ptr + len + 1,
				field.len - len - 1 };
			return true;
		}
	}
	return false;
}

static int remove_user(struct shared *s, const struct device *which,
	size_t *removed, struct err *err)
{
	const struct redis_reply *reply;
	struct buf fields;
	size_t *ends;
	size_t count;
	int result = 0;

	if (redis_command(s->redis, &reply, 2,
		    (struct span[]){ span_of("HKEYS"),
			    user_key(s, which->app, which->user) },
		    err) != 0) {
		return -1;
	}
	count = redis_count(reply);
	ends = mem_array(count + 1, sizeof(*ends));
	buf_init(&fields, SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		struct span field = redis_text(redis_at(reply, i));

		buf_put(&fields, field.ptr, field.len);
		ends[i + 1] = fields.len;
	}
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct device d = *which;

		if (field_parse((struct span){ fields.data + ends[i],
					ends[i + 1] - ends[i] },
			    &d)) {
			result = drop(s, &d, removed, err);
		}
	}
	buf_release(&fields);
	mem_free(ends);
	return result;
}

static int shared_remove(void *self, const struct device *which,
	size_t *removed, struct err *err)
{
	return which->token.ptr != NULL
		       ? drop(self, which, removed, err)
		       : remove_user(self, which, removed, err);
}

/* --- finding --- */

static int find_some(struct shared *s, struct devices_query *queries,
	size_t count, struct devices_sink *sink, struct err *err)
{
	const struct redis_reply *reply;

	for (size_t i = 0; i < count; i++) {
		redis_append(s->redis, 2,
			(struct span[]){ span_of("HVALS"),
				user_key(s, queries[i].app, queries[i].user) });
	}
	for (size_t i = 0; i < count; i++) {
		if (redis_reply(s->redis, &reply, err) != 0) {
			return -1;
		}
		queries[i].first = sink->count;
		for (size_t k = 0; k < redis_count(reply); k++) {
			devices_sink_add(sink, redis_text(redis_at(reply, k)));
		}
		queries[i].count = sink->count - queries[i].first;
	}
	return 0;
}

/* All in one pipeline; in slices, so that neither side's buffers grow without
 * bounds. */
static int shared_find(void *self, struct devices_query *queries, size_t count,
	struct devices_sink *sink, struct err *err)
{
	for (size_t at = 0; at < count; at += FIND_PIPELINE) {
		size_t left = count - at;

		if (find_some(self, queries + at,
			    left < FIND_PIPELINE ? left : FIND_PIPELINE, sink,
			    err) != 0) {
			return -1;
		}
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

static void show(
	struct walk *w, struct span key, const struct redis_reply *list)
{
	struct span user;

	if (!registry_key_parse(key, &w->shared->users, &w->app, &user)) {
		return;
	}
	for (size_t i = 0; i < redis_count(list) && !w->is_stopped; i++) {
		buf_reset(&w->line);
		device_write_whole(text_of(&w->app), user,
			redis_text(redis_at(list, i)), &w->line);
		w->is_stopped = !w->cb(w->cb_self, text_of(&w->line));
	}
}

static int walk_on(void *self, const struct devices_sink *keys, struct err *err)
{
	struct walk *w = self;
	const struct redis_reply *reply;

	for (size_t i = 0; i < keys->count; i++) {
		redis_append(w->shared->redis, 2,
			(struct span[]){
				span_of("HVALS"), devices_sink_at(keys, i) });
	}
	for (size_t i = 0; i < keys->count; i++) {
		if (redis_reply(w->shared->redis, &reply, err) != 0) {
			return -1;
		}
		show(w, devices_sink_at(keys, i), reply);
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
	result = registry_walk(s->redis, &s->users, walk_on, &w, err);
	buf_release(&w.app);
	buf_release(&w.line);
	return result;
}

/* --- opening --- */

static void shared_close(void *self)
{
	struct shared *s = self;

	redis_close(s->redis);
	buf_release(&s->key);
	buf_release(&s->token_key);
	nameset_release(&s->noted);
	buf_release(&s->former);
	buf_release(&s->field);
	buf_release(&s->owner);
	buf_release(&s->json);
	for (size_t i = 0; i < DEVICES_BATCH_MAX; i++) {
		buf_release(s->seen + i);
	}
	mem_free(s->seen);
	mem_free(s);
}

const struct devices_backend *devices_redis_open(
	void **self, const char *url, struct err *err)
{
	static const struct devices_backend backend = {
		.put = shared_put,
		.remove = shared_remove,
		.prune = shared_prune,
		.find = shared_find,
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
	s->users = (struct registry_kind){ "push:u:", redis_is_cluster(redis) };
	s->tokens =
		(struct registry_kind){ "push:t:", redis_is_cluster(redis) };
	redis_script_init(&s->put, (struct span){ asset_device_put_lua,
					   asset_device_put_lua_len });
	redis_script_init(&s->drop, (struct span){ asset_device_drop_lua,
					    asset_device_drop_lua_len });
	buf_init(&s->key, SIZE_MAX);
	buf_init(&s->token_key, SIZE_MAX);
	buf_init(&s->former, SIZE_MAX);
	buf_init(&s->field, SIZE_MAX);
	buf_init(&s->owner, SIZE_MAX);
	buf_init(&s->json, SIZE_MAX);
	s->seen = mem_array(DEVICES_BATCH_MAX, sizeof(*s->seen));
	for (size_t i = 0; i < DEVICES_BATCH_MAX; i++) {
		buf_init(s->seen + i, SIZE_MAX);
	}
	*self = s;
	return &backend;
}
