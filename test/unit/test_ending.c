/* lib/queue/ending: from a decided record to what is marked and settled. */
#include "queue/ending.h"

#include "policy/mark.h"
#include "test.h"

static struct record_pool *pool;
static struct buf scratch;
static const struct ending_limits five = { 5, 0 };

static void begin(void)
{
	pool = record_pool_new(RECORD_MAX_BYTES, "");
	buf_init(&scratch, 1024 * 1024);
}

static void end(void)
{
	buf_release(&scratch);
	record_pool_free(pool);
}

/* A record that a chain would have made: `members' of the task, `nodes' of the
 * trace behind the claim, ended by `reason'. */
static struct record *record_of(
	const char *members, const char *nodes, enum reason reason)
{
	struct buf line;
	struct record *r;

	buf_init(&line, 65536);
	buf_fmt(&line,
		"{\"id\":\"a\"%s,\"trace\":{\"t0_us\":1763627000123456,"
		"\"pop\":[0,1,{\"q\":\"q\",\"uid\":\"u1\",\"receipt\":"
		"\"w1:c-0\",\"attempt\":2}]%s,\"outcome\":\"%s\","
		"\"reason\":\"%s\",\"after_ms\":250}}",
		members, nodes, outcome_name(reason_row(reason)->outcome),
		reason_row(reason)->name);
	r = record_read(pool, line.data, line.len, 1763627001000000);
	CHECK(r->reason == reason);
	buf_release(&line);
	return r;
}

static bool has(struct span text, const char *part)
{
	struct buf copy;
	bool is_there;

	buf_init(&copy, 65536);
	buf_put(&copy, text.ptr, text.len);
	is_there = strstr(buf_string(&copy), part) != NULL;
	buf_release(&copy);
	return is_there;
}

static void every_reason_is_settled_as_its_flags_say(void)
{
	begin();
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		enum reason reason = (enum reason)i;
		unsigned ack = reason_row(reason)->ack;
		struct record *r = record_of("", ",\"auth\":[1,2]", reason);
		struct settle_item item;
		bool is_settled = ending_item(r, &five, &item, &scratch);

		printf("%s\n", reason_row(reason)->name);
		CHECK(is_settled == ((ack & ACK_LEAVE) == 0));
		if (is_settled) {
			CHECK(span_is(item.queue, "q"));
			CHECK(span_is(item.receipt, "w1:c-0"));
			CHECK((item.action == SETTLE_RETRY) ==
				((ack & (ACK_DELAY | ACK_WAIT)) == ACK_DELAY));
			CHECK((item.action == SETTLE_WAIT) ==
				((ack & (ACK_WAIT | ACK_ANEW)) == ACK_WAIT));
			CHECK((item.action == SETTLE_ANEW) ==
				((ack & ACK_ANEW) != 0));
			CHECK((item.action == SETTLE_DEAD) ==
				((ack & ACK_DEAD_LETTER) != 0));
			CHECK((item.feedback_count > 0) ==
				((ack & ACK_FEEDBACK) != 0));
			CHECK(strcmp(item.reason, reason_row(reason)->name) ==
				0);
		}
		record_free(pool, r);
	}
	end();
}

static void without_a_receipt_nothing_is_settled(void)
{
	static const char line[] =
		"{\"id\":\"a\",\"trace\":{\"t0_us\":1,\"uid\":\"x\","
		"\"outcome\":\"accepted\",\"reason\":\"ok\"}}";
	struct settle_item item;
	struct record *r;

	begin();
	r = record_read(pool, line, sizeof(line) - 1, 5);
	CHECK(!ending_item(r, &five, &item, &scratch));
	record_free(pool, r);
	end();
}

static void retry_keeps_the_device_record_without_part_and_trace(void)
{
	struct settle_item item;
	struct record *r;

	begin();
	r = record_of(",\"device\":{\"platform\":\"ios\",\"token\":\"t\"},"
		      "\"part\":{\"n\":1,\"of\":3}",
		"", REASON_THROTTLED);
	CHECK(ending_item(r, &five, &item, &scratch));
	CHECK(item.action == SETTLE_RETRY);
	CHECK(item.after_ms == 250);
	CHECK(item.is_device);
	CHECK(item.part_n == 1 && item.part_of == 3);
	CHECK(has(item.bytes, "\"token\":\"t\""));
	CHECK(!has(item.bytes, "part") && !has(item.bytes, "trace"));
	record_free(pool, r);
	end();
}

