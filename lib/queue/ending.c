/*
 * From a decided record to asks and items.
 *
 * What a retry stores: a record that has been authorised (or is one of several
 * parts) comes back as it is now, a device record.  One that was not comes back
 * as the task that was pushed, and begins anew.
 */
#include "queue/ending.h"

#include <string.h>

#include "policy/fanout.h"

enum { US_PER_MS = 1000 };

/* When its push was claimed first, or replayed: push-pop says so when this is
 * not the first claim. */
static int64_t first_unix_ms(const struct record *r)
{
	struct json_iter it = json_iter(r->trace);
	struct record_stamp stamp;
	int64_t first = r->t0_unix_us / US_PER_MS;

	while (record_stamp_next(&it, &stamp)) {
		int64_t told;

		if (json_int(json_get(stamp.facts, "first_ms"), &told) == 0) {
			first = told;
		}
	}
	return first;
}

static bool is_retry(unsigned flags)
{
	return (flags & (ACK_DELAY | ACK_WAIT)) == ACK_DELAY;
}

/* Would it be tried again only when it is older than it may get? */
static bool is_too_old(
	const struct record *r, const struct ending_limits *limits)
{
	return limits->max_age_ms > 0 &&
	       r->now_unix_us / US_PER_MS + r->after_ms - first_unix_ms(r) >
		       limits->max_age_ms;
}

/* Did the vendor's stage have no chance to send it?  Then it was no attempt, or
 * a vendor's bad hour would use them all up. */
static bool is_unsent(const struct record *r)
{
	struct json_iter it = json_iter(r->trace);
	struct record_stamp stamp;
	bool unsent = false;

	while (record_stamp_next(&it, &stamp)) {
		unsent = unsent ||
			 json_bool(json_get(stamp.facts, "unsent"), false);
	}
	return unsent;
}

unsigned ending_flags(
	const struct record *r, const struct ending_limits *limits)
{
	unsigned flags = reason_row(r->reason)->ack;

	if (is_retry(flags) && r->attempt >= limits->attempts &&
		!is_unsent(r)) {
		return reason_row(REASON_ATTEMPTS_EXHAUSTED)->ack;
	}
	if (is_retry(flags) && is_too_old(r, limits)) {
		return reason_row(REASON_TOO_OLD)->ack;
	}
	return flags;
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

/* How the queue remembers the device of a part that leaves its task. */
static size_t put_apart(const struct record *r, const struct settle_item *item,
	struct buf *scratch)
{
	char name[FANOUT_APART_BYTES];

	if (!item->is_device || r->part_of == 0 || !fanout_apart(r, name)) {
		return 0;
	}
	buf_put(scratch, name, FANOUT_APART_BYTES);
	return FANOUT_APART_BYTES;
}

bool ending_item(const struct record *r, const struct ending_limits *limits,
	struct settle_item *item, struct buf *scratch)
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
	item->action = (row->ack & ACK_ANEW) != 0   ? SETTLE_ANEW
		       : (row->ack & ACK_WAIT) != 0 ? SETTLE_WAIT
		       : (row->ack & ACK_DELAY) != 0
			       ? (is_unsent(r) ? SETTLE_WAIT : SETTLE_RETRY)
		       : (row->ack & ACK_DEAD_LETTER) != 0 ? SETTLE_DEAD
							   : SETTLE_DONE;
	/* The last attempt is told by the queue, which counts them. */
	if (is_retry(row->ack) &&
		(item->action == SETTLE_WAIT ||
			r->attempt < limits->attempts) &&
		is_too_old(r, limits)) {
		item->action = SETTLE_TOO_OLD;
	}
	/* A dead letter is kept as it was pushed, unless it is one of many. */
	if (item->action == SETTLE_DEAD) {
		is_device = r->part_of > 0 || r->is_resumed;
	}
	if (item->action != SETTLE_DONE && is_device) {
		record_task(r, no_part, scratch);
		item->is_device = true;
		item->is_whole = r->reason == REASON_QUOTA_WAIT ||
				 r->reason == REASON_SEGMENT_REST;
	}
	size_t task_len = scratch->len;
	size_t apart_len = put_apart(r, item, scratch);
	if ((row->ack & ACK_FEEDBACK) != 0) {
		add_feedback(r, item, scratch);
	}
	if (item->is_device) {
		item->bytes = (struct span){ scratch->data, task_len };
		item->apart =
			(struct span){ scratch->data + task_len, apart_len };
	}
	return true;
}
