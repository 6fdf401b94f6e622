/*
 * The registry in an LMDB file.
 *
 * devices: digest of (app, user), then digest of (app, platform, token)
 *          → length of app, length of user (2 bytes each), app, user, JSON
 * owners:  digest of (app, platform, token)
 *          → registered (8 bytes, Unix ms), digest of (app, user)
 * All numbers big endian.  A user's devices lie next to each other.
 */
#include <string.h>

#include "base/mem.h"
#include "store/devices_backend.h"
#include "store/lmdb_walk.h"
#include "store/pair.h"

enum {
	OWNER_BYTES = 8 + DIGEST_BYTES,
	VALUE_MAX_BYTES = 64 * 1024,
};

struct embedded {
	struct lmdb *file; /* owned */
	struct buf value;
	struct buf keys;

	/* Of the call going on; borrowed. */
	const struct device *list;
	size_t count;
	struct devices_counts counts;
	struct devices_query *queries;
	struct devices_sink *sink;
	size_t removed;
	int64_t before_unix_ms; /* only registrations older than this */
	bool is_dry;
};

static struct span span_of_digest(const struct digest *d)
{
	return (struct span){ (const char *)d->bytes, DIGEST_BYTES };
}

/* --- putting --- */

static void put_one(
	struct embedded *e, struct lmdb_tx *tx, const struct device *d)
{
	struct digest user = pair_digest(d->app, d->user);
	struct digest token = device_key(d);
	struct pair_key key = pair_key_of(user.bytes, token.bytes);
	struct span owner;

	if (lmdb_get(tx, LMDB_OWNERS, span_of_digest(&token), &owner) &&
		owner.len == OWNER_BYTES) {
		bool is_moved =
			memcmp(owner.ptr + 8, user.bytes, DIGEST_BYTES) != 0;

		if ((int64_t)pair_number_at(owner.ptr, 8) >
			d->registered_unix_ms) {
			e->counts.too_old++;
			return;
		}
		if (is_moved) {
			struct pair_key former =
				pair_key_of(owner.ptr + 8, token.bytes);

			(void)lmdb_delete(
				tx, LMDB_DEVICES, pair_key_span(&former));
		}
		e->counts.moved += is_moved;
		e->counts.updated += !is_moved;
	} else {
		e->counts.added++;
	}
	buf_reset(&e->value);
	pair_write(&e->value, d->app, d->user);
	device_write(d, &e->value);
	lmdb_put(tx, LMDB_DEVICES, pair_key_span(&key),
		(struct span){ e->value.data, e->value.len });
	buf_reset(&e->value);
	pair_put_number(&e->value, (uint64_t)d->registered_unix_ms, 8);
	buf_put(&e->value, user.bytes, DIGEST_BYTES);
	lmdb_put(tx, LMDB_OWNERS, span_of_digest(&token),
		(struct span){ e->value.data, e->value.len });
}

static void put_work(void *self, struct lmdb_tx *tx)
{
	struct embedded *e = self;

	e->counts = (struct devices_counts){ 0 };
	for (size_t i = 0; i < e->count && !lmdb_has_failed(tx); i++) {
		put_one(e, tx, e->list + i);
	}
}

static int embedded_put(void *self, const struct device *list, size_t count,
	struct devices_counts *counts, struct err *err)
{
	struct embedded *e = self;

	e->list = list;
	e->count = count;
	if (lmdb_transact(e->file, true, put_work, e, err) != 0) {
		return -1;
	}
	counts->added += e->counts.added;
	counts->updated += e->counts.updated;
	counts->moved += e->counts.moved;
	counts->too_old += e->counts.too_old;
	return 0;
}

/* --- removing --- */

static void remove_token(struct embedded *e, struct lmdb_tx *tx)
{
	const struct device *d = e->list;
	struct digest token = device_key(d);
	struct digest user = pair_digest(d->app, d->user);
	struct span owner;
	struct pair_key key;

	if (!lmdb_get(tx, LMDB_OWNERS, span_of_digest(&token), &owner) ||
		owner.len != OWNER_BYTES ||
		(int64_t)pair_number_at(owner.ptr, 8) >= e->before_unix_ms ||
		(d->user.ptr != NULL &&
			memcmp(owner.ptr + 8, user.bytes, DIGEST_BYTES) != 0)) {
		return;
	}
	e->removed++;
	if (e->is_dry) {
		return;
	}
	key = pair_key_of(owner.ptr + 8, token.bytes);
	(void)lmdb_delete(tx, LMDB_DEVICES, pair_key_span(&key));
	(void)lmdb_delete(tx, LMDB_OWNERS, span_of_digest(&token));
}