static void waiting_is_no_attempt_and_holds_the_key_as_long(void)
{
	struct record *r;
	struct store_asks asks = { 0 };
	struct dedupe_rules *rules = NULL;
	struct err err = { 0 };

	begin();
	r = record_of("", ",\"dedupe\":[1,2]", REASON_QUIET_HOURS_DEFERRED);
	CHECK(ending_flags(r, &(struct ending_limits){ 1, 0 }) ==
		(ACK_DELAY | ACK_WAIT));
	CHECK(dedupe_rules_new(&rules, NULL, 1000, &err) == 0);
	mark_ask_dedupe(r, ending_flags(r, &(struct ending_limits){ 1, 0 }),
		rules, &asks);
	dedupe_rules_free(rules);
	CHECK(asks.count == 1 && asks.items[0].verb == STORE_DEDUPE_EXTEND);
	CHECK(asks.items[0].window_ms == 1250);
	store_asks_release(&asks);
	record_free(pool, r);
	end();
}

static void retry_before_push_auth_stores_what_was_pushed(void)
{
	struct settle_item item;
	struct record *r;

	begin();
	r = record_of("", "", REASON_NOT_BEFORE);
	CHECK(ending_item(r, &five, &item, &scratch));
	CHECK(item.action == SETTLE_WAIT);
	CHECK(!item.is_device);
	CHECK(item.bytes.len == 0);
	record_free(pool, r);
	end();
}

static void dead_letter_of_a_whole_task_is_what_was_pushed(void)
{
	struct settle_item item;
	struct record *r;

	begin();
	r = record_of("", ",\"auth\":[1,2]", REASON_VENDOR_CONFIG);
	CHECK(ending_item(r, &five, &item, &scratch));
	CHECK(item.action == SETTLE_DEAD);
	CHECK(!item.is_device);
	CHECK(item.bytes.len == 0);
	record_free(pool, r);
	end();
}

static void feedback_tells_what_the_vendor_said(void)
{
	struct settle_item item;
	struct record *r;
	bool has_token = false;
	bool has_time = false;

	begin();
	r = record_of(",\"app\":\"shop\",\"user\":\"u\",\"device\":{"
		      "\"platform\":\"android\",\"token\":\"tok\"},"
		      "\"part\":{\"n\":0,\"of\":2}",
		",\"fcm\":[3,4,{\"status\":404,\"answer\":\"UNREGISTERED\","
		"\"vendor_ms\":1700000000123}]",
		REASON_TOKEN_DEAD);
	CHECK(ending_item(r, &five, &item, &scratch));
	CHECK(item.action == SETTLE_DONE);
	CHECK(item.feedback_count == 8);
	for (size_t i = 0; i < item.feedback_count; i++) {
		has_token |= span_is(item.feedback[i].name, "token") &&
			     span_is(item.feedback[i].value, "tok");
		has_time |= span_is(item.feedback[i].name, "vendor_ms") &&
			    span_is(item.feedback[i].value, "1700000000123");
		if (span_is(item.feedback[i].name, "vendor")) {
			CHECK(span_is(item.feedback[i].value, "fcm"));
		}
	}
	CHECK(has_token && has_time);
	record_free(pool, r);
	end();
}

static unsigned dedupe_verb(enum reason reason, const char *nodes)
{
	struct record *r = record_of("", nodes, reason);
	struct store_asks asks = { 0 };
	struct dedupe_rules *rules = NULL;
	struct err err = { 0 };
	unsigned verb = 99;

	CHECK(dedupe_rules_new(&rules, NULL, 1000, &err) == 0);
	mark_ask_dedupe(r, ending_flags(r, &(struct ending_limits){ 5, 0 }),
		rules, &asks);
	dedupe_rules_free(rules);
	if (asks.count == 1) {
		verb = asks.items[0].verb;
	}
	store_asks_release(&asks);
	record_free(pool, r);
	return verb;
}

static void marks_follow_the_reason_and_only_where_a_stage_asked(void)
{
	static const char passed[] = ",\"dedupe\":[1,2]";

	begin();
	CHECK(dedupe_verb(REASON_OK, passed) == STORE_DEDUPE_DONE);
	CHECK(dedupe_verb(REASON_TOKEN_DEAD, passed) == STORE_DEDUPE_RELEASE);
	CHECK(dedupe_verb(REASON_THROTTLED, passed) == STORE_DEDUPE_EXTEND);
	CHECK(dedupe_verb(REASON_DUPLICATE, passed) == 99);
	CHECK(dedupe_verb(REASON_LEASE_LOST, passed) == 99);
	CHECK(dedupe_verb(REASON_OK, "") == 99);
	end();
}

