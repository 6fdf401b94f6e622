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
};

/* The entry of `name', made if there is none; valid until the next is made. */
struct nameset_entry *nameset_add(struct nameset *set, struct span name);

/* The entry of `name', NULL when there is none; an absent name is in no set. */
struct nameset_entry *nameset_find(const struct nameset *set, struct span name);

bool nameset_has(const struct nameset *set, struct span name);

void nameset_release(struct nameset *set);

#endif
