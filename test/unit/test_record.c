/* The record: what is read, what is spliced, what is refused and kept. */
#include "test.h"

#include <stdint.h>

#include "record/record.h"

static struct record_pool *pool;
static struct buf out;

static void begin(void)
{
	pool = record_pool_new(1000, "s");
	buf_init(&out, SIZE_MAX);
}

static void end(void)
{
	buf_release(&out);
	record_pool_free(pool);
}

static struct record *line(const char *text)
{
	return record_read(pool, text, strlen(text), 5000000);
}

/* The line as it leaves node "n" 7 µs after it came. */
static const char *written(struct record *r)
{
	buf_reset(&out);
	record_write(r, "n", r->in_unix_us + 7, &out);
	record_free(pool, r);
	return buf_string(&out);
}

static bool is(const char *got, const char *wanted)
{
	if (strcmp(got, wanted) != 0) {
		printf("got    %swanted %s", got, wanted);
		return false;
	}
	return true;
}

static void a_bare_task_gets_time_and_uid(void)
{
	begin();
	CHECK(is(written(line("{\"id\":\"a\"}")),
		"{\"id\":\"a\",\"trace\":{\"t0_us\":5000000,\"uid\":\"s-1\","
		"\"n\":[0,7]}}\n"));
	CHECK(is(written(line("{}")),
		"{\"trace\":{\"t0_us\":5000000,\"uid\":\"s-2\",\"n\":[0,7]}}\n"));
	CHECK(is(written(line(" { \"x\" : 1.0 }\t\r")),
		" { \"x\" : 1.0,\"trace\":{\"t0_us\":5000000,\"uid\":\"s-3\","
		"\"n\":[0,7]}}\n"));
	end();
}

static void every_other_byte_stays_as_it_came(void)
{
	begin();
	CHECK(is(written(line(
			 "{\"n\":18446744073709551615,\"f\":1.0,\"e\":1E5,"
			 "\"s\":\"\\/\\u4f60}}\\\"\",\"trace\":{\"t0_us\":1,"
			 "\"uid\":\"u\",\"a\":[1,2]}}")),
		"{\"n\":18446744073709551615,\"f\":1.0,\"e\":1E5,"
		"\"s\":\"\\/\\u4f60}}\\\"\",\"trace\":{\"t0_us\":1,"
		"\"uid\":\"u\",\"a\":[1,2],\"n\":[4999999,5000006]}}\n"));
	end();
}

static void a_trace_that_is_not_last_is_moved(void)
{
	begin();
	CHECK(is(
		written(line(
			"{\"trace\":{\"t0_us\":1,\"uid\":\"u\"},\"id\":\"a\"}")),
		"{\"id\":\"a\",\"trace\":{\"t0_us\":1,\"uid\":\"u\","
		"\"n\":[4999999,5000006]}}\n"));
	CHECK(is(written(line("{\"trace\":7,\"id\":\"a\"}")),
		"{\"id\":\"a\",\"trace\":{\"t0_us\":5000000,\"uid\":\"s-1\","
		"\"n\":[0,7]}}\n"));
	end();
}

static void a_node_used_twice_is_stamped_once(void)
{
	begin();
	CHECK(is(written(line(
			 "{\"id\":\"a\",\"trace\":{\"t0_us\":1,\"uid\":\"u\","
			 "\"n\":[1,2],\"m\":[3,4,{\"x\":\"}\"}]}}")),
		"{\"id\":\"a\",\"trace\":{\"t0_us\":1,\"uid\":\"u\","
		"\"m\":[3,4,{\"x\":\"}\"}],\"n\":[4999999,5000006]}}\n"));
	end();
}

/* A line that is lent, and gone as soon as nobody may look at it any more. */
static void a_borrowed_line_is_kept_on_demand(void)
{
	static const char task[] = "{\"id\":\"lent\"} ";
	char lent[64];
	struct record *kept;
	struct record *passed;

	begin();
	memcpy(lent, task, sizeof(task));
	kept = record_read_borrowed(pool, span_of(lent), 5000000);
	passed = record_read_borrowed(pool, span_of(lent), 5000000);
	CHECK(span_is(kept->id, "lent"));
	record_keep(kept);
	CHECK(is(written(passed),
		"{\"id\":\"lent\",\"trace\":{\"t0_us\":5000000,"
		"\"uid\":\"s-2\",\"n\":[0,7]}}\n"));
	memset(lent, '?', sizeof(lent));
	record_keep(kept); /* it is already */
	CHECK(span_is(kept->id, "lent"));
	CHECK(is(written(kept), "{\"id\":\"lent\",\"trace\":{\"t0_us\":5000000,"
				"\"uid\":\"s-1\",\"n\":[0,7]}}\n"));
	end();
}

