/*
 * State in this process: entries that lie one behind the other, found through an
 * open-addressing table of their numbers, with expiry.
 *
 * Memory that is touched for the first time costs more than all else that is done
 * here, so little of it is: entries never move to make room, and only the small
 * table is made anew when it grows.
 *
 * Keys are digests, so their first bytes are the hash.  Every exchange also
 * looks at twice as many entries as it has asks, in turn, and drops what has run
 * out: what is kept is alive and not much more.
 */
#include <string.h>

#include "base/mem.h"
#include "store/backend.h"

enum {
	REFS_AT_FIRST = 1024,
	REFS_GROWTH = 4,
	SWEEP_PER_ASK = 2,
	FEW_BYTES = 32, /* most of what is kept: no allocation of its own */
	FETCH_AHEAD = 8,
	/* Chunk k holds 2^(k + this) entries, all together as many as a number
	 * can count. */
	CHUNK_BITS = 10,
	CHUNKS_MAX = 32 - CHUNK_BITS,
};

struct entry {
	struct digest key;
	int64_t expires_unix_ms;
	uint32_t len;
	uint32_t cap; /* of `many'; 0: the bytes are in `few' */
	union {
		char few[FEW_BYTES];
		char *many; /* owned */
	};
};

/* A place in the table. */
struct ref {
	uint32_t hash;   /* of the key */
	uint32_t number; /* of the entry, from 1 on; 0: the place is free */
};

struct memory {
	struct ref *refs; /* owned; a power of two */
	size_t mask;
	struct entry *chunks[CHUNKS_MAX]; /* owned; NULL: not needed yet */
	size_t count;                     /* of entries */
	size_t many_count;                /* of those that own `many' */
	size_t swept;                     /* where the sweep goes on */
	struct store_cell cell;           /* the one being worked on */
};

/* --- entries --- */

static size_t chunk_entries(size_t chunk)
{
	return (size_t)1 << (chunk + CHUNK_BITS);
}

/* Where entry `n', from 0 on, lies: the place in *at. */
static size_t chunk_of(size_t n, size_t *at)
{
	unsigned long long past = n + chunk_entries(0);
	size_t chunk = 63 - (size_t)__builtin_clzll(past) - CHUNK_BITS;

	*at = (size_t)past - chunk_entries(chunk);
	return chunk;
}

static struct entry *entry_of(const struct memory *m, size_t n)
{
	size_t at;
	size_t chunk = chunk_of(n, &at);

	return m->chunks[chunk] + at;
}

/* A new one at the end, with its key. */
static struct entry *entry_add(struct memory *m, const struct digest *key)
{
	size_t at;
	size_t chunk = chunk_of(m->count, &at);
	struct entry *entry;

	if (chunk == CHUNKS_MAX) {
		BUG("%zu keys in memory", m->count);
	}
	if (m->chunks[chunk] == NULL) {
		m->chunks[chunk] =
			mem_table(chunk_entries(chunk), sizeof(*entry));
	}
	m->count++;
	entry = m->chunks[chunk] + at;
	entry->key = *key;
	entry->len = entry->cap = 0;
	return entry;
}

static const char *bytes_of(const struct entry *entry)
{
	return entry->cap > 0 ? entry->many : entry->few;
}

static void release(struct memory *m, struct entry *entry)
{
	if (entry->cap > 0) {
		mem_free(entry->many);
		m->many_count--;
	}
}

/* Room for `len' bytes, which are not kept. */
static char *room_in(struct memory *m, struct entry *entry, size_t len)
{
	if (len <= FEW_BYTES && entry->cap == 0) {
		return entry->few;
	}
	if (len > entry->cap) {
		/* What grows, such as a count, grows by little at a time. */
		size_t cap = len + len / 2;
		char *many = mem_alloc(cap);

		release(m, entry);
		m->many_count++;
		entry->many = many;
		entry->cap = (uint32_t)cap;
	}
	return entry->many;
}

/* --- finding them --- */

static uint32_t hash_of(const struct digest *key)
{
	uint32_t hash;

	memcpy(&hash, key->bytes, sizeof(hash));
	return hash;
}

/* The key's place, or the free one where it belongs. */
static size_t place_of(const struct memory *m, const struct digest *key)
{
	uint32_t hash = hash_of(key);
	size_t at = hash & m->mask;

	while (m->refs[at].number > 0 &&
		(m->refs[at].hash != hash ||
			memcmp(entry_of(m, m->refs[at].number - 1)->key.bytes,
				key->bytes, DIGEST_BYTES) != 0)) {
		at = (at + 1) & m->mask;
	}
	return at;
}

/* Frees a place and moves back what had been displaced past it. */
static void free_place(struct memory *m, size_t at)
{
	size_t next = at;

	for (;;) {
		size_t home;

		next = (next + 1) & m->mask;
		if (m->refs[next].number == 0) {
			break;
		}
		home = m->refs[next].hash & m->mask;
		if (((next - home) & m->mask) >= ((next - at) & m->mask)) {
			m->refs[at] = m->refs[next];
			at = next;
		}
	}
	m->refs[at].number = 0;
}

