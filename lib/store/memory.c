/*
 * State in this process: an open-addressing table with expiry.
 *
 * Keys are digests, so their first bytes are the hash.  Every exchange also
 * looks at twice as many slots as it has asks, in turn, and drops what has run
 * out: the table holds what is alive and not much more.
 */
#include <string.h>

#include "base/mem.h"
#include "store/backend.h"

enum {
	SLOTS_AT_FIRST = 1024,
	SWEEP_PER_ASK = 2,
	FEW_BYTES = 32, /* most of what is kept: no allocation of its own */
	FETCH_AHEAD = 8,
};

struct slot {
	struct digest key;
	int64_t expires_unix_ms;
	uint32_t len; /* 0: the slot is free */
	uint32_t cap; /* of `many'; 0: the bytes are in `few' */
	union {
		char few[FEW_BYTES];
		char *many; /* owned */
	};
};

struct memory {
	struct slot *slots; /* owned; a power of two */
	size_t mask;
	size_t used;
	size_t swept;           /* where the sweep goes on */
	struct store_cell cell; /* the one being worked on */
};

static size_t home_of(const struct memory *m, const struct digest *key)
{
	uint64_t hash;

	memcpy(&hash, key->bytes, sizeof(hash));
	return (size_t)hash & m->mask;
}

/* The key's slot, or the free one where it belongs. */
static size_t slot_of(const struct memory *m, const struct digest *key)
{
	size_t at = home_of(m, key);

	while (m->slots[at].len > 0 &&
		memcmp(m->slots[at].key.bytes, key->bytes, DIGEST_BYTES) != 0) {
		at = (at + 1) & m->mask;
	}
	return at;
}

static const char *bytes_of(const struct slot *slot)
{
	return slot->cap > 0 ? slot->many : slot->few;
}

static void release(struct slot *slot)
{
	if (slot->cap > 0) {
		mem_free(slot->many);
	}
	*slot = (struct slot){ .len = 0 };
}

/* Frees a slot and moves back what had been displaced past it. */
static void drop(struct memory *m, size_t at)
{
	size_t next = at;

	release(m->slots + at);
	m->used--;
	for (;;) {
		size_t home;

		next = (next + 1) & m->mask;
		if (m->slots[next].len == 0) {
			break;
		}
		home = home_of(m, &m->slots[next].key);
		if (((next - home) & m->mask) >= ((next - at) & m->mask)) {
			m->slots[at] = m->slots[next];
			at = next;
		}
	}
	m->slots[at] = (struct slot){ .len = 0 };
}

/* Keys lie all over the table: by the time one is due, its slot has come from
 * memory. */
static void fetch(const struct memory *m, const struct digest *key)
{
	const struct slot *slot = m->slots + home_of(m, key);

	__builtin_prefetch(slot);
	__builtin_prefetch((const char *)(slot + 1) - 1);
}

static void grow(struct memory *m)
{
	struct slot *old = m->slots;
	size_t count = m->mask + 1;

	m->slots = mem_array(count * 2, sizeof(*m->slots));
	m->mask = count * 2 - 1;
	m->swept = 0;
	for (size_t i = 0; i < count; i++) {
		if (i + FETCH_AHEAD < count) {
			fetch(m, &old[i + FETCH_AHEAD].key);
		}
		if (old[i].len > 0) {
			m->slots[slot_of(m, &old[i].key)] = old[i];
		}
	}
	mem_free(old);
}

static void sweep(struct memory *m, size_t steps, int64_t now_unix_ms)
{
	while (steps-- > 0) {
		const struct slot *slot = m->slots + m->swept;

		if (slot->len > 0 && slot->expires_unix_ms <= now_unix_ms) {
			drop(m, m->swept); /* and look at what moved in */
		} else {
			m->swept = (m->swept + 1) & m->mask;
		}
	}
}

/* Room for `len' bytes, which are not kept. */
static char *room_in(struct slot *slot, size_t len)
{
	if (len <= FEW_BYTES && slot->cap == 0) {
		return slot->few;
	}
	if (len > slot->cap) {
		/* What grows, such as a count, grows by little at a time. */
		size_t cap = len + len / 2;
		char *many = mem_alloc(cap);

		if (slot->cap > 0) {
			mem_free(slot->many);
		}
		slot->many = many;
		slot->cap = (uint32_t)cap;
	}
	return slot->many;
}

static void put(struct memory *m, struct slot *slot, const struct digest *key,
	const struct store_cell *cell)
{
	m->used += slot->len == 0;
	memcpy(room_in(slot, cell->bytes.len), cell->bytes.data,
		cell->bytes.len);
	slot->len = (uint32_t)cell->bytes.len; /* below STORE_CELL_MAX_BYTES */
	slot->key = *key;
	slot->expires_unix_ms = cell->expires_unix_ms;
}

static void carry_out(struct memory *m, struct store_ask *ask)
{
	size_t at = slot_of(m, &ask->key);
	struct slot *slot = m->slots + at;
	struct store_cell *cell = &m->cell;

	buf_reset(&cell->bytes);
	cell->is_changed = false;
	if (slot->len > 0 && slot->expires_unix_ms > ask->now_unix_ms) {
		buf_put(&cell->bytes, bytes_of(slot), slot->len);
		cell->expires_unix_ms = slot->expires_unix_ms;
	}
	ask->answer = store_apply(ask, cell);
	if (cell->is_changed && cell->bytes.len > 0) {
		put(m, slot, &ask->key, cell);
	} else if (cell->is_changed && slot->len > 0) {
		drop(m, at);
	}
}

static int memory_exchange(
	void *self, struct store_ask *asks, size_t count, struct err *err)
{
	struct memory *m = self;

	(void)err; /* nothing can fail */
	for (size_t i = 0; i < count; i++) {
		if (m->used >= (m->mask + 1) / 4 * 3) {
			grow(m);
		}
		if (i + FETCH_AHEAD < count) {
			fetch(m, &asks[i + FETCH_AHEAD].key);
		}
		carry_out(m, asks + i);
	}
	sweep(m, count * SWEEP_PER_ASK, asks[count - 1].now_unix_ms);
	return 0;
}

static void memory_close(void *self)
{
	struct memory *m = self;

	for (size_t i = 0; i <= m->mask; i++) {
		release(m->slots + i);
	}
	buf_release(&m->cell.bytes);
	mem_free(m->slots);
	mem_free(m);
}

const struct store_backend *store_memory_open(void **self)
{
	static const struct store_backend backend = {
		.exchange = memory_exchange,
		.close = memory_close,
	};
	struct memory *m = mem_array(1, sizeof(*m));

	m->slots = mem_array(SLOTS_AT_FIRST, sizeof(*m->slots));
	m->mask = SLOTS_AT_FIRST - 1;
	buf_init(&m->cell.bytes, STORE_CELL_MAX_BYTES);
	*self = m;
	return &backend;
}