/* What is changed is not the line that was lent. */
static void a_borrowed_line_is_not_written_to(void)
{
	static const char *const lines[] = { "{\"id\":\"a\"}", "rubbish",
		"{\"trace\":{\"t0_us\":1},\"id\":\"a\"}",
		"{\"id\":\"a\",\"trace\":{},\"trace\":{}}" };

	begin();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char lent[64];
		struct record *r;

		(void)snprintf(lent, sizeof(lent), "%s", lines[i]);
		r = record_read_borrowed(pool, span_of(lent), 5000000);
		(void)!record_replace(r, span_of("{\n\"id\":\"b\"}"));
		record_free(pool, r);
		CHECK(strcmp(lent, lines[i]) == 0);
	}
	end();
}

static void known_members_are_taken(void)
{
	struct record *r;

	begin();
	r = line(
		"{\"id\":\"i\",\"app\":\"shop\",\"user\":\"u\",\"priority\":\"high\","
		"\"category\":\"c\",\"campaign\":\"k\",\"dedupe_key\":\"d\","
		"\"created_ms\":1,\"not_before_ms\":2,\"expires_ms\":3,"
		"\"device\":{\"platform\":\"android\",\"token\":\"t\"},"
		"\"part\":{\"n\":1,\"of\":3},\"message\":{},"
		"\"trace\":{\"t0_us\":9,\"pop\":[0,1,{\"q\":\"push:h\","
		"\"uid\":\"h7\",\"receipt\":\"w:1\",\"attempt\":2,"
		"\"lease_ms\":77,\"resumed\":true}]}}");
	CHECK(span_is(r->id, "i") && span_is(r->app, "shop"));
	CHECK(span_is(r->user, "u") && r->priority == PRIORITY_HIGH);
	CHECK(r->kind == KIND_SINGLE && span_is(r->dedupe_key, "d"));
	CHECK(r->created_unix_ms == 1 && r->not_before_unix_ms == 2);
	CHECK(r->expires_unix_ms == 3 && span_is(r->campaign, "k"));
	CHECK(r->platform == PLATFORM_ANDROID && span_is(r->token, "t"));
	CHECK(r->part_n == 1 && r->part_of == 3 && r->message != NULL);
	CHECK(span_is(r->uid, "h7") && span_is(r->queue, "push:h"));
	CHECK(span_is(r->receipt, "w:1") && r->attempt == 2);
	CHECK(r->lease_unix_ms == 77 && r->is_resumed && r->t0_unix_us == 9);
	CHECK(r->outcome == OUTCOME_UNDECIDED && !r->was_decided);
	record_free(pool, r);
	r = line("{\"users\":[]}");
	CHECK(r->kind == KIND_BATCH && r->priority == PRIORITY_NORMAL);
	record_free(pool, r);
	r = line("{\"users\":[],\"kind\":\"single\"}");
	CHECK(r->kind == KIND_SINGLE);
	record_free(pool, r);
	end();
}

static void decided_records_are_known_as_such(void)
{
	struct record *r;

	begin();
	r = line(
		"{\"id\":\"a\",\"trace\":{\"t0_us\":1,\"uid\":\"u\",\"x\":[1,2],"
		"\"outcome\":\"retry\",\"reason\":\"throttled\",\"after_ms\":9}}");
	CHECK(r->was_decided && r->outcome == OUTCOME_RETRY);
	CHECK(r->reason == REASON_THROTTLED && r->after_ms == 9);
	buf_reset(&out);
	record_write(r, NULL, 0, &out);
	CHECK(out.len ==
		strlen("{\"id\":\"a\",\"trace\":{\"t0_us\":1,\"uid\":\"u\","
		       "\"x\":[1,2],\"outcome\":\"retry\","
		       "\"reason\":\"throttled\",\"after_ms\":9}}\n"));
	record_free(pool, r);
	end();
}

static void decisions_and_facts_are_written(void)
{
	struct record *r;

	begin();
	r = line("{\"id\":\"a\"}");
	record_fact_text(r, "why", span_of("a\"b"));
	record_fact_int(r, "n", -4);
	record_retry(r, REASON_THROTTLED, 60000);
	CHECK(is(written(r),
		"{\"id\":\"a\",\"trace\":{\"t0_us\":5000000,\"uid\":\"s-1\","
		"\"n\":[0,7,{\"why\":\"a\\\"b\",\"n\":-4}],"
		"\"outcome\":\"retry\",\"reason\":\"throttled\","
		"\"after_ms\":60000}}\n"));
	end();
}

