/* lib/queue/entry: reading what the scripts have written. */
#include "queue/entry.h"

#include "test.h"

static void whole_entry_is_read(void)
{
	struct entry e;

	CHECK(entry_parse(
		      span_of("3 1763627000123 ab12-0 d 1|w1:x-0|-|y\n{\n}"),
		      &e) == 0);
	CHECK(e.attempt == 3);
	CHECK(e.first_unix_ms == 1763627000123);
	CHECK(span_is(e.uid, "ab12-0"));
	CHECK(e.origin == 'd');
	CHECK(span_is(e.history, "1|w1:x-0|-|y"));
	CHECK(span_is(e.bytes, "{\n}"));
	CHECK(entry_parse(span_of("1 1 u t -\n"), &e) == 0);
	CHECK(e.bytes.len == 0);
}

static void what_is_no_entry_is_refused(void)
{
	static const char *const wrong[] = { "", "x", "{\"id\":\"a\"}",
		"1 2 u t -", "1 2 u t\n", "x 2 u t -\n", "1 y u t -\n",
		" 2 u t -\n", "1 2 u task -\n", "1 2 u  -\n",
		"123456789012345678 2 u t -\n", "-1 2 u t -\n" };
	struct entry e;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		printf("%s\n", wrong[i]);
		CHECK(entry_parse(span_of(wrong[i]), &e) == -1);
	}
}

static void field_tells_when_it_was_claimed(void)
{
	/* 1763627000123456 in base 36 */
	CHECK(entry_claim_unix_ms(span_of("hd5j24dge8-7")) == 1763627000123);
	CHECK(entry_claim_unix_ms(span_of("hd5j24dge8.7")) == 1763627000123);
	CHECK(entry_claim_unix_ms(span_of("hd5j24dge8")) == 0);
	CHECK(entry_claim_unix_ms(span_of("HD5J24DGE8-7")) == 0);
	CHECK(entry_claim_unix_ms(span_of("")) == 0);
}

static void history_becomes_json(void)
{
	static const struct {
		const char *history;
		const char *json;
	} cases[] = {
		{ "-", "[]" },
		{ "", "[]" },
		{ "5|w1:c-0|-|lease-lost",
			"[{\"at_ms\":5,\"receipt\":\"w1:c-0\",\"why\":\"lease-lost\"}]" },
		{ "5|w1:c-0|2|throttled,6|-|-|replayed",
			"[{\"at_ms\":5,\"receipt\":\"w1:c-0\",\"part\":2,"
			"\"why\":\"throttled\"},"
			"{\"at_ms\":6,\"receipt\":\"-\",\"why\":\"replayed\"}]" },
		{ "broken,6|r|-|x",
			"[{\"at_ms\":6,\"receipt\":\"r\",\"why\":\"x\"}]" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf json;

		buf_init(&json, 4096);
		entry_put_history(&json, span_of(cases[i].history));
		printf("%s\n", buf_string(&json));
		CHECK(strcmp(buf_string(&json), cases[i].json) == 0);
		buf_release(&json);
	}
}

static void bytes_are_text_or_base64(void)
{
	struct buf json;

	buf_init(&json, 4096);
	entry_put_raw(&json, span_of("a\"b"));
	CHECK(strcmp(buf_string(&json), "\"raw\":\"a\\\"b\"") == 0);
	buf_reset(&json);
	entry_put_raw(&json, (struct span){ "\xff\x00\xfe", 3 });
	CHECK(strcmp(buf_string(&json), "\"raw_base64\":\"/wD+\"") == 0);
	buf_release(&json);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(whole_entry_is_read),
		TEST(what_is_no_entry_is_refused),
		TEST(field_tells_when_it_was_claimed),
		TEST(history_becomes_json),
		TEST(bytes_are_text_or_base64),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
