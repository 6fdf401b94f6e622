/* Values that run out, and the sweep that takes them away. */
#include "store/lmdb_state.h"

#include <string.h>

#include "store/pair.h"

enum { EXPIRY_BYTES = 8, SWEEP_PER_ASK = 3, SWEEP_AT_LEAST = 16 };

static struct span key_of(const struct digest *d)
{
	return (struct span){ (const char *)d->bytes, DIGEST_BYTES };
}

static int64_t expiry_of(struct span value)
{
	return value.len < EXPIRY_BYTES
		       ? 0
		       : (int64_t)pair_number_at(value.ptr, EXPIRY_BYTES);
}

void lmdb_state_init(struct lmdb_state *s, size_t max_bytes)
{
	*s = (struct lmdb_state){ .swept = { { 0 } } };
	buf_init(&s->value, max_bytes + EXPIRY_BYTES);
	buf_init(&s->gone, SIZE_MAX);
}

void lmdb_state_release(struct lmdb_state *s)
{
	buf_release(&s->value);
	buf_release(&s->gone);
}

bool lmdb_state_get(struct lmdb_tx *tx, const struct digest *key,
	int64_t now_unix_ms, struct span *kept, int64_t *expires_unix_ms)
{
	struct span value;

	if (!lmdb_get(tx, LMDB_STATE, key_of(key), &value) ||
		value.len <= EXPIRY_BYTES || expiry_of(value) <= now_unix_ms) {
		return false;
	}
	*expires_unix_ms = expiry_of(value);
	*kept = (struct span){ value.ptr + EXPIRY_BYTES,
		value.len - EXPIRY_BYTES };
	return true;
}

void lmdb_state_put(struct lmdb_state *s, struct lmdb_tx *tx,
	const struct digest *key, struct span kept, int64_t expires_unix_ms)
{
	buf_reset(&s->value);
	pair_put_number(&s->value, (uint64_t)expires_unix_ms, EXPIRY_BYTES);
	buf_put(&s->value, kept.ptr, kept.len);
	lmdb_put(tx, LMDB_STATE, key_of(key),
		(struct span){ s->value.data, s->value.len });
}

void lmdb_state_delete(struct lmdb_tx *tx, const struct digest *key)
{
	(void)lmdb_delete(tx, LMDB_STATE, key_of(key));
}

void lmdb_state_sweep(struct lmdb_state *s, struct lmdb_tx *tx, size_t asks,
	int64_t now_unix_ms)
{
	size_t steps = asks * SWEEP_PER_ASK + SWEEP_AT_LEAST;
	struct span key;
	struct span value;
	bool is = lmdb_first(tx, LMDB_STATE, key_of(&s->swept), &key, &value);

	buf_reset(&s->gone);
	while (is && steps-- > 0) {
		if (key.len == DIGEST_BYTES) {
			memcpy(s->swept.bytes, key.ptr, DIGEST_BYTES);
		}
		if (expiry_of(value) <= now_unix_ms) {
			buf_put(&s->gone, key.ptr, key.len);
		}
		is = lmdb_next(tx, &key, &value);
	}
	if (!is) {
		s->swept = (struct digest){ { 0 } }; /* from the start again */
	}
	for (size_t at = 0; at + DIGEST_BYTES <= s->gone.len;
		at += DIGEST_BYTES) {
		(void)lmdb_delete(tx, LMDB_STATE,
			(struct span){ s->gone.data + at, DIGEST_BYTES });
	}
}
