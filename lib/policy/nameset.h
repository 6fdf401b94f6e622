/* A set of names, each with a count: asked for every record, built once. */
#ifndef PUSH_POLICY_NAMESET_H
#define PUSH_POLICY_NAMESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct nameset_entry {
	struct span name; /* ptr NULL: a gap */
	uint64_t count;   /* the caller's; 0 at first */
};

/* Starts as { 0 }, which is the empty set. */
struct nameset {
	struct nameset_entry *slots; /* owned, as are the names */
	size_t slot_count;           /* a power of two, or 0 */
	size_t count;
	uint64_t lengths; /* by nameset_length_bit(): some name is that long */
};

/* The entry of `name', made if there is none; valid until the next is made. */
struct nameset_entry *nameset_add(struct nameset *set, struct span name);

/* The last bit is for all that are longer. */
static inline unsigned nameset_length_bit(struct span name)
{
	return name.len < 63 ? (unsigned)name.len : 63;
}

/* nameset_find() for a name as long as one of the set. */
struct nameset_entry *nameset_look_up(
	const struct nameset *set, struct span name);

/* The entry of `name', NULL when there is none; an absent name is in no set.
 * Most records are in none: their names seldom have a length that the set has,
 * and then nothing more is looked at. */
static inline struct nameset_entry *nameset_find(
	const struct nameset *set, struct span name)
{
	bool may_be = name.ptr != NULL &&
		      (set->lengths >> nameset_length_bit(name) & 1) != 0;

	return may_be ? nameset_look_up(set, name) : NULL;
}

static inline bool nameset_has(const struct nameset *set, struct span name)
{
	return nameset_find(set, name) != NULL;
}

void nameset_release(struct nameset *set);

#endif
