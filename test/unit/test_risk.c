/* Risk control: sets and patterns at their edges. */
#include "policy/risk.h"

#include <string.h>

#include "test.h"

static struct risk_rules *rules_of(bool is_caseless, const char *word)
{
	struct risk_rules *rules = risk_rules_new(is_caseless);
	struct err err = { 0 };

	if (word != NULL) {
		CHECK(risk_block_word(rules, span_of(word), &err) == 0);
	}
	return rules;
}

struct judged {
	enum reason reason;
	bool is_costly;
	char rule[64];
};

static struct judged judge(struct risk_rules *rules, const char *line)
{
	struct record_pool *pool = record_pool_new(RECORD_MAX_BYTES, "t");
	struct record *r = record_read(pool, line, strlen(line), 1);
	struct judged j = { .rule = "" };
	struct span rule = { NULL, 0 };

	j.reason = risk_judge(rules, r, &rule, &j.is_costly);
	CHECK((j.reason == REASON_RISK_CONTENT) == (rule.ptr != NULL));
	CHECK(fmt_into(j.rule, sizeof(j.rule), "%.*s", (int)rule.len,
		      rule.ptr == NULL ? "" : rule.ptr) == 0);
	record_free(pool, r);
	record_pool_free(pool);
	return j;
}

#define TITLE(text) "{\"message\":{\"notification\":{\"title\":\"" text "\"}}}"

static void campaigns_and_users_are_exact(void)
{
	struct risk_rules *rules = rules_of(true, NULL);

	risk_stop_campaign(rules, span_of("spring"));
	risk_block_user(rules, span_of("u1"));
	risk_block_user(rules, span_of("u1"));
	CHECK(judge(rules, "{\"campaign\":\"spring\"}").reason ==
		REASON_CAMPAIGN_STOPPED);
	CHECK(judge(rules, "{\"campaign\":\"Spring\"}").reason == REASON_NONE);
	CHECK(judge(rules, "{\"campaign\":\"\"}").reason == REASON_NONE);
	CHECK(judge(rules, "{\"user\":\"u1\"}").reason == REASON_RISK_USER);
	CHECK(judge(rules, "{\"user\":\"u\"}").reason == REASON_NONE);
	CHECK(judge(rules, "{\"user\":\"u1\\u0000\"}").reason == REASON_NONE);
	CHECK(judge(rules, "{}").reason == REASON_NONE);
	/* The kill switch is asked first. */
	CHECK(judge(rules, "{\"campaign\":\"spring\",\"user\":\"u1\"}")
			.reason == REASON_CAMPAIGN_STOPPED);
	risk_rules_free(rules);
}

static void sets_grow(void)
{
	struct risk_rules *rules = rules_of(false, NULL);
	char text[64];

	for (int i = 0; i < 2000; i++) {
		CHECK(fmt_into(text, sizeof(text), "u%d", i * 3) == 0);
		risk_block_user(rules, span_of(text));
	}
	for (int i = 0; i < 6000; i++) {
		CHECK(fmt_into(text, sizeof(text), "{\"user\":\"u%d\"}", i) ==
			0);
		CHECK((judge(rules, text).reason == REASON_RISK_USER) ==
			(i % 3 == 0));
	}
	risk_rules_free(rules);
}

static void the_first_pattern_that_matches_is_told(void)
{
	struct risk_rules *rules = rules_of(false, "b+");
	struct err err = { 0 };

	CHECK(risk_block_word(rules, span_of("c$"), &err) == 0);
	CHECK(strcmp(judge(rules, TITLE("abc")).rule, "b+") == 0);
	CHECK(strcmp(judge(rules, TITLE("ac")).rule, "c$") == 0);
	CHECK(judge(rules, TITLE("ca")).reason == REASON_NONE);
	CHECK(judge(rules, "{}").reason == REASON_NONE);
	CHECK(judge(rules, "{\"message\":{}}").reason == REASON_NONE);
	CHECK(judge(rules, "{\"message\":{\"data\":{\"b\":\"x\"}}}").reason ==
		REASON_NONE);
	CHECK(judge(rules, "{\"message\":{\"data\":{\"x\":\"b\"}}}").reason ==
		REASON_RISK_CONTENT);
	risk_rules_free(rules);
}

static void case_counts_unless_told(void)
{
	struct risk_rules *rules = rules_of(false, "straße");

	CHECK(judge(rules, TITLE("Straße")).reason == REASON_NONE);
	risk_rules_free(rules);
	rules = rules_of(true, "straÄe");
	CHECK(judge(rules, TITLE("STRAäE")).reason == REASON_RISK_CONTENT);
	risk_rules_free(rules);
}

static void an_empty_text_can_match(void)
{
	struct risk_rules *rules = rules_of(false, "^$");

	CHECK(judge(rules, TITLE("")).reason == REASON_RISK_CONTENT);
	CHECK(judge(rules, TITLE("x")).reason == REASON_NONE);
	risk_rules_free(rules);
}

static void work_is_bounded(void)
{
	struct risk_rules *rules = rules_of(false, "^(a+)+$");
	struct judged j = judge(
		rules, TITLE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"));

	CHECK(j.reason == REASON_RISK_CONTENT && j.is_costly);
	j = judge(rules, TITLE("aaa"));
	CHECK(j.reason == REASON_RISK_CONTENT && !j.is_costly);
	j = judge(rules, TITLE("bbb"));
	CHECK(j.reason == REASON_NONE && !j.is_costly);
	risk_rules_free(rules);
}

static void what_is_no_pattern_is_told_with_its_offset(void)
{
	struct risk_rules *rules = risk_rules_new(false);
	struct err err = { 0 };

	CHECK(risk_block_word(rules, span_of("a(b"), &err) == -1);
	CHECK(err.is_usage && strstr(err.text, "'a(b'") != NULL);
	CHECK(strstr(err.text, "offset 3") != NULL);
	CHECK(risk_block_word(rules, span_of("\xff"), &err) == -1);
	CHECK(risk_block_word(rules, span_of("\\C"), &err) == -1);
	/* The others are as they were. */
	CHECK(judge(rules, TITLE("a")).reason == REASON_NONE);
	risk_rules_free(rules);
}

static void lists_of_users_are_filtered(void)
{
	struct risk_rules *rules = rules_of(false, NULL);
	struct record_pool *pool = record_pool_new(RECORD_MAX_BYTES, "t");
	static const char line[] = "{\"users\":[\"a\",\"b\",7,\"c\"]}";
	struct record *r = record_read(pool, line, strlen(line), 1);
	struct buf users;
	size_t left = 9;

	buf_init(&users, 256);
	CHECK(risk_filter_users(rules, r, &users, &left) == 0);
	risk_block_user(rules, span_of("a"));
	risk_block_user(rules, span_of("c"));
	CHECK(risk_filter_users(rules, r, &users, &left) == 2);
	CHECK(left == 2);
	CHECK(span_is((struct span){ users.data, users.len }, "[\"b\",7]"));
	buf_release(&users);
	record_free(pool, r);
	record_pool_free(pool);
	risk_rules_free(rules);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(campaigns_and_users_are_exact),
		TEST(sets_grow),
		TEST(the_first_pattern_that_matches_is_told),
		TEST(case_counts_unless_told),
		TEST(an_empty_text_can_match),
		TEST(work_is_bounded),
		TEST(what_is_no_pattern_is_told_with_its_offset),
		TEST(lists_of_users_are_filtered),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
