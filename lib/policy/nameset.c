/* Open addressing with linear probing; nothing is ever taken out. */
#include "policy/nameset.h"

#include <string.h>

#include "base/mem.h"

enum { FIRST_SLOTS = 16 /* a power of two */ };

static uint64_t mixed(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

static uint64_t eight_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static uint64_t four_at(const char *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static uint64_t byte_at(const char *p)
{
	return (unsigned char)*p;
}

/*
 * Every byte counts; the last sixteen, which is all of most names, are two loads
 * that may overlap.  The names are those of operators, and the campaigns that
 * limits count, which only those choose who may send: nobody gains by names that
 * collide, and probing ends at the first gap.
 */
static size_t hash_of(struct span s)
{
	const char *p = s.ptr;
	size_t left = s.len;
	uint64_t h = left;

	for (; left > 2 * sizeof(uint64_t); left -= sizeof(uint64_t)) {
		h = mixed(h, eight_at(p));
		p += sizeof(uint64_t);
	}
	if (left >= sizeof(uint64_t)) {
		h = mixed(h, eight_at(p));
		h = mixed(h, eight_at(p + left - sizeof(uint64_t)));
	} else if (left >= sizeof(uint32_t)) {
		h = mixed(h, four_at(p) << 32 |
				     four_at(p + left - sizeof(uint32_t)));
	} else if (left > 0) {
		h = mixed(h, byte_at(p) << 16 | byte_at(p + left / 2) << 8 |
				     byte_at(p + left - 1));
	}
	return (size_t)h;
}

/* Where the name is, or the gap where it would be. */
static struct nameset_entry *slot_of(
	const struct nameset *set, struct span name)
{
	size_t at = hash_of(name) & (set->slot_count - 1);

	while (set->slots[at].name.ptr != NULL &&
		!span_equal(set->slots[at].name, name)) {
		at = (at + 1) & (set->slot_count - 1);
	}
	return &set->slots[at];
}

/* Keeps a quarter of the slots free at least. */
static void grow(struct nameset *set)
{
	struct nameset old = *set;

	if (set->slot_count > 0 &&
		(set->count + 1) * 4 <= set->slot_count * 3) {
		return;
	}
	set->slot_count =
		old.slot_count == 0 ? FIRST_SLOTS : old.slot_count * 2;
	set->slots = mem_array(set->slot_count, sizeof(*set->slots));
	for (size_t i = 0; i < old.slot_count; i++) {
		if (old.slots[i].name.ptr != NULL) {
			*slot_of(set, old.slots[i].name) = old.slots[i];
		}
	}
	mem_free(old.slots);
}

struct nameset_entry *nameset_add(struct nameset *set, struct span name)
{
	struct nameset_entry *slot;

	grow(set);
	slot = slot_of(set, name);
	if (slot->name.ptr == NULL) {
		slot->name =
			(struct span){ mem_dup(name.ptr, name.len), name.len };
		set->count++;
		set->lengths |= UINT64_C(1) << nameset_length_bit(name);
	}
	return slot;
}

struct nameset_entry *nameset_look_up(
	const struct nameset *set, struct span name)
{
	struct nameset_entry *slot = slot_of(set, name);

	return slot->name.ptr == NULL ? NULL : slot;
}

void nameset_release(struct nameset *set)
{
	for (size_t i = 0; i < set->slot_count; i++) {
		mem_free((void *)(uintptr_t)set->slots[i].name.ptr);
	}
	mem_free(set->slots);
	*set = (struct nameset){ 0 };
}
