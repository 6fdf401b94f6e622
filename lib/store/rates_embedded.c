/*
 * A bucket is one number, the microsecond at which it is full again (8 bytes,
 * big endian); it runs out then, since a full bucket is as good as a new one.
 */
#include "store/rates_embedded.h"

#include "base/mem.h"
#include "store/lmdb_state.h"
#include "store/pair.h"

enum { BUCKET_BYTES = 8, US_PER_MS = 1000 };

struct rates_embedded {
	struct lmdb *file; /* owned */
	struct lmdb_state state;
	struct buf bucket;
	struct rate_ask *asks; /* of the exchange going on; borrowed */
	size_t count;
};

static void take(
	struct rates_embedded *e, struct lmdb_tx *tx, struct rate_ask *ask)
{
	/* Dedupe and fatigue have keys in this table, too. */
	struct digest_part parts[] = { { "rate", 4 },
		{ ask->key.ptr, ask->key.len } };
	struct digest key = digest_of_parts(parts, 2);
	int64_t now_unix_ms = ask->now_unix_us / US_PER_MS;
	int64_t expires_unix_ms;
	struct span kept;
	double full_us = 0;

	if (lmdb_state_get(tx, &key, now_unix_ms, &kept, &expires_unix_ms) &&
		kept.len == BUCKET_BYTES) {
		full_us = (double)pair_number_at(kept.ptr, BUCKET_BYTES);
	}
	rate_take(ask, &full_us);
	if (ask->wait_ms < 0) {
		return; /* nothing was taken */
	}
	buf_reset(&e->bucket);
	pair_put_number(&e->bucket, (uint64_t)full_us, BUCKET_BYTES);
	lmdb_state_put(&e->state, tx, &key,
		(struct span){ e->bucket.data, e->bucket.len },
		(int64_t)(full_us / US_PER_MS) + 1);
}

static void work(void *self, struct lmdb_tx *tx)
{
	struct rates_embedded *e = self;

	for (size_t i = 0; i < e->count && !lmdb_has_failed(tx); i++) {
		take(e, tx, e->asks + i);
	}
	lmdb_state_sweep(&e->state, tx, e->count,
		e->asks[e->count - 1].now_unix_us / US_PER_MS);
}

int rates_embedded_exchange(struct rates_embedded *e, struct rate_ask *asks,
	size_t count, struct err *err)
{
	e->asks = asks;
	e->count = count;
	return count == 0 ? 0 : lmdb_transact(e->file, true, work, e, err);
}

int rates_embedded_open(
	struct rates_embedded **out, const char *url, struct err *err)
{
	struct lmdb *file;

	if (lmdb_open(&file, url, err) != 0) {
		return -1;
	}
	*out = mem_array(1, sizeof(**out));
	(*out)->file = file;
	lmdb_state_init(&(*out)->state, BUCKET_BYTES);
	buf_init(&(*out)->bucket, BUCKET_BYTES);
	return 0;
}

void rates_embedded_close(struct rates_embedded *e)
{
	if (e != NULL) {
		lmdb_close(e->file);
		lmdb_state_release(&e->state);
		buf_release(&e->bucket);
		mem_free(e);
	}
}
