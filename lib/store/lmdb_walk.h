/*
 * Walks a whole table of an LMDB file in steps, so that no transaction is open
 * while the caller writes what it gets.
 */
#ifndef PUSH_STORE_LMDB_WALK_H
#define PUSH_STORE_LMDB_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/devices.h"
#include "store/lmdb.h"

struct lmdb_walk {
	enum lmdb_table table;
	size_t key_bytes; /* of every key */
	/* Appends the entry's line, in which there is no newline; false, with
	 * nothing appended, for an entry that is not ours. */
	bool (*write)(struct span value, struct buf *line);
	devices_cb *cb;
	void *self; /* of cb() */
};

/* Changes made meanwhile may be seen or not. */
int lmdb_walk(struct lmdb *file, const struct lmdb_walk *want,
	struct err *err) MUST_CHECK;

#endif