static void what_is_no_object_is_kept_raw(void)
{
	static const char *const bad[] = { "x", "[1]", "{\"a\":1", "{\"a\":1}}",
		"{'a':1}", "{\"a\":01}", "\"text\"", "{\"a\":1}{\"b\":2}",
		"{\"a\":NaN}", "{\"a\":1,}", "\xef\xbb\xbf{}" };
	struct record *r;

	begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct json_doc *doc;
		const char *text;

		r = line(bad[i]);
		CHECK(r->reason == REASON_MALFORMED);
		text = written(r);
		doc = json_parse(text, strlen(text), JSON_STRICT, NULL);
		CHECK(json_is_text(json_get(json_root(doc), "raw"), bad[i]));
		json_free(doc);
	}
	r = line("\xff\xfe");
	CHECK(is(written(r),
		"{\"raw_base64\":\"//4=\",\"trace\":{\"t0_us\":5000000,"
		"\"uid\":\"s-12\",\"n\":[0,7],\"outcome\":\"rejected\","
		"\"reason\":\"malformed\"}}\n"));
	end();
}

static void wrong_types_and_doubles_are_refused(void)
{
	static const char *const bad[] = { "{\"id\":7}", "{\"user\":null}",
		"{\"id\":\"a\",\"id\":\"b\"}", "{\"priority\":\"urgent\"}",
		"{\"kind\":\"many\"}", "{\"users\":\"a\"}", "{\"device\":{}}",
		"{\"created_ms\":-1}", "{\"created_ms\":1.5}",
		"{\"expires_ms\":\"1\"}", "{\"message\":[]}",
		"{\"part\":{\"n\":3,\"of\":3}}", "{\"\\u0061pp\":\"x\"}" };

	begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct record *r = line(bad[i]);

		if (r->reason != REASON_BAD_MEMBER) {
			printf("taken: %s\n", bad[i]);
		}
		CHECK(r->reason == REASON_BAD_MEMBER);
		record_free(pool, r);
	}
	end();
}

/* A known member with the wrong value is refused, an unknown one never. */
static bool is_known(const char *name, size_t len)
{
	struct record *r;
	bool is;

	buf_reset(&out);
	buf_text(&out, "{\"");
	buf_put(&out, name, len);
	buf_text(&out, "\":true}");
	r = record_read(pool, out.data, out.len, 5000000);
	is = r->reason == REASON_BAD_MEMBER;
	record_free(pool, r);
	return is;
}

static void a_name_that_is_nearly_known_is_unknown(void)
{
	static const char *const known[] = { "id", "app", "jws", "user",
		"users", "device", "devices", "topic", "condition", "channel",
		"segment", "segment_after", "kind", "priority", "category",
		"campaign", "dedupe_key", "created_ms", "not_before_ms",
		"expires_ms", "time_zone", "message", "part" };

	begin();
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = strlen(known[i]);
		char name[32];

		(void)snprintf(name, sizeof(name), "%s", known[i]);
		CHECK(is_known(name, len));
		for (size_t at = 0; at < len; at++) {
			name[at]++;
			CHECK(!is_known(name, len));
			name[at] -= 2;
			CHECK(!is_known(name, len));
			name[at]++;
		}
		name[len] = '_';
		CHECK(!is_known(name, len + 1));
		CHECK(!is_known(name + 1, len));
		(void)snprintf(name + len, sizeof(name) - len, "\\u0000");
		CHECK(!is_known(name, strlen(name)));
	}
	CHECK(!is_known("", 0) && !is_known("a_name_of_many_bytes", 20));
	end();
}

static void the_first_of_two_in_a_device_counts(void)
{
	struct record *r;

	begin();
	r = line("{\"device\":{\"platform\":\"ios\",\"token\":\"t\","
		 "\"token\":\"u\",\"platform\":\"android\"}}");
	CHECK(r->platform == PLATFORM_IOS && span_is(r->token, "t"));
	record_free(pool, r);
	end();
}

