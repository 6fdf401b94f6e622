/* Steps through a table; each begins behind the last key of the one before. */
#include "store/lmdb_walk.h"

#include <string.h>

enum { STEP = 1000, KEY_MAX_BYTES = 64 };

struct walk {
	const struct lmdb_walk *want;
	char from[KEY_MAX_BYTES];
	char last[KEY_MAX_BYTES]; /* of this step */
	bool is_begun;
	bool is_over;
	struct buf lines; /* of this step, each with its newline */
	size_t count;
};

static void work(void *self, struct lmdb_tx *tx)
{
	struct walk *w = self;
	size_t bytes = w->want->key_bytes;
	struct span key;
	struct span value;
	bool is = lmdb_first(tx, w->want->table,
		(struct span){ w->from, w->is_begun ? bytes : 0 }, &key,
		&value);

	memcpy(w->last, w->from, bytes);
	buf_reset(&w->lines);
	w->count = 0;
	for (; is && w->count < STEP; is = lmdb_next(tx, &key, &value)) {
		if (key.len != bytes ||
			(w->is_begun && memcmp(key.ptr, w->from, bytes) == 0) ||
			!w->want->write(value, &w->lines)) {
			continue;
		}
		memcpy(w->last, key.ptr, bytes);
		buf_putc(&w->lines, '\n');
		w->count++;
	}
	w->is_over = !is;
}

static bool show(struct walk *w)
{
	const char *at = buf_string(&w->lines);

	for (size_t i = 0; i < w->count; i++) {
		const char *end = strchr(at, '\n');
		struct span line = { at, (size_t)(end - at) };

		if (!w->want->cb(w->want->self, line)) {
			return false;
		}
		at = end + 1;
	}
	return true;
}

int lmdb_walk(struct lmdb *file, const struct lmdb_walk *want, struct err *err)
{
	struct walk w = { .want = want };
	int result;

	if (want->key_bytes > KEY_MAX_BYTES) {
		BUG("keys of %zu bytes", want->key_bytes);
	}
	buf_init(&w.lines, SIZE_MAX);
	do {
		result = lmdb_transact(file, false, work, &w, err);
		memcpy(w.from, w.last, want->key_bytes);
		w.is_begun = true;
	} while (result == 0 && show(&w) && !w.is_over);
	buf_release(&w.lines);
	return result;
}
