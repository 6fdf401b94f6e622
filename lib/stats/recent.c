/* A ring of failures. */
#include "stats/recent.h"

void recent_add(struct recent *recent, const struct record *r, struct span node,
	int64_t at_unix_us)
{
	struct recent_one *one = &recent->ring[recent->count % RECENT_MAX];
	struct span id = record_name(r);

	if (id.len > STATS_LABEL_BYTES) {
		id.len = STATS_LABEL_BYTES;
		/* Not in the middle of a character. */
		while (id.len > 0 &&
			((unsigned char)id.ptr[id.len] & 0xc0) == 0x80) {
			id.len--;
		}
	}
	*one = (struct recent_one){ .at_unix_us = at_unix_us,
		.outcome = r->outcome,
		.reason = r->reason,
		.attempt = r->attempt };
	label_set(&one->id, label_text(id));
	label_set(&one->app, label_text(r->app));
	label_set(&one->node, label_text(node));
	recent->count++;
}

const struct recent_one *recent_at(const struct recent *recent, size_t i)
{
	if (i >= RECENT_MAX || i >= recent->count) {
		return NULL;
	}
	return &recent->ring[(recent->count - 1 - i) % RECENT_MAX];
}