static void a_task_over_the_maximum_keeps_its_beginning(void)
{
	char text[2000];
	struct record *r;

	begin();
	memset(text, 'a', sizeof(text));
	memcpy(text, "{\"id\":\"", 7);
	memcpy(text + 1997, "\"}", 3);
	r = line(text);
	CHECK(r->reason == REASON_TOO_LARGE);
	CHECK(r->id.ptr == NULL && json_get(r->root, "raw") != NULL);
	record_free(pool, r);
	r = record_read_too_long(pool,
		(struct span){ "\xe4\xbd\xa0\xe4\xbd", 5 }, 70000, 5000000);
	CHECK(is(written(r),
		"{\"raw\":\"\xe4\xbd\xa0\",\"raw_bytes\":70000,\"trace\":{"
		"\"t0_us\":5000000,\"uid\":\"s-2\",\"n\":[0,7],"
		"\"outcome\":\"rejected\",\"reason\":\"too-large\"}}\n"));
	end();
}

static void what_stages_added_may_go_over_the_maximum(void)
{
	char text[1500];
	struct record *r;

	begin();
	memset(text, 'a', sizeof(text));
	memcpy(text, "{\"x\":\"", 6);
	(void)snprintf(text + 1400, 100, "%s",
		"\",\"trace\":{\"t0_us\":1,\"uid\":\"u\"}}");
	r = line(text);
	CHECK(r->outcome == OUTCOME_UNDECIDED);
	record_free(pool, r);
	end();
}

static void a_claim_drops_the_producers_trace(void)
{
	struct record *r;

	begin();
	r = record_claim(pool,
		span_of("{\"id\":\"a\",\"trace\":{\"outcome\":\"accepted\"},\n"
			"  \"user\":\"u\"}\n"),
		5000000);
	CHECK(r->outcome == OUTCOME_UNDECIDED && span_is(r->user, "u"));
	record_fact_text(r, "uid", span_of("h1"));
	CHECK(is(written(r),
		"{\"id\":\"a\",\"user\":\"u\",\"trace\":{\"t0_us\":5000000,"
		"\"n\":[0,7,{\"uid\":\"h1\"}]}}\n"));
	end();
}

static void members_are_added_in_front_of_the_trace(void)
{
	struct record *r;

	begin();
	r = line("{\"id\":\"a\"}");
	record_add(r, "device", span_of("{\"token\":\"t\"}"));
	record_add(r, "k", span_of("1"));
	CHECK(is(written(r),
		"{\"id\":\"a\",\"device\":{\"token\":\"t\"},\"k\":1,\"trace\":{"
		"\"t0_us\":5000000,\"uid\":\"s-1\",\"n\":[0,7]}}\n"));
	r = line("{\"id\":\"a\",\"trace\":{\"t0_us\":1,\"uid\":\"u\"}}");
	record_add(r, "k", span_of("1"));
	CHECK(is(written(r),
		"{\"id\":\"a\",\"k\":1,\"trace\":{\"t0_us\":1,\"uid\":\"u\","
		"\"n\":[4999999,5000006]}}\n"));
	r = line("{}");
	record_add(r, "k", span_of("1"));
	CHECK(is(written(r),
		"{\"k\":1,\"trace\":{\"t0_us\":5000000,\"uid\":\"s-2\","
		"\"n\":[0,7]}}\n"));
	end();
}

static void a_task_is_replaced_and_the_trace_stays(void)
{
	struct record *r;

	begin();
	r = line("{\"app\":\"a\",\"jws\":\"x\",\"trace\":{\"t0_us\":1,"
		 "\"pop\":[0,1,{\"uid\":\"u\",\"receipt\":\"w:1\"}]}}");
	CHECK(record_replace(r, span_of("[1]")) == -1);
	/* What would be an object if only its last brace stood elsewhere. */
	CHECK(record_replace(r, span_of("{\"a\":1}{\"b\":2}")) == -1);
	CHECK(record_replace(r, span_of("{\"a\":{}")) == -1);
	CHECK(record_replace(r, span_of("{\"a\":{\"b\":1}")) == -1);
	CHECK(record_replace(r, span_of("{\"a\":\"}")) == -1);
	CHECK(record_replace(r, span_of("{\"a\":\"{}")) == -1);
	CHECK(record_replace(r, span_of("{\"a\":[}")) == -1);
	CHECK(record_replace(r, span_of("{\"a\":1,}")) == -1);
	CHECK(record_replace(r, span_of("{,}")) == -1);
	CHECK(record_replace(r, span_of("}")) == -1);
	CHECK(record_replace(r, span_of("")) == -1);
	CHECK(span_is(r->app, "a"));
	CHECK(record_replace(r,
		      span_of(" {\"id\":\"new\",\"trace\":{\"uid\":\"forged\"}} ")) ==
		0);
	CHECK(span_is(r->id, "new") && span_is(r->uid, "u"));
	CHECK(span_is(r->receipt, "w:1"));
	CHECK(is(written(r),
		"{\"id\":\"new\",\"trace\":{\"t0_us\":1,\"pop\":[0,1,"
		"{\"uid\":\"u\",\"receipt\":\"w:1\"}],"
		"\"n\":[4999999,5000006]}}\n"));
	r = line("{\"app\":\"a\"}");
	CHECK(record_replace(r, span_of("{}")) == 0);
	CHECK(is(written(r),
		"{\"trace\":{\"t0_us\":5000000,\"uid\":\"s-1\",\"n\":[0,7]}}\n"));
	end();
}

