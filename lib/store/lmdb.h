/*
 * One LMDB file: transactions, its growth, and sharing it.
 *
 * The file lmdb:PATH holds several tables.  Any number of processes of one
 * machine may use it at once; a process may open it any number of times (LMDB
 * itself allows once).  Killing a process at any instant leaves the file whole.
 *
 * URL: lmdb:PATH[?sync=meta|full|none][&map=BYTES]
 *   sync  meta (default): a commit is on the disk but for its last page: after
 *         a power cut the last transactions may be missing, the file is whole.
 *         full: they are there.  none: a power cut may break the file.
 *   map   how large the file may be at first (64M); it grows as needed.
 */
#ifndef PUSH_STORE_LMDB_H
#define PUSH_STORE_LMDB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

struct lmdb;
struct lmdb_tx; /* a running transaction */

enum lmdb_table {
	LMDB_STATE,    /* dedupe and fatigue, by key digest */
	LMDB_DEVICES,  /* by user digest and token digest */
	LMDB_OWNERS,   /* the user that a token belongs to */
	LMDB_SEGMENTS, /* by segment digest and user digest */
	LMDB_TABLES
};

/* A usage failure for a wrong URL, a folder that is not there or a file that is
 * something else. */
int lmdb_open(struct lmdb **out, const char *url, struct err *err) MUST_CHECK;
/* The same without opening, as far as it can be told then. */
int lmdb_check(const char *url, struct err *err) MUST_CHECK;
void lmdb_close(struct lmdb *l); /* accepts NULL */

/*
 * Runs `work' in one transaction and commits.  Should the file be full it grows
 * and `work' runs again from its beginning, so it must not change anything of
 * its own that it cannot change twice.  -1: nothing was changed.
 */
typedef void lmdb_work(void *self, struct lmdb_tx *tx);
int lmdb_transact(struct lmdb *l, bool is_write, lmdb_work *work, void *self,
	struct err *err) MUST_CHECK;

/* --- inside of work; after a failure all of these do nothing --- */

/* True when the transaction has failed: work may as well return. */
bool lmdb_has_failed(const struct lmdb_tx *tx);

/* True and the value, which lives until the next change in this transaction. */
bool lmdb_get(struct lmdb_tx *tx, enum lmdb_table table, struct span key,
	struct span *value);
void lmdb_put(struct lmdb_tx *tx, enum lmdb_table table, struct span key,
	struct span value);
/* False when it was not there. */
bool lmdb_delete(struct lmdb_tx *tx, enum lmdb_table table, struct span key);

/*
 * Walks a table in the order of its keys, from the first that is not below
 * `from':
 *   for (is = lmdb_first(tx, table, from, &key, &value); is;
 *        is = lmdb_next(tx, &key, &value))
 * Nothing may be changed on the way.
 */
bool lmdb_first(struct lmdb_tx *tx, enum lmdb_table table, struct span from,
	struct span *key, struct span *value);
bool lmdb_next(struct lmdb_tx *tx, struct span *key, struct span *value);

#endif
