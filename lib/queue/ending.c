/*
 * From a decided record to asks and items.
 *
 * What a retry stores: a record that has been authorised (or is one of several
 * parts) comes back as it is now, a device record.  One that was not comes back
 * as the task that was pushed, and begins anew.
 */
#include "queue/ending.h"

#include <string.h>

unsigned ending_flags(const struct record *r, int64_t attempts)
{
	unsigned flags = reason_row(r->reason)->ack;

	if ((flags & ACK_DELAY) != 0 && (flags & ACK_WAIT) == 0 &&
		r->attempt >= attempts) {
		flags = reason_row(REASON_ATTEMPTS_EXHAUSTED)->ack;
	}
	return flags;
}

void ending_ask_dedupe(const struct record *r, unsigned flags,
	struct dedupe_rules *rules, struct store_asks *asks)
{
	enum store_verb verb;
	size_t first = asks->count;

	if (!record_passed(r, "dedupe")) {
		return;
	}
	if ((flags & ACK_MARK_DONE) != 0) {
		verb = STORE_DEDUPE_DONE;
	} else if ((flags & ACK_RELEASE) != 0) {
		verb = STORE_DEDUPE_RELEASE;
	} else if ((flags & ACK_DELAY) != 0) {
		verb = STORE_DEDUPE_EXTEND;
	} else {
		return;
	}
	(void)dedupe_ask(rules, r, verb, asks); /* nobody looks at the answer */
	for (size_t i = first; verb == STORE_DEDUPE_EXTEND && i < asks->count;
		i++) {
		/* Held when it comes back, too. */
		asks->items[i].window_ms += r->after_ms;
	}
}

void ending_ask_fatigue(const struct record *r, unsigned flags,
	const struct fatigue_rules *rules, struct store_asks *asks)
{
	if (!record_passed(r, "fatigue")) {
		return;
	}
	if ((flags & ACK_MARK_DONE) != 0) {
		(void)fatigue_ask(rules, r, STORE_FATIGUE_KEEP, asks);
	} else if ((flags & ACK_RELEASE) != 0) {
		(void)fatigue_ask(rules, r, STORE_FATIGUE_RELEASE, asks);
	}
}

/* What the vendor's stage told: the facts of the last stamp with an answer. */
static const struct json *answer_facts(const struct record *r)
{
	struct json_iter it = json_iter(r->trace);
	struct record_stamp stamp;
	const struct json *facts = NULL;

	while (record_stamp_next(&it, &stamp)) {
		if (json_get(stamp.facts, "answer") != NULL) {
			facts = stamp.facts;
		}
	}
	return facts;
}

static void tell(struct settle_item *item, const char *name, struct span value)
{
	if (value.ptr != NULL) {
		item->feedback[item->feedback_count++] =
			(struct settle_pair){ span_of(name), value };
	}
}

static void add_feedback(
	const struct record *r, struct settle_item *item, struct buf *scratch)
{
	const struct json *facts = answer_facts(r);
	const char *vendor = r->platform == PLATFORM_IOS       ? "apns"
			     : r->platform == PLATFORM_ANDROID ? "fcm"
							       : NULL;
	int64_t vendor_unix_ms = 0;

	tell(item, "app", r->app);
	tell(item, "user", r->user);
	tell(item, "platform", span_of(platform_name(r->platform)));
	tell(item, "token", r->token);
	tell(item, "vendor", span_of(vendor));
	tell(item, "reason", span_of(reason_row(r->reason)->name));
	tell(item, "answer", json_text(json_get(facts, "answer")));
	if (json_int(json_get(facts, "vendor_ms"), &vendor_unix_ms) == 0) {
		size_t at = scratch->len;

		buf_i64(scratch, vendor_unix_ms);
		tell(item, "vendor_ms",
			(struct span){ scratch->data + at, scratch->len - at });
	}
}

bool ending_item(
	const struct record *r, struct settle_item *item, struct buf *scratch)
{
	static const char *const no_part[] = { "part", NULL };
	const struct reason_row *row = reason_row(r->reason);
	bool is_device = r->part_of > 0 || r->is_resumed ||
			 (r->root != NULL && record_passed(r, "auth"));

	*item = (struct settle_item){ 0 };
	buf_reset(scratch);
	if ((row->ack & ACK_LEAVE) != 0 || !settle_can(r->queue, r->receipt)) {
		return false;
	}
	item->queue = r->queue;
	item->receipt = r->receipt;
	item->part_n = r->part_n;
	item->part_of = r->part_of;
	item->reason = row->name;
	item->after_ms = r->after_ms;
	item->action = (row->ack & ACK_ANEW) != 0          ? SETTLE_ANEW
		       : (row->ack & ACK_WAIT) != 0        ? SETTLE_WAIT
		       : (row->ack & ACK_DELAY) != 0       ? SETTLE_RETRY
		       : (row->ack & ACK_DEAD_LETTER) != 0 ? SETTLE_DEAD
							   : SETTLE_DONE;
	/* A dead letter is kept as it was pushed, unless it is one of many. */
	if (item->action == SETTLE_DEAD) {
		is_device = r->part_of > 0 || r->is_resumed;
	}
	if (item->action != SETTLE_DONE && is_device) {
		record_task(r, no_part, scratch);
		item->is_device = true;
	}
	size_t task_len = scratch->len;
	if ((row->ack & ACK_FEEDBACK) != 0) {
		add_feedback(r, item, scratch);
	}
	if (item->is_device) {
		item->bytes = (struct span){ scratch->data, task_len };
	}
	return true;
}