/* Drops the entry at a place; the last one takes its number. */
static void drop(struct memory *m, size_t at)
{
	uint32_t number = m->refs[at].number;
	struct entry *gone = entry_of(m, number - 1);
	struct entry *last = entry_of(m, m->count - 1);

	release(m, gone);
	if (gone != last) {
		m->refs[place_of(m, &last->key)].number = number;
		*gone = *last;
	}
	free_place(m, at);
	m->count--;
}

static void grow(struct memory *m)
{
	struct ref *old = m->refs;
	size_t count = m->mask + 1;

	m->refs = mem_table(count * REFS_GROWTH, sizeof(*m->refs));
	m->mask = count * REFS_GROWTH - 1;
	for (size_t i = 0; i < count; i++) {
		size_t at = old[i].hash & m->mask;

		if (old[i].number == 0) {
			continue;
		}
		while (m->refs[at].number > 0) {
			at = (at + 1) & m->mask;
		}
		m->refs[at] = old[i];
	}
	mem_table_free(old, count, sizeof(*old));
}

/* Keys lie all over the table: by the time one is due, its place and its entry
 * have come from memory. */
static void fetch(
	const struct memory *m, const struct store_ask *asks, size_t count)
{
	if (count > FETCH_AHEAD) {
		__builtin_prefetch(
			m->refs + (hash_of(&asks[FETCH_AHEAD].key) & m->mask));
	}
	if (count > FETCH_AHEAD / 2) {
		const struct ref *ref =
			m->refs +
			(hash_of(&asks[FETCH_AHEAD / 2].key) & m->mask);

		if (ref->number > 0) {
			__builtin_prefetch(entry_of(m, ref->number - 1));
		}
	}
}

/* --- the store --- */

static void sweep(struct memory *m, size_t steps, int64_t now_unix_ms)
{
	while (steps-- > 0 && m->count > 0) {
		const struct entry *entry;

		if (m->swept >= m->count) {
			m->swept = 0;
		}
		entry = entry_of(m, m->swept);
		if (entry->expires_unix_ms <= now_unix_ms) {
			/* And looks at what moved in. */
			drop(m, place_of(m, &entry->key));
		} else {
			m->swept++;
		}
	}
}

static void carry_out(struct memory *m, struct store_ask *ask)
{
	size_t at = place_of(m, &ask->key);
	struct ref *ref = m->refs + at;
	struct entry *entry =
		ref->number > 0 ? entry_of(m, ref->number - 1) : NULL;
	struct store_cell *cell = &m->cell;

	buf_reset(&cell->bytes);
	cell->is_changed = false;
	if (entry != NULL && entry->expires_unix_ms > ask->now_unix_ms) {
		buf_put(&cell->bytes, bytes_of(entry), entry->len);
		cell->expires_unix_ms = entry->expires_unix_ms;
	}
	ask->answer = store_apply(ask, cell);
	if (!cell->is_changed) {
		return;
	}
	if (cell->bytes.len == 0) {
		if (entry != NULL) {
			drop(m, at);
		}
		return;
	}
	if (entry == NULL) {
		entry = entry_add(m, &ask->key);
		*ref = (struct ref){ hash_of(&ask->key), (uint32_t)m->count };
	}
	memcpy(room_in(m, entry, cell->bytes.len), cell->bytes.data,
		cell->bytes.len);
	entry->len = (uint32_t)cell->bytes.len; /* below STORE_CELL_MAX_BYTES */
	entry->expires_unix_ms = cell->expires_unix_ms;
}

static int memory_exchange(
	void *self, struct store_ask *asks, size_t count, struct err *err)
{
	struct memory *m = self;

	(void)err; /* nothing can fail */
	for (size_t i = 0; i < count; i++) {
		if (m->count >= (m->mask + 1) / 4 * 3) {
			grow(m);
		}
		fetch(m, asks + i, count - i);
		carry_out(m, asks + i);
	}
	sweep(m, count * SWEEP_PER_ASK, asks[count - 1].now_unix_ms);
	return 0;
}

static void memory_close(void *self)
{
	struct memory *m = self;

	for (size_t i = 0; m->many_count > 0; i++) {
		release(m, entry_of(m, i));
	}
	for (size_t i = 0; i < CHUNKS_MAX; i++) {
		mem_table_free(
			m->chunks[i], chunk_entries(i), sizeof(*m->chunks[i]));
	}
	buf_release(&m->cell.bytes);
	mem_table_free(m->refs, m->mask + 1, sizeof(*m->refs));
	mem_free(m);
}

const struct store_backend *store_memory_open(void **self)
{
	static const struct store_backend backend = {
		.exchange = memory_exchange,
		.close = memory_close,
	};
	struct memory *m = mem_array(1, sizeof(*m));

	m->refs = mem_table(REFS_AT_FIRST, sizeof(*m->refs));
	m->mask = REFS_AT_FIRST - 1;
	buf_init(&m->cell.bytes, STORE_CELL_MAX_BYTES);
	*self = m;
	return &backend;
}
