/* State of dedupe and fatigue in an LMDB file: one transaction an exchange. */
#include "base/mem.h"
#include "store/backend.h"
#include "store/lmdb_state.h"

struct embedded {
	struct lmdb *file; /* owned */
	struct lmdb_state state;
	struct store_cell cell;
	struct store_ask *asks; /* of the exchange going on; borrowed */
	size_t count;
};

static void carry_out(
	struct embedded *e, struct lmdb_tx *tx, struct store_ask *ask)
{
	struct store_cell *cell = &e->cell;
	struct span kept;

	buf_reset(&cell->bytes);
	cell->is_changed = false;
	if (lmdb_state_get(tx, &ask->key, ask->now_unix_ms, &kept,
		    &cell->expires_unix_ms)) {
		buf_put(&cell->bytes, kept.ptr, kept.len);
	}
	ask->answer = store_apply(ask, cell);
	if (!cell->is_changed) {
		return;
	}
	if (cell->bytes.len == 0) {
		lmdb_state_delete(tx, &ask->key);
		return;
	}
	lmdb_state_put(&e->state, tx, &ask->key,
		(struct span){ cell->bytes.data, cell->bytes.len },
		cell->expires_unix_ms);
}

static void work(void *self, struct lmdb_tx *tx)
{
	struct embedded *e = self;

	for (size_t i = 0; i < e->count && !lmdb_has_failed(tx); i++) {
		carry_out(e, tx, e->asks + i);
	}
	lmdb_state_sweep(
		&e->state, tx, e->count, e->asks[e->count - 1].now_unix_ms);
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
	lmdb_state_release(&e->state);
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
	lmdb_state_init(&e->state, STORE_CELL_MAX_BYTES);
	*self = e;
	return &backend;
}
