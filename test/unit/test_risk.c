/* Risk control: sets and patterns at their edges. */
#include "policy/risk.h"

#include <string.h>

#include "test.h"

static struct risk_rules *rules_of(bool is_caseless, const char *word)
{
	struct risk_rules *rules = risk_rules_new(is_caseless);
	struct err err = { 0 };

	if (word != NULL) {
		CHECK(risk_add(rules, RISK_WORD, span_of(word), &err) == 0);
	}
	return rules;
}

static void add(struct risk_rules *rules, enum risk_kind kind, struct span text)
{
	struct err err = { 0 };

	CHECK(risk_add(rules, kind, text, &err) == 0);
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
	struct risk_verdict v = risk_judge(rules, NULL, r);

	j.reason = v.is_hit ? risk_kind_reason(v.kind) : REASON_NONE;
	j.is_costly = v.is_costly;
	CHECK(fmt_into(j.rule, sizeof(j.rule), "%.*s", (int)v.rule.len,
		      v.rule.ptr == NULL ? "" : v.rule.ptr) == 0);
	record_free(pool, r);
	record_pool_free(pool);
	return j;
}

#define TITLE(text) "{\"message\":{\"notification\":{\"title\":\"" text "\"}}}"

static void campaigns_and_users_are_exact(void)
{
	struct risk_rules *rules = rules_of(true, NULL);

	add(rules, RISK_CAMPAIGN, span_of("spring"));
	add(rules, RISK_USER, span_of("u1"));
	add(rules, RISK_USER, span_of("u1"));
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
		add(rules, RISK_USER, span_of(text));
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

	CHECK(risk_add(rules, RISK_WORD, span_of("c$"), &err) == 0);
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

	CHECK(risk_add(rules, RISK_WORD, span_of("a(b"), &err) == -1);
	CHECK(err.is_usage && strstr(err.text, "'a(b'") != NULL);
	CHECK(strstr(err.text, "offset 3") != NULL);
	CHECK(risk_add(rules, RISK_WORD, span_of("\xff"), &err) == -1);
	CHECK(risk_add(rules, RISK_WORD, span_of("\\C"), &err) == -1);
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
	CHECK(risk_filter(rules, r, RISK_USER, &users, &left) == 0);
	add(rules, RISK_USER, span_of("a"));
	add(rules, RISK_USER, span_of("c"));
	CHECK(risk_filter(rules, r, RISK_USER, &users, &left) == 2);
	CHECK(left == 2);
	CHECK(span_is((struct span){ users.data, users.len },
		"{\"users\":[\"b\",7]}"));
	buf_release(&users);
	record_free(pool, r);
	record_pool_free(pool);
	risk_rules_free(rules);
}

static void devices_are_blocked_alone_and_in_lists(void)
{
	struct risk_rules *rules = rules_of(false, NULL);
	struct record_pool *pool = record_pool_new(RECORD_MAX_BYTES, "t");
	static const char line[] =
		"{\"devices\":[{\"platform\":\"ios\",\"token\":\"aa\"},"
		"{\"platform\":\"ios\",\"token\":\"bb\"}]}";
	struct record *r = record_read(pool, line, strlen(line), 1);
	struct buf list;
	size_t left = 9;

	add(rules, RISK_DEVICE, span_of("aa"));
	CHECK(judge(rules,
		      "{\"device\":{\"platform\":\"ios\",\"token\":\"aa\"}}")
			.reason == REASON_RISK_DEVICE);
	CHECK(judge(rules,
		      "{\"device\":{\"platform\":\"ios\",\"token\":\"AA\"}}")
			.reason == REASON_NONE);
	buf_init(&list, 256);
	CHECK(risk_filter(rules, r, RISK_DEVICE, &list, &left) == 1);
	CHECK(left == 1);
	CHECK(span_is((struct span){ list.data, list.len },
		"{\"devices\":[{\"platform\":\"ios\",\"token\":\"bb\"}]}"));
	buf_release(&list);
	record_free(pool, r);
	record_pool_free(pool);
	risk_rules_free(rules);
}

static void links_are_found_as_a_phone_would(void)
{
	static const struct {
		const char *text;
		bool is_hit;
	} texts[] = {
		{ "see http://evil.example", true },
		{ "see evil.example/x?y", true },
		{ "EVIL.Example.", true },
		{ "https://a.b.evil.example:8080/", true },
		{ "http://good.example@evil.example/", true },
		{ "(evil.example)", true },
		{ "notevil.example", false },
		{ "evil.example.org", false },
		{ "evil example", false },
		{ "evil-example", false },
		{ "cdn.example/", false },
		{ "cdn.example/adsx", false },
		{ "http://cdn.example/ads", true },
		{ "cdn.example/ads/banner.png", true },
		{ "cdn.example:443/ads?x", true },
		{ "x.cdn.example/ads", true },
		{ "b\u00fccher.example", true },
		{ "...", false },
		{ "1.5", false },
		{ "", false },
	};
	struct risk_rules *rules = rules_of(false, NULL);
	char line[256];

	add(rules, RISK_LINK, span_of("https://Evil.example/"));
	add(rules, RISK_LINK, span_of("cdn.example/ads"));
	add(rules, RISK_LINK, span_of("b\u00fccher.example"));
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct judged j;

		CHECK(fmt_into(line, sizeof(line), TITLE("%s"),
			      texts[i].text) == 0);
		j = judge(rules, line);
		if ((j.reason == REASON_RISK_LINK) != texts[i].is_hit) {
			FAIL(texts[i].text);
		}
	}
	CHECK(judge(rules, "{\"message\":{\"notification\":{\"image\":"
			   "\"https://cdn.example/ads/1.png\"}}}")
			.reason == REASON_RISK_LINK);
	risk_rules_free(rules);
}

static void what_is_no_site_is_told(void)
{
	static const char *const texts[] = { "", "example", "http://", "a b.c",
		".example.com", "example.com?x", "*.example.com" };
	struct risk_rules *rules = risk_rules_new(false);

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct err err = { 0 };

		CHECK(risk_add(rules, RISK_LINK, span_of(texts[i]), &err) ==
			-1);
		CHECK(err.is_usage);
	}
	risk_rules_free(rules);
}

static void counts_are_by_rule_and_never_show_a_token(void)
{
	struct risk_counts *counts = risk_counts_new();
	struct buf json;
	char name[128];

	buf_init(&json, SIZE_MAX);
	risk_counts_put(counts, &json);
	CHECK(strcmp(buf_string(&json), ",\"rules\":{}") == 0);
	buf_reset(&json);
	risk_count(counts, RISK_DEVICE, span_of("token"));
	risk_count(counts, RISK_DEVICE, span_of("other"));
	risk_counts_put(counts, &json);
	CHECK(strcmp(buf_string(&json), ",\"rules\":{\"device\":2}") == 0);
	for (int i = 0; i < 1000; i++) {
		CHECK(fmt_into(name, sizeof(name), "%050d", i) == 0);
		risk_count(counts, RISK_WORD, span_of(name));
	}
	buf_reset(&json);
	risk_counts_put(counts, &json);
	CHECK(json.len < RISK_COUNTS_MAX_BYTES + 64);
	CHECK(strstr(buf_string(&json), ",\"rules_left_out\":9") != NULL);
	buf_release(&json);
	risk_counts_free(counts);
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
		TEST(devices_are_blocked_alone_and_in_lists),
		TEST(links_are_found_as_a_phone_would),
		TEST(what_is_no_site_is_told),
		TEST(counts_are_by_rule_and_never_show_a_token),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
