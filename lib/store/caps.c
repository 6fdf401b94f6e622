/* Turns at the windows of a store. */
#include "store/caps.h"

#include "base/mem.h"

void caps_begin(struct caps *c, size_t most)
{
	if (most > c->cap) {
		c->cap = most;
		c->turns = mem_resize(c->turns, c->cap, sizeof(*c->turns));
	}
	c->count = 0;
}

void caps_add(struct caps *c, struct record *r)
{
	c->turns[c->count++].rec = r;
}

void caps_release(struct caps *c)
{
	store_asks_release(&c->asks);
	store_asks_release(&c->refunds);
	mem_free(c->turns);
	*c = (struct caps){ .count = 0 };
}

/* What the refused records took from other rules goes back. */
static int give_back(
	struct caps *c, size_t count, struct store *store, struct err *err)
{
	store_asks_reset(&c->refunds);
	for (size_t i = 0; i < count; i++) {
		const struct caps_turn *t = c->turns + i;

		if (t->over != NULL) {
			fatigue_refund(c->asks.items + t->first, t->count,
				&c->refunds);
		}
	}
	return store_exchange(store, c->refunds.items, c->refunds.count, err);
}

/*
 * Asks about all turns and decides.  Records refused for want of what another
 * one of them has just given back are left at the front, *again of them, to be
 * asked once more; with `again' NULL they are refused, too.
 */
static int take_turns(struct caps *c, const struct fatigue_rules *rules,
	struct store *store, size_t *again, struct err *err)
{
	size_t count = c->count;
	bool is_last = again == NULL;
	size_t left = 0;

	store_asks_reset(&c->asks);
	for (size_t i = 0; i < count; i++) {
		c->turns[i].first = c->asks.count;
		c->turns[i].count = fatigue_ask(
			rules, c->turns[i].rec, STORE_FATIGUE_TAKE, &c->asks);
	}
	if (store_exchange(store, c->asks.items, c->asks.count, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		struct caps_turn *t = c->turns + i;

		t->over = fatigue_judge(
			rules, t->rec, c->asks.items + t->first, t->count);
	}
	if (give_back(c, count, store, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		const struct caps_turn t = c->turns[i];

		if (t.over == NULL) {
			continue;
		}
		if (!is_last && fatigue_has_room(c->asks.items + t.first,
					t.count, &c->refunds)) {
			c->turns[left++] = t;
			continue;
		}
		record_fact_text(t.rec, "rule", span_of(t.over->name));
		record_decide(t.rec, REASON_FATIGUE_CAP);
	}
	if (!is_last) {
		*again = left;
	}
	return 0;
}

int caps_take(struct caps *c, const struct fatigue_rules *rules,
	struct store *store, struct err *err)
{
	if (take_turns(c, rules, store, &c->count, err) != 0 ||
		take_turns(c, rules, store, NULL, err) != 0) {
		return -1;
	}
	c->count = 0;
	return 0;
}
