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

/* Eight bytes at a time.  The names come from operators, so nobody chooses them
 * in order to collide, and probing ends at the first gap. */
static size_t hash_of(struct span s)
{
	uint64_t h = s.len;
	uint64_t word;
	size_t at = 0;

	for (; s.len - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, s.ptr + at, sizeof(word));
		h = mixed(h, word);
	}
	if (at < s.len) {
		word = 0;
		memcpy(&word, s.ptr + at, s.len - at);
		h = mixed(h, word);
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
	}
	return slot;
}

struct nameset_entry *nameset_find(const struct nameset *set, struct span name)
{
	struct nameset_entry *slot;

	if (set->count == 0 || name.ptr == NULL) {
		return NULL;
	}
	slot = slot_of(set, name);
	return slot->name.ptr == NULL ? NULL : slot;
}

bool nameset_has(const struct nameset *set, struct span name)
{
	return nameset_find(set, name) != NULL;
}

void nameset_release(struct nameset *set)
{
	for (size_t i = 0; i < set->slot_count; i++) {
		mem_free((void *)(uintptr_t)set->slots[i].name.ptr);
	}
	mem_free(set->slots);
	*set = (struct nameset){ 0 };
}