static struct record *part_of(struct record_stem *stem, struct record *whole,
	const char *const *without, const char *device)
{
	struct record *part;

	record_stem_set(stem, whole, without);
	part = record_part(pool, stem);
	CHECK(record_part_device(part, span_of(device)) == 0);
	return part;
}

static void parts_share_trace_and_identity(void)
{
	static const char *const without[] = { "users", "part", NULL };
	struct record_stem stem;
	struct record *r;
	struct record *part;

	begin();
	record_stem_init(&stem);
	r = line("{\"users\":[\"a\",\"b\"],\"id\":\"i\"}");
	part = part_of(
		&stem, r, without, "{\"platform\":\"ios\",\"token\":\"t\"}");
	CHECK(span_equal(part->uid, r->uid) && part->uid.ptr != r->uid.ptr);
	CHECK(part->t0_unix_us == r->t0_unix_us);
	CHECK(part->platform == PLATFORM_IOS && span_is(part->token, "t"));
	CHECK(is(written(part),
		"{\"id\":\"i\",\"device\":{\"platform\":\"ios\",\"token\":\"t\"},"
		"\"trace\":{\"t0_us\":5000000,\"uid\":\"s-1\","
		"\"n\":[0,7]}}\n"));
	record_free(pool, r);

	/* Nothing to take out, and a device with white space in it. */
	r = line("{\"id\":\"i\",\"trace\":{\"t0_us\":1,\"uid\":\"u\"}}");
	part = part_of(&stem, r, without, "{\n\"token\":\"t\"}");
	CHECK(part->outcome == OUTCOME_UNDECIDED && part->device != NULL);
	CHECK(is(written(part),
		"{\"id\":\"i\",\"device\":{\"token\":\"t\"},\"trace\":{\"t0_us\":1,"
		"\"uid\":\"u\",\"n\":[4999999,5000006]}}\n"));
	part = record_part(pool, &stem);
	CHECK(record_part_device(part, span_of("{")) == -1);
	CHECK(part->device == NULL && part->outcome == OUTCOME_UNDECIDED);
	record_free(pool, part);
	record_free(pool, r);

	/* All there was is taken out; a device without its token. */
	r = line("{\"users\":[\"a\"],\"trace\":{\"t0_us\":1,\"uid\":\"u\"}}");
	part = part_of(&stem, r, without, "{}");
	CHECK(part->reason == REASON_BAD_MEMBER);
	CHECK(is(written(part),
		"{\"device\":{},\"trace\":{\"t0_us\":1,\"uid\":\"u\",\"n\":[4999999,"
		"5000006,{\"member\":\"device\"}],\"outcome\":\"rejected\","
		"\"reason\":\"bad-member\"}}\n"));
	record_free(pool, r);
	record_stem_release(&stem);
	end();
}

static void replay_takes_back_what_this_node_said(void)
{
	struct record *r;

	begin();
	r = line(
		"{\"id\":\"a\",\"trace\":{\"t0_us\":1000,\"uid\":\"u\","
		"\"m\":[1,2],\"n\":[10,15,{\"x\":1}],\"outcome\":\"suppressed\","
		"\"reason\":\"duplicate\"}}");
	record_rewind(r, "n");
	CHECK(r->outcome == OUTCOME_UNDECIDED && r->now_unix_us == 1010);
	CHECK(is(written(r),
		"{\"id\":\"a\",\"trace\":{\"t0_us\":1000,\"uid\":\"u\","
		"\"m\":[1,2],\"n\":[10,15]}}\n"));
	r = line("{\"id\":\"a\",\"trace\":{\"t0_us\":1000,\"uid\":\"u\","
		 "\"m\":[1,2],\"outcome\":\"suppressed\","
		 "\"reason\":\"duplicate\"}}");
	record_rewind(r, "n");
	CHECK(r->outcome == OUTCOME_SUPPRESSED && r->was_decided);
	record_free(pool, r);
	end();
}

