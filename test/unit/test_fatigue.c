/* Rules: reading them, which match, what is given back.  The windows themselves
 * are tested where they are kept, in test_store. */
#include "policy/fatigue.h"

#include <fcntl.h>

#include "base/clock.h"
#include "test.h"

static struct record_pool *pool;

static struct conf *conf_of(const char *fatigue)
{
	char path[] = "/tmp/test_fatigue.XXXXXX";
	int fd = mkstemp(path);
	struct conf *conf = NULL;
	struct err err = { 0 };
	struct buf text;

	buf_init(&text, SIZE_MAX);
	buf_fmt(&text, "{\"fatigue\":%s}", fatigue);
	CHECK(fd >= 0);
	CHECK(write(fd, text.data, text.len) == (ssize_t)text.len);
	CHECK(close(fd) == 0);
	if (conf_load(&conf, path, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	CHECK(unlink(path) == 0);
	buf_release(&text);
	return conf;
}

static struct fatigue_rules *rules_of(const char *fatigue)
{
	struct fatigue_rules *rules = NULL;
	struct conf *conf = conf_of(fatigue);
	struct err err = { 0 };

	if (fatigue_rules_new(&rules, conf, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	conf_free(conf);
	return rules;
}

static void check_refused(const char *fatigue, const char *says)
{
	struct fatigue_rules *rules = NULL;
	struct conf *conf = conf_of(fatigue);
	struct err err = { 0 };

	CHECK(fatigue_rules_new(&rules, conf, &err) == -1);
	printf("%s\n", err.text);
	CHECK(err.is_usage);
	CHECK(strstr(err.text, "fatigue.rules[") != NULL);
	CHECK(strstr(err.text, says) != NULL);
	conf_free(conf);
}

static struct record *record_of(const char *task)
{
	struct record *r;

	if (pool == NULL) {
		pool = record_pool_new(RECORD_MAX_BYTES, "t");
	}
	r = record_read(pool, task, strlen(task), 9000000);
	CHECK(r->outcome == OUTCOME_UNDECIDED);
	return r;
}

/* How many rules cap the task. */
static size_t count_of(const struct fatigue_rules *rules, const char *task)
{
	struct store_asks asks = { 0 };
	struct record *r = record_of(task);
	size_t count = fatigue_ask(rules, r, STORE_FATIGUE_TAKE, &asks);

	CHECK(asks.count == count);
	record_free(pool, r);
	store_asks_release(&asks);
	return count;
}

static struct store_ask ask_of(
	const struct fatigue_rules *rules, const char *task)
{
	struct store_asks asks = { 0 };
	struct record *r = record_of(task);
	struct store_ask ask;

	CHECK(fatigue_ask(rules, r, STORE_FATIGUE_TAKE, &asks) == 1);
	ask = asks.items[0];
	record_free(pool, r);
	store_asks_release(&asks);
	return ask;
}

static void rules_match_by_app_category_and_priority(void)
{
	struct fatigue_rules *rules = rules_of(
		"{\"rules\":[{\"limit\":9,\"per\":\"1h\"},"
		"{\"app\":\"shop\",\"limit\":5,\"per\":\"1h\"},"
		"{\"category\":\"marketing\",\"limit\":3,\"per\":\"24h\"},"
		"{\"category\":\"marketing\",\"limit\":1,\"per\":\"1h\"},"
		"{\"priority\":\"low\",\"limit\":1,\"per\":\"1h\"}]}");

	CHECK(fatigue_rules_count(rules) == 5);
	CHECK(count_of(rules, "{\"user\":\"u\"}") == 1);
	CHECK(count_of(rules, "{\"user\":\"u\",\"app\":\"shop\"}") == 2);
	CHECK(count_of(rules, "{\"user\":\"u\",\"app\":\"shoe\"}") == 1);
	CHECK(count_of(rules, "{\"user\":\"u\",\"category\":\"marketing\"}") ==
		3);
	CHECK(count_of(rules, "{\"user\":\"u\",\"app\":\"shop\",\"category\":"
			      "\"marketing\",\"priority\":\"low\"}") == 5);
	fatigue_rules_free(rules);
}

static void exempt_categories_and_nobody_are_not_capped(void)
{
	struct fatigue_rules *rules =
		rules_of("{\"rules\":[{\"limit\":9,\"per\":\"1h\"}],"
			 "\"exempt\":[\"otp\",\"security\"]}");

	CHECK(count_of(rules, "{\"user\":\"u\",\"category\":\"otp\"}") == 0);
	CHECK(count_of(rules, "{\"user\":\"u\",\"category\":\"security\"}") ==
		0);
	CHECK(count_of(rules, "{\"user\":\"u\",\"category\":\"otp2\"}") == 1);
	CHECK(count_of(rules, "{\"topic\":\"news\"}") == 0);
	fatigue_rules_free(rules);
}

static void counts_are_of_one_user_app_and_rule(void)
{
	struct fatigue_rules *rules =
		rules_of("{\"rules\":[{\"limit\":3,\"per\":\"1h\"}]}");
	struct fatigue_rules *more =
		rules_of("{\"rules\":[{\"limit\":4,\"per\":\"1h\"}]}");
	struct fatigue_rules *longer =
		rules_of("{\"rules\":[{\"limit\":3,\"per\":\"2h\"}]}");
	struct store_ask base = ask_of(rules, "{\"app\":\"a\",\"user\":\"u\"}");
	struct store_ask other;

	other = ask_of(rules, "{\"app\":\"a\",\"user\":\"u\",\"id\":\"x\"}");
	CHECK(memcmp(&base.key, &other.key, sizeof(base.key)) == 0);
	other = ask_of(rules, "{\"app\":\"a\",\"user\":\"v\"}");
	CHECK(memcmp(&base.key, &other.key, sizeof(base.key)) != 0);
	other = ask_of(rules, "{\"app\":\"b\",\"user\":\"u\"}");
	CHECK(memcmp(&base.key, &other.key, sizeof(base.key)) != 0);
	other = ask_of(longer, "{\"app\":\"a\",\"user\":\"u\"}");
	CHECK(memcmp(&base.key, &other.key, sizeof(base.key)) != 0);
	/* Another limit goes on with the same count. */
	other = ask_of(more, "{\"app\":\"a\",\"user\":\"u\"}");
	CHECK(memcmp(&base.key, &other.key, sizeof(base.key)) == 0);
	CHECK(base.limit == 3 && other.limit == 4);
	CHECK(base.window_ms == 3600000 && base.now_unix_ms == 9000);
	fatigue_rules_free(rules);
	fatigue_rules_free(more);
	fatigue_rules_free(longer);
}

static void bad_rules_are_named(void)
{
	check_refused("{\"rules\":[{\"per\":\"1h\"}]}", "limit");
	check_refused("{\"rules\":[{\"limit\":3}]}", "per");
	check_refused("{\"rules\":[{\"limit\":0,\"per\":\"1h\"}]}", "1 to");
	check_refused("{\"rules\":[{\"limit\":1001,\"per\":\"1h\"}]}", "1 to");
	check_refused("{\"rules\":[{\"limit\":3,\"per\":\"1h\"},"
		      "{\"limit\":3,\"per\":\"500ms\"}]}",
		"rules[1]");
	/* Both would count in the same place. */
	check_refused("{\"rules\":[{\"limit\":3,\"per\":\"1h\"},"
		      "{\"limit\":5,\"per\":\"60m\"}]}",
		"3 per 1h");
}

static void a_rule_may_come_from_the_command_line(void)
{
	struct fatigue_rules *rules = NULL;
	struct err err = { 0 };

	CHECK(fatigue_rules_new(&rules, NULL, &err) == 0);
	CHECK(fatigue_rules_count(rules) == 0);
	CHECK(fatigue_rules_add(rules, 3, "24h", &err) == 0);
	CHECK(count_of(rules, "{\"user\":\"u\"}") == 1);
	CHECK(fatigue_rules_add(rules, 3, "often", &err) == -1);
	CHECK(err.is_usage && strstr(err.text, "often") != NULL);
	fatigue_rules_free(rules);
}

static void the_first_rule_that_is_over_is_named(void)
{
	static const char task[] = "{\"app\":\"shop\",\"user\":\"u\","
				   "\"category\":\"marketing\"}";
	struct fatigue_rules *rules = rules_of(
		"{\"rules\":[{\"app\":\"none\",\"limit\":9,\"per\":\"1h\"},"
		"{\"limit\":9,\"per\":\"1h\"},"
		"{\"app\":\"shop\",\"category\":\"marketing\","
		"\"priority\":\"normal\",\"limit\":3,\"per\":\"24h\"}]}");
	struct store_asks asks = { 0 };
	struct store_asks refunds = { 0 };
	struct record *r = record_of(task);

	CHECK(fatigue_ask(rules, r, STORE_FATIGUE_TAKE, &asks) == 2);
	asks.items[0].answer = STORE_FREE;
	asks.items[1].answer = STORE_MINE;
	CHECK(fatigue_judge(rules, r, asks.items, 2) == NULL);
	asks.items[1].answer = STORE_OVER;
	CHECK(strcmp(fatigue_judge(rules, r, asks.items, 2)->name,
		      "shop marketing normal 3 per 24h") == 0);

	fatigue_refund(asks.items, 2, &refunds);
	CHECK(refunds.count == 1);
	CHECK(refunds.items[0].verb == STORE_FATIGUE_RELEASE);
	CHECK(memcmp(&refunds.items[0].key, &asks.items[0].key,
		      sizeof(struct digest)) == 0);

	/* Room is made by others, for what was over. */
	CHECK(!fatigue_has_room(asks.items, 2, &refunds));
	refunds.items[0].key = asks.items[1].key;
	CHECK(!fatigue_has_room(asks.items, 2, &refunds));
	refunds.items[0].uid = digest_of("another", 7);
	CHECK(fatigue_has_room(asks.items, 2, &refunds));

	asks.items[0].answer = STORE_OVER;
	CHECK(strcmp(fatigue_judge(rules, r, asks.items, 2)->name,
		      "9 per 1h") == 0);
	record_free(pool, r);
	store_asks_release(&asks);
	store_asks_release(&refunds);
	fatigue_rules_free(rules);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(rules_match_by_app_category_and_priority),
		TEST(exempt_categories_and_nobody_are_not_capped),
		TEST(counts_are_of_one_user_app_and_rule),
		TEST(bad_rules_are_named),
		TEST(a_rule_may_come_from_the_command_line),
		TEST(the_first_rule_that_is_over_is_named),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