static void remove_user(struct embedded *e, struct lmdb_tx *tx)
{
	struct digest user = pair_digest(e->list->app, e->list->user);
	struct span key;
	struct span value;

	buf_reset(&e->keys);
	for (bool is = lmdb_first(
		     tx, LMDB_DEVICES, span_of_digest(&user), &key, &value);
		is && pair_key_has(key, user.bytes);
		is = lmdb_next(tx, &key, &value)) {
		buf_put(&e->keys, key.ptr, key.len);
	}
	for (size_t at = 0; at < e->keys.len; at += PAIR_KEY_BYTES) {
		const char *bytes = e->keys.data + at;

		(void)lmdb_delete(tx, LMDB_DEVICES,
			(struct span){ bytes, PAIR_KEY_BYTES });
		(void)lmdb_delete(tx, LMDB_OWNERS,
			(struct span){ bytes + DIGEST_BYTES, DIGEST_BYTES });
		e->removed++;
	}
}

static void remove_work(void *self, struct lmdb_tx *tx)
{
	struct embedded *e = self;

	e->removed = 0;
	if (e->list->token.ptr != NULL) {
		remove_token(e, tx);
	} else {
		remove_user(e, tx);
	}
}

static int embedded_remove(void *self, const struct device *which,
	size_t *removed, struct err *err)
{
	struct embedded *e = self;

	e->list = which;
	e->before_unix_ms = INT64_MAX;
	e->is_dry = false;
	if (lmdb_transact(e->file, true, remove_work, e, err) != 0) {
		return -1;
	}
	*removed = e->removed;
	return 0;
}

static int embedded_prune(void *self, const struct device *which,
	int64_t dead_unix_ms, bool is_dry, size_t *removed, struct err *err)
{
	struct embedded *e = self;

	e->list = which;
	e->before_unix_ms = dead_unix_ms;
	e->is_dry = is_dry;
	if (lmdb_transact(e->file, !is_dry, remove_work, e, err) != 0) {
		return -1;
	}
	*removed = e->removed;
	return 0;
}

/* --- finding --- */

static void find_one(
	struct embedded *e, struct lmdb_tx *tx, struct devices_query *q)
{
	struct digest user = pair_digest(q->app, q->user);
	struct span key;
	struct span value;
	struct span app;
	struct span name;
	struct span json;

	q->first = e->sink->count;
	for (bool is = lmdb_first(
		     tx, LMDB_DEVICES, span_of_digest(&user), &key, &value);
		is && pair_key_has(key, user.bytes);
		is = lmdb_next(tx, &key, &value)) {
		if (pair_parse(value, &app, &name, &json)) {
			devices_sink_add(e->sink, json);
		}
	}
	q->count = e->sink->count - q->first;
}

static void find_work(void *self, struct lmdb_tx *tx)
{
	struct embedded *e = self;

	devices_sink_reset(e->sink);
	for (size_t i = 0; i < e->count && !lmdb_has_failed(tx); i++) {
		find_one(e, tx, e->queries + i);
	}
}

static int embedded_find(void *self, struct devices_query *queries,
	size_t count, struct devices_sink *sink, struct err *err)
{
	struct embedded *e = self;

	e->queries = queries;
	e->count = count;
	e->sink = sink;
	return lmdb_transact(e->file, false, find_work, e, err);
}

/* --- walking --- */

static bool write_entry(struct span value, struct buf *line)
{
	struct span app;
	struct span user;
	struct span json;

	if (!pair_parse(value, &app, &user, &json)) {
		return false;
	}
	device_write_whole(app, user, json, line);
	return true;
}

static int embedded_each(
	void *self, devices_cb *cb, void *cb_self, struct err *err)
{
	struct embedded *e = self;
	const struct lmdb_walk want = { LMDB_DEVICES, PAIR_KEY_BYTES,
		write_entry, cb, cb_self };

	return lmdb_walk(e->file, &want, err);
}

static void embedded_close(void *self)
{
	struct embedded *e = self;

	lmdb_close(e->file);
	buf_release(&e->value);
	buf_release(&e->keys);
	mem_free(e);
}

const struct devices_backend *devices_embedded_open(
	void **self, const char *url, struct err *err)
{
	static const struct devices_backend backend = {
		.put = embedded_put,
		.remove = embedded_remove,
		.prune = embedded_prune,
		.find = embedded_find,
		.each = embedded_each,
		.close = embedded_close,
	};
	struct embedded *e;
	struct lmdb *file;

	if (lmdb_open(&file, url, err) != 0) {
		return NULL;
	}
	e = mem_array(1, sizeof(*e));
	e->file = file;
	buf_init(&e->value, VALUE_MAX_BYTES);
	buf_init(&e->keys, SIZE_MAX);
	*self = e;
	return &backend;
}
