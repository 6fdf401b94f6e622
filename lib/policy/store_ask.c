/* The list that asks of a batch are gathered in. */
#include "policy/store_ask.h"

#include "base/mem.h"

enum { ASKS_AT_FIRST = 128 };

struct store_ask *store_asks_add(struct store_asks *list)
{
	if (list->count == list->cap) {
		list->cap = list->cap == 0 ? ASKS_AT_FIRST : list->cap * 2;
		list->items = mem_resize(
			list->items, list->cap, sizeof(*list->items));
	}
	return &list->items[list->count++];
}

void store_asks_reset(struct store_asks *list)
{
	list->count = 0;
}

void store_asks_release(struct store_asks *list)
{
	mem_free(list->items);
	*list = (struct store_asks){ 0 };
}
