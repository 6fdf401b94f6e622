/*
 * The table LMDB_STATE: what is kept for a while only, by the digest of its name.
 *
 * A value is the time it runs out (8 bytes, Unix milliseconds, big endian) and
 * what is kept.  Who writes also looks at the next few keys, round and round, and
 * deletes what has run out, so that the file stays about as large as what is
 * alive; LMDB uses freed pages again.
 */
#ifndef PUSH_STORE_LMDB_STATE_H
#define PUSH_STORE_LMDB_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "store/lmdb.h"

struct lmdb_state {
	struct buf value;
	struct buf gone;     /* keys that the sweep has found */
	struct digest swept; /* the sweep goes on behind this key */
};

/* `max_bytes': of what is kept under one key. */
void lmdb_state_init(struct lmdb_state *s, size_t max_bytes);
void lmdb_state_release(struct lmdb_state *s);

/* What is there and has not run out; borrowed until the next change. */
bool lmdb_state_get(struct lmdb_tx *tx, const struct digest *key,
	int64_t now_unix_ms, struct span *kept, int64_t *expires_unix_ms);

void lmdb_state_put(struct lmdb_state *s, struct lmdb_tx *tx,
	const struct digest *key, struct span kept, int64_t expires_unix_ms);
void lmdb_state_delete(struct lmdb_tx *tx, const struct digest *key);

/* A step of the sweep, for an exchange of so many asks. */
void lmdb_state_sweep(struct lmdb_state *s, struct lmdb_tx *tx, size_t asks,
	int64_t now_unix_ms);

#endif
