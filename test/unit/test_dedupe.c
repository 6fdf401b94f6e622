/* Which pushes share a dedupe key, and what the answers mean. */
#include "policy/dedupe.h"

#include "test.h"

static struct record_pool *pool;

/* The ask for a line; `uid' as if push-pop had given it. */
static struct store_ask ask_of(const char *task, const char *uid)
{
	struct buf line;
	struct record *r;
	struct store_asks asks = { 0 };
	struct dedupe_rules *rules = NULL;
	struct err err = { 0 };
	struct store_ask ask;

	if (pool == NULL) {
		pool = record_pool_new(RECORD_MAX_BYTES, "t");
	}
	buf_init(&line, SIZE_MAX);
	buf_put(&line, task, strlen(task) - 1);
	buf_fmt(&line, "%s\"trace\":{\"t0_us\":5000000,\"uid\":\"%s\"}}",
		strlen(task) > 2 ? "," : "", uid);
	r = record_read(pool, line.data, line.len, 7000000);
	CHECK(r->outcome == OUTCOME_UNDECIDED);
	CHECK(dedupe_rules_new(&rules, NULL, 60000, &err) == 0);
	CHECK(dedupe_ask(rules, r, STORE_DEDUPE_RESERVE, &asks) == 1);
	ask = asks.items[0];
	store_asks_release(&asks);
	dedupe_rules_free(rules);
	record_free(pool, r);
	buf_release(&line);
	return ask;
}

static bool is_same_key(const char *a, const char *b)
{
	struct store_ask x = ask_of(a, "u1");
	struct store_ask y = ask_of(b, "u2");

	return memcmp(&x.key, &y.key, sizeof(x.key)) == 0;
}

static void the_same_id_to_the_same_device_is_one_key(void)
{
	CHECK(is_same_key("{\"app\":\"s\",\"id\":\"1\",\"user\":\"u\","
			  "\"device\":{\"platform\":\"ios\",\"token\":\"a\"}}",
		"{\"app\":\"s\",\"id\":\"1\",\"user\":\"u\",\"device\":"
		"{\"platform\":\"ios\",\"token\":\"a\",\"locale\":\"de\"},"
		"\"part\":{\"n\":1,\"of\":2}}"));
}

static void app_name_and_target_make_the_key(void)
{
	static const char base[] = "{\"app\":\"s\",\"id\":\"1\",\"device\":"
				   "{\"platform\":\"ios\",\"token\":\"a\"}}";
	static const char *const others[] = {
		"{\"app\":\"t\",\"id\":\"1\",\"device\":"
		"{\"platform\":\"ios\",\"token\":\"a\"}}",
		"{\"app\":\"s\",\"id\":\"2\",\"device\":"
		"{\"platform\":\"ios\",\"token\":\"a\"}}",
		"{\"app\":\"s\",\"id\":\"1\",\"device\":"
		"{\"platform\":\"ios\",\"token\":\"b\"}}",
		"{\"app\":\"s\",\"id\":\"1\",\"device\":"
		"{\"platform\":\"android\",\"token\":\"a\"}}",
		"{\"app\":\"s\",\"id\":\"1\",\"topic\":\"a\"}",
		"{\"app\":\"s\",\"id\":\"1\",\"condition\":\"a\"}",
		"{\"app\":\"s\",\"id\":\"1\",\"channel\":\"a\"}",
		"{\"app\":\"s\",\"id\":\"1\",\"user\":\"a\"}",
		"{\"app\":\"s\",\"id\":\"1\"}",
		"{\"id\":\"1\",\"device\":"
		"{\"platform\":\"ios\",\"token\":\"a\"}}",
	};

	CHECK(is_same_key(base, base));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		CHECK(!is_same_key(base, others[i]));
		CHECK(is_same_key(others[i], others[i]));
		for (size_t k = 0; k < i; k++) {
			CHECK(!is_same_key(others[k], others[i]));
		}
	}
}

static void a_dedupe_key_stands_for_the_id(void)
{
	CHECK(is_same_key("{\"id\":\"1\",\"dedupe_key\":\"k\"}",
		"{\"id\":\"2\",\"dedupe_key\":\"k\"}"));
	CHECK(is_same_key(
		"{\"id\":\"k\"}", "{\"id\":\"2\",\"dedupe_key\":\"k\"}"));
	CHECK(!is_same_key("{\"id\":\"1\",\"dedupe_key\":\"k\"}",
		"{\"id\":\"1\",\"dedupe_key\":\"l\"}"));
}

static void a_task_without_a_name_is_like_no_other(void)
{
	struct store_ask first = ask_of("{\"user\":\"u\"}", "u1");
	struct store_ask again = ask_of("{\"user\":\"u\"}", "u1");
	struct store_ask named = ask_of("{\"user\":\"u\",\"id\":\"u1\"}", "u9");

	CHECK(!is_same_key("{\"user\":\"u\"}", "{\"user\":\"u\"}"));
	CHECK(memcmp(&first.key, &again.key, sizeof(first.key)) == 0);
	CHECK(memcmp(&first.uid, &again.uid, sizeof(first.uid)) == 0);
	/* Nobody can take it by choosing an id. */
	CHECK(memcmp(&first.key, &named.key, sizeof(first.key)) != 0);
}

static void the_uid_tells_whose_it_is(void)
{
	struct store_ask a = ask_of("{\"id\":\"1\"}", "u1");
	struct store_ask b = ask_of("{\"id\":\"1\"}", "u2");

	CHECK(memcmp(&a.key, &b.key, sizeof(a.key)) == 0);
	CHECK(memcmp(&a.uid, &b.uid, sizeof(a.uid)) != 0);
	CHECK(a.now_unix_ms == 7000 && a.window_ms == 60000);
	CHECK(a.verb == STORE_DEDUPE_RESERVE);
}

static enum dedupe_verdict judged(
	size_t count, enum store_answer first, enum store_answer second)
{
	const struct store_ask asks[] = { { .answer = first },
		{ .answer = second } };

	return dedupe_judge(asks, count);
}

static void the_answers_are_judged(void)
{
	CHECK(judged(0, STORE_OTHER, STORE_OTHER) == DEDUPE_PASS);
	/* Per user: the user, then the device. */
	CHECK(judged(2, STORE_DONE, STORE_FREE) == DEDUPE_PASS);
	CHECK(judged(2, STORE_MINE, STORE_DONE) == DEDUPE_ALREADY_DONE);
	CHECK(judged(2, STORE_OTHER, STORE_FREE) == DEDUPE_DUPLICATE);
	CHECK(judged(1, STORE_FREE, STORE_OTHER) == DEDUPE_PASS);
	CHECK(judged(1, STORE_MINE, STORE_OTHER) == DEDUPE_PASS);
	CHECK(judged(1, STORE_DONE, STORE_OTHER) == DEDUPE_ALREADY_DONE);
	CHECK(judged(1, STORE_OTHER, STORE_OTHER) == DEDUPE_DUPLICATE);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(the_same_id_to_the_same_device_is_one_key),
		TEST(app_name_and_target_make_the_key),
		TEST(a_dedupe_key_stands_for_the_id),
		TEST(a_task_without_a_name_is_like_no_other),
		TEST(the_uid_tells_whose_it_is),
		TEST(the_answers_are_judged),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
