/*
 * State in an LMDB file: one transaction an exchange.
 *
 * A value is the time it runs out (8 bytes, Unix milliseconds, big endian)
 * and the cell's bytes.  Every exchange also looks at the next few keys, round
 * and round, and deletes what has run out, so that the file stays about as large
 * as what is alive; LMDB uses freed pages again.
 */
#include <string.h>

#include "base/mem.h"
#include "store/backend.h"
#include "store/lmdb.h"

enum { EXPIRY_BYTES = 8, SWEEP_PER_ASK = 3, SWEEP_AT_LEAST = 16 };

struct embedded {
	struct lmdb *file; /* owned */
	struct store_cell cell;
	struct buf value;
	struct buf gone;        /* keys that the sweep has found */
	struct digest swept;    /* the sweep goes on behind this key */
	struct store_ask *asks; /* of the exchange going on; borrowed */
	size_t count;
};

static struct span key_of(const struct digest *d)
{
	return (struct span){ (const char *)d->bytes, DIGEST_BYTES };
}

static void put_expiry(struct buf *b, int64_t unix_ms)
{
	for (int shift = 56; shift >= 0; shift -= 8) {
		buf_putc(b, (char)((uint64_t)unix_ms >> shift & 0xff));
	}
}

static int64_t expiry_of(struct span value)
{
	uint64_t n = 0;

	for (size_t i = 0; i < EXPIRY_BYTES && i < value.len; i++) {
		n = n << 8 | (unsigned char)value.ptr[i];
	}
	return (int64_t)n;
}

static void carry_out(
	struct embedded *e, struct lmdb_tx *tx, struct store_ask *ask)
{
	struct store_cell *cell = &e->cell;
	struct span value;

	buf_reset(&cell->bytes);
	cell->is_changed = false;
	if (lmdb_get(tx, LMDB_STATE, key_of(&ask->key), &value) &&
		value.len > EXPIRY_BYTES &&
		expiry_of(value) > ask->now_unix_ms) {
		cell->expires_unix_ms = expiry_of(value);
		buf_put(&cell->bytes, value.ptr + EXPIRY_BYTES,
			value.len - EXPIRY_BYTES);
	}
	ask->answer = store_apply(ask, cell);
	if (!cell->is_changed) {
		return;
	}
	if (cell->bytes.len == 0) {
		(void)lmdb_delete(tx, LMDB_STATE, key_of(&ask->key));
		return;
	}
	buf_reset(&e->value);
	put_expiry(&e->value, cell->expires_unix_ms);
	buf_put(&e->value, cell->bytes.data, cell->bytes.len);
	lmdb_put(tx, LMDB_STATE, key_of(&ask->key),
		(struct span){ e->value.data, e->value.len });
}

static void sweep(struct embedded *e, struct lmdb_tx *tx, int64_t now_unix_ms)
{
	size_t steps = e->count * SWEEP_PER_ASK + SWEEP_AT_LEAST;
	struct span key;
	struct span value;
	bool is = lmdb_first(tx, LMDB_STATE, key_of(&e->swept), &key, &value);

	buf_reset(&e->gone);
	while (is && steps-- > 0) {
		if (key.len == DIGEST_BYTES) {
			memcpy(e->swept.bytes, key.ptr, DIGEST_BYTES);
		}
		if (expiry_of(value) <= now_unix_ms) {
			buf_put(&e->gone, key.ptr, key.len);
		}
		is = lmdb_next(tx, &key, &value);
	}
	if (!is) {
		e->swept = (struct digest){ { 0 } }; /* from the start again */
	}
	for (size_t at = 0; at + DIGEST_BYTES <= e->gone.len;
		at += DIGEST_BYTES) {
		(void)lmdb_delete(tx, LMDB_STATE,
			(struct span){ e->gone.data + at, DIGEST_BYTES });
	}
}

static void work(void *self, struct lmdb_tx *tx)
{
	struct embedded *e = self;

	for (size_t i = 0; i < e->count && !lmdb_has_failed(tx); i++) {
		carry_out(e, tx, e->asks + i);
	}
	sweep(e, tx, e->asks[e->count - 1].now_unix_ms);
}

static int embedded_exchange(
	void *self, struct store_ask *asks, size_t count, struct err *err)
{
	struct embedded *e = self;

	e->asks = asks;
	e->count = count;
	return lmdb_transact(e->file, true, work, e, err);
}

static void embedded_close(void *self)
{
	struct embedded *e = self;

	lmdb_close(e->file);
	buf_release(&e->cell.bytes);
	buf_release(&e->value);
	buf_release(&e->gone);
	mem_free(e);
}

const struct store_backend *store_embedded_open(
	void **self, const char *url, struct err *err)
{
	static const struct store_backend backend = {
		.exchange = embedded_exchange,
		.close = embedded_close,
	};
	struct embedded *e;
	struct lmdb *file;

	if (lmdb_open(&file, url, err) != 0) {
		return NULL;
	}
	e = mem_array(1, sizeof(*e));
	e->file = file;
	buf_init(&e->cell.bytes, STORE_CELL_MAX_BYTES);
	buf_init(&e->value, STORE_CELL_MAX_BYTES + EXPIRY_BYTES);
	buf_init(&e->gone, SIZE_MAX);
	*self = e;
	return &backend;
}
