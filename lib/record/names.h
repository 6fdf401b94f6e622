/*
 * A small set of known names, built once, that tells at a few loads which of
 * them a name is, or that it is none: for what every record is asked.
 *
 * The first eight bytes and the length of a name choose a slot, which is no
 * other known name's; what stands there is then compared.
 */
#ifndef PUSH_RECORD_NAMES_H
#define PUSH_RECORD_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

enum {
	NAMES_MAX = 32,
	NAMES_MAX_BYTES = 16, /* of a known one: its head and its tail */
	NAMES_PADDING_BYTES = sizeof(uint64_t), /* readable behind any name */
	NAMES_SLOT_BITS = 7,
};

struct names {
	uint64_t factor;                /* what keeps them apart */
	uint64_t own[sizeof(uint64_t)]; /* by length: which bytes of a head */
	struct {
		uint64_t head; /* the first eight bytes, or fewer and zeros */
		uint64_t tail; /* the last eight, of a longer one */
		size_t len;
	} rows[NAMES_MAX + 1]; /* the last is that of no name */
	unsigned char slots[1 << NAMES_SLOT_BITS];
};

/* `count' different names. */
void names_init(struct names *n, const char *const *list, size_t count);

static inline size_t names_slot(
	const struct names *n, uint64_t head, size_t len)
{
	return (size_t)((head + len) * n->factor >> (64 - NAMES_SLOT_BITS));
}

/* The place of the name in the list, or -1. */
static inline int names_find(const struct names *n, struct span name)
{
	uint64_t head;
	uint64_t tail;
	size_t at;

	memcpy(&head, name.ptr, sizeof(head));
	if (name.len < sizeof(head)) {
		head &= n->own[name.len];
	}
	at = n->slots[names_slot(n, head, name.len)];
	if (n->rows[at].head != head || n->rows[at].len != name.len) {
		return -1;
	}
	if (name.len > sizeof(head)) {
		memcpy(&tail, name.ptr + name.len - sizeof(tail), sizeof(tail));
		if (n->rows[at].tail != tail) {
			return -1;
		}
	}
	return (int)at;
}

#endif