/* Its memory is used by the next records meanwhile. */
static void a_parked_record_comes_back_as_it_was(void)
{
	struct record_parked *parked[2];
	struct record *bare;
	struct record *stamped;
	struct record *other;

	begin();
	bare = line("{\"id\":\"a\"}");
	record_fact_int(bare, "first", 1);
	bare->is_held = true;
	parked[0] = record_park(bare, "n");
	stamped = line(
		"{\"id\":\"b\",\"expires_ms\":7000,\"trace\":"
		"{\"t0_us\":5000000,\"uid\":\"u\",\"n\":[1,2],\"m\":[3,4]}}");
	record_add(stamped, "part", span_of("{\"n\":0,\"of\":2}"));
	parked[1] = record_park(stamped, "n");
	other = line("{\"id\":\"another one\",\"app\":\"shop\"}");
	CHECK(span_is(other->app, "shop") && !other->is_held);
	record_free(pool, line("{\"id\":\"and another one\"}"));
	bare = record_unpark(parked[0]);
	stamped = record_unpark(parked[1]);
	CHECK(stamped->root == NULL && stamped->id.ptr == NULL);
	CHECK(stamped->t0_unix_us == 5000000);
	CHECK(stamped->expires_unix_ms == 7000);
	CHECK(bare->is_held && !stamped->is_held);
	record_restore(stamped);
	CHECK(span_is(stamped->id, "b") && span_is(stamped->uid, "u"));
	CHECK(record_passed(stamped, "m"));
	record_fact_int(bare, "status", 200);
	record_decide(bare, REASON_OK);
	CHECK(is(written(bare),
		"{\"id\":\"a\",\"trace\":{\"t0_us\":5000000,\"uid\":\"s-1\","
		"\"n\":[0,7,{\"first\":1,\"status\":200}],"
		"\"outcome\":\"accepted\",\"reason\":\"ok\"}}\n"));
	CHECK(is(written(stamped),
		"{\"id\":\"b\",\"expires_ms\":7000,"
		"\"part\":{\"n\":0,\"of\":2},\"trace\":"
		"{\"t0_us\":5000000,\"uid\":\"u\",\"m\":[3,4],"
		"\"n\":[0,7]}}\n"));
	record_free(pool, other);
	/* A record that was parked is a whole one when it is used again. */
	CHECK(is(written(line("{\"id\":\"c\",\"trace\":{\"t0_us\":5000000,"
			      "\"uid\":\"u\",\"n\":[1,2]}}")),
		"{\"id\":\"c\",\"trace\":{\"t0_us\":5000000,\"uid\":\"u\","
		"\"n\":[0,7]}}\n"));
	end();
}

static void some_of_everything(void)
{
	begin();
	(void)written(line("{\"id\":\"a\",\"users\":[1,2,3]}"));
	(void)written(line("rubbish"));
	(void)written(line("{\"trace\":{\"a\":[1,2]},\"id\":\"a\"}"));
	end();
}

static void failing_memory_ends_the_program_cleanly(void)
{
	test_each_allocation_fails(some_of_everything);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_bare_task_gets_time_and_uid),
		TEST(every_other_byte_stays_as_it_came),
		TEST(a_trace_that_is_not_last_is_moved),
		TEST(a_node_used_twice_is_stamped_once),
		TEST(a_borrowed_line_is_kept_on_demand),
		TEST(a_borrowed_line_is_not_written_to),
		TEST(known_members_are_taken),
		TEST(decided_records_are_known_as_such),
		TEST(decisions_and_facts_are_written),
		TEST(what_is_no_object_is_kept_raw),
		TEST(wrong_types_and_doubles_are_refused),
		TEST(a_name_that_is_nearly_known_is_unknown),
		TEST(the_first_of_two_in_a_device_counts),
		TEST(a_task_over_the_maximum_keeps_its_beginning),
		TEST(what_stages_added_may_go_over_the_maximum),
		TEST(a_claim_drops_the_producers_trace),
		TEST(members_are_added_in_front_of_the_trace),
		TEST(a_task_is_replaced_and_the_trace_stays),
		TEST(parts_share_trace_and_identity),
		TEST(replay_takes_back_what_this_node_said),
		TEST(a_parked_record_comes_back_as_it_was),
		TEST(failing_memory_ends_the_program_cleanly),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
