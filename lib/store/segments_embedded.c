/*
 * Segments in an LMDB file.
 *
 * segments: digest of (app, segment), then digest of (app, user)
 *           → app, segment (pair.h), user
 * A segment's users lie next to each other, by the digest of their names.
 */
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "store/lmdb_walk.h"
#include "store/pair.h"
#include "store/segments_backend.h"

enum {
	VALUE_MAX_BYTES = 4096,
	STEP = 1000, /* entries removed a transaction */
};

struct embedded {
	struct lmdb *file; /* owned */
	struct buf value;
	struct buf keys;

	/* Of the call going on; borrowed. */
	const struct membership *list;
	size_t count;
	struct devices_sink *sink;
	uint64_t changed;
};

static struct pair_key key_of(const struct membership *m)
{
	struct digest segment = pair_digest(m->app, m->segment);
	struct digest user = pair_digest(m->app, m->user);

	return pair_key_of(segment.bytes, user.bytes);
}

static void put_work(void *self, struct lmdb_tx *tx)
{
	struct embedded *e = self;

	e->changed = 0;
	for (size_t i = 0; i < e->count && !lmdb_has_failed(tx); i++) {
		const struct membership *m = e->list + i;
		struct pair_key key = key_of(m);
		struct span at = pair_key_span(&key);
		struct span value;

		if (lmdb_get(tx, LMDB_SEGMENTS, at, &value)) {
			continue;
		}
		buf_reset(&e->value);
		pair_write(&e->value, m->app, m->segment);
		buf_put(&e->value, m->user.ptr, m->user.len);
		lmdb_put(tx, LMDB_SEGMENTS, at,
			(struct span){ e->value.data, e->value.len });
		e->changed++;
	}
}

static int embedded_put(void *self, const struct membership *list, size_t count,
	uint64_t *added, struct err *err)
{
	struct embedded *e = self;

	e->list = list;
	e->count = count;
	if (lmdb_transact(e->file, true, put_work, e, err) != 0) {
		return -1;
	}
	*added += e->changed;
	return 0;
}

static void remove_work(void *self, struct lmdb_tx *tx)
{
	struct embedded *e = self;
	struct pair_key from = key_of(e->list);
	size_t len = e->list->user.ptr != NULL ? PAIR_KEY_BYTES : DIGEST_BYTES;
	struct span key;
	struct span value;
	bool is = lmdb_first(tx, LMDB_SEGMENTS,
		(struct span){ from.bytes, len }, &key, &value);

	buf_reset(&e->keys);
	while (is && e->keys.len < STEP * PAIR_KEY_BYTES && key.len >= len &&
		memcmp(key.ptr, from.bytes, len) == 0) {
		buf_put(&e->keys, key.ptr, key.len);
		is = lmdb_next(tx, &key, &value);
	}
	e->changed = 0;
	for (size_t at = 0; at < e->keys.len; at += PAIR_KEY_BYTES) {
		(void)lmdb_delete(tx, LMDB_SEGMENTS,
			(struct span){ e->keys.data + at, PAIR_KEY_BYTES });
		e->changed++;
	}
}

static int embedded_remove(void *self, const struct membership *which,
	uint64_t *removed, struct err *err)
{
	struct embedded *e = self;

	e->list = which;
	do {
		if (lmdb_transact(e->file, true, remove_work, e, err) != 0) {
			return -1;
		}
		*removed += e->changed;
	} while (e->changed == STEP);
	return 0;
}

static void page_work(void *self, struct lmdb_tx *tx)
{
	struct embedded *e = self;
	struct pair_key from = key_of(e->list);
	bool is_begun = e->list->user.ptr != NULL;
	struct span key;
	struct span value;
	bool is = lmdb_first(tx, LMDB_SEGMENTS,
		(struct span){
			from.bytes, is_begun ? PAIR_KEY_BYTES : DIGEST_BYTES },
		&key, &value);

	devices_sink_reset(e->sink);
	for (; is && e->sink->count < e->count && pair_key_has(key, from.bytes);
		is = lmdb_next(tx, &key, &value)) {
		struct span app;
		struct span segment;
		struct span user;

		if (pair_parse(value, &app, &segment, &user) &&
			!(is_begun && memcmp(key.ptr, from.bytes,
					      PAIR_KEY_BYTES) == 0)) {
			devices_sink_add(e->sink, user);
		}
	}
}

static int embedded_page(void *self, const struct membership *after, size_t max,
	struct devices_sink *sink, struct err *err)
{
	struct embedded *e = self;

	e->list = after;
	e->count = max;
	e->sink = sink;
	return lmdb_transact(e->file, false, page_work, e, err);
}

static bool write_entry(struct span value, struct buf *line)
{
	struct membership m;

	if (!pair_parse(value, &m.app, &m.segment, &m.user)) {
		return false;
	}
	membership_write(&m, line);
	return true;
}

static int embedded_each(
	void *self, devices_cb *cb, void *cb_self, struct err *err)
{
	struct embedded *e = self;
	const struct lmdb_walk want = { LMDB_SEGMENTS, PAIR_KEY_BYTES,
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

const struct segments_backend *segments_embedded_open(
	void **self, const char *url, struct err *err)
{
	static const struct segments_backend backend = {
		.put = embedded_put,
		.remove = embedded_remove,
		.page = embedded_page,
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
