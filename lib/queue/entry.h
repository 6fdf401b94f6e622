/*
 * The shape of an entry as it stands in redeliver, in delayed and partly in
 * flight; entry.lua describes it.
 */
#ifndef PUSH_QUEUE_ENTRY_H
#define PUSH_QUEUE_ENTRY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum { ENTRY_CLAIM_BYTES = 10 }; /* base36() in entry.lua */

/* Borrows from the text it was read from. */
struct entry {
	int64_t attempt;
	int64_t first_unix_ms; /* when it was claimed first */
	struct span uid;
	char origin;         /* 't', 'n', 'w' or 'd'; see entry.lua */
	struct span history; /* "-": none */
	struct span bytes;
};

/* 0, or -1 when the text has not this shape. */
int entry_parse(struct span text, struct entry *out) MUST_CHECK;

/* When the claim was made that a field of an in-flight hash begins with, in
 * Unix milliseconds by the clock of Redis; 0: it is no such field. */
int64_t entry_claim_unix_ms(struct span field);

/* Appends the history as JSON: [{"at_ms":..,"receipt":"..","why":".."},...]. */
void entry_put_history(struct buf *json, struct span history);

/* Appends `"raw":"..."', or raw_base64 for bytes that are not UTF-8. */
void entry_put_raw(struct buf *json, struct span bytes);

#endif
