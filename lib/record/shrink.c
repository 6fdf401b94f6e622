/*
 * Records that are kept for long do without their parsed form meanwhile.
 */
#include "base/err.h"
#include "record/body.h"

void record_shrink(struct record *r, const char *node)
{
	struct record_body *b = r->body;
	const struct span none = { NULL, 0 };

	b->had_stamp = record_passed(r, node);
	b->is_shrunk = true;
	r->root = r->device = r->message = r->trace = NULL;
	r->users = r->devices = NULL;
	r->app = r->id = r->user = r->category = r->campaign = none;
	r->dedupe_key = r->topic = r->condition = r->channel = none;
	r->token = r->queue = r->receipt = none;
	if (!b->is_new_uid) {
		r->uid = none;
	}
	pool_keep_form(b);
}

void record_restore(struct record *r)
{
	struct record_body *b = r->body;
	struct span last;
	unsigned traces = 0;

	if (!b->is_shrunk) {
		return;
	}
	b->is_shrunk = false;
	if (body_parse(r) != 0) {
		BUG("a record that was read does not parse again");
	}
	(void)members_take(r, &last, &traces); /* as it did before */
	if (r->trace != NULL) {
		trace_take(r);
	}
}