static void retry_in_its_last_attempt_gives_back(void)
{
	struct record *r;

	begin();
	r = record_of("", "", REASON_THROTTLED); /* attempt 2 */
	CHECK((ending_flags(r, &(struct ending_limits){ 3, 0 }) & ACK_DELAY) !=
		0);
	CHECK((ending_flags(r, &(struct ending_limits){ 2, 0 }) & ACK_DELAY) ==
		0);
	CHECK((ending_flags(r, &(struct ending_limits){ 2, 0 }) &
		      ACK_RELEASE) != 0);
	record_free(pool, r);
	end();
}

/* Claimed at ...123 ms, read at ...1001000, due 250 ms later. */
static void retry_that_would_be_too_old_gives_back_and_dies(void)
{
	const int64_t due_age_ms = 1763627001000 + 250 - 1763627000123;
	const struct ending_limits fits = { 5, due_age_ms };
	const struct ending_limits over = { 5, due_age_ms - 1 };
	const struct ending_limits last = { 2, due_age_ms - 1 };
	struct settle_item item;
	struct record *r;

	begin();
	r = record_of("", "", REASON_THROTTLED);
	CHECK((ending_flags(r, &fits) & ACK_DELAY) != 0);
	CHECK(ending_item(r, &fits, &item, &scratch));
	CHECK(item.action == SETTLE_RETRY);
	CHECK(ending_flags(r, &over) == (ACK_RELEASE | ACK_DEAD_LETTER));
	CHECK(ending_item(r, &over, &item, &scratch));
	CHECK(item.action == SETTLE_TOO_OLD);
	CHECK(ending_item(r, &last, &item, &scratch));
	CHECK(item.action == SETTLE_RETRY); /* it is out of attempts anyway */
	record_free(pool, r);
	r = record_of("", ",\"x\":[1,2,{\"first_ms\":1763626000123}]",
		REASON_THROTTLED);
	CHECK((ending_flags(r, &fits) & ACK_DELAY) == 0);
	record_free(pool, r);
	/* Waiting is not trying. */
	r = record_of("", "", REASON_QUIET_HOURS_DEFERRED);
	CHECK((ending_flags(r, &over) & ACK_DELAY) != 0);
	CHECK(ending_item(r, &over, &item, &scratch));
	CHECK(item.action == SETTLE_WAIT);
	record_free(pool, r);
	end();
}

static void what_was_not_sent_was_no_attempt(void)
{
	static const char node[] =
		",\"apns\":[1,2,{\"why\":\"not sent\",\"unsent\":true}]";
	const struct ending_limits last = { 2, 0 };
	const struct ending_limits old = { 2, 1 };
	struct settle_item item;
	struct record *r;

	begin();
	r = record_of("", node, REASON_VENDOR_UNAVAILABLE);
	CHECK((ending_flags(r, &last) & ACK_DELAY) != 0);
	CHECK(ending_item(r, &last, &item, &scratch));
	CHECK(item.action == SETTLE_WAIT);
	CHECK(item.after_ms == 250);
	/* For ever it is not kept either. */
	CHECK(ending_flags(r, &old) == (ACK_RELEASE | ACK_DEAD_LETTER));
	CHECK(ending_item(r, &old, &item, &scratch));
	CHECK(item.action == SETTLE_TOO_OLD);
	record_free(pool, r);
	r = record_of("", ",\"apns\":[1,2,{\"why\":\"no answer in time\"}]",
		REASON_AMBIGUOUS);
	CHECK((ending_flags(r, &last) & ACK_DELAY) == 0);
	CHECK(ending_item(r, &last, &item, &scratch));
	CHECK(item.action == SETTLE_RETRY);
	record_free(pool, r);
	end();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(every_reason_is_settled_as_its_flags_say),
		TEST(without_a_receipt_nothing_is_settled),
		TEST(retry_keeps_the_device_record_without_part_and_trace),
		TEST(waiting_is_no_attempt_and_holds_the_key_as_long),
		TEST(retry_before_push_auth_stores_what_was_pushed),
		TEST(dead_letter_of_a_whole_task_is_what_was_pushed),
		TEST(feedback_tells_what_the_vendor_said),
		TEST(marks_follow_the_reason_and_only_where_a_stage_asked),
		TEST(retry_in_its_last_attempt_gives_back),
		TEST(what_was_not_sent_was_no_attempt),
		TEST(retry_that_would_be_too_old_gives_back_and_dies),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
