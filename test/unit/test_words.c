/* Blocked words: whatever a match begins with, it is found. */
#include "policy/words.h"

#include <string.h>

#include "base/buf.h"
#include "test.h"

static void add(struct words *words, const char *pattern)
{
	struct err err = { 0 };

	CHECK(words_add(words, span_of(pattern), &err) == 0);
}

static bool is_found(struct words *words, struct span text)
{
	struct words_hit hit = { .is_costly = true };

	return words_find(words, text, &hit) && !hit.is_costly;
}

/* In a short text, which is looked at first, and in one too long for that. */
static bool is_found_in(const char *pattern, bool is_caseless, const char *text)
{
	struct words *words = words_new(is_caseless);
	struct buf longer;
	bool found;

	buf_init(&longer, SIZE_MAX);
	for (int i = 0; i < 40; i++) {
		buf_text(&longer, "0123456789\n");
	}
	buf_text(&longer, text);
	add(words, pattern);
	found = is_found(words, span_of(text));
	CHECK(is_found(words, (struct span){ longer.data, longer.len }) ==
		found);
	buf_release(&longer);
	words_free(words);
	return found;
}

static void a_match_may_begin_with_anything(void)
{
	static const struct {
		const char *pattern;
		bool is_caseless;
		const char *text;
		bool is_hit;
	} rows[] = {
		{ "free", false, "get free", true },
		{ "free", false, "get Free", false },
		{ "free", false, "get", false },
		{ "free", true, "get FREE", true },
		{ "FREE", true, "get free", true },
		{ "(?i)free", false, "get fRee", true },
		{ "(?i:f)ree", false, "get Free", true },
		/* What other case a letter has is not always a letter of ASCII:
		 * the Kelvin sign, the long s. */
		{ "kg", true, "10 \u212ag", true },
		{ "\u212ag", true, "10 kg", true },
		{ "sale", true, "\u017fale", true },
		{ "\u017fale", true, "SALE", true },
		/* Nor does it always begin with the same byte. */
		{ "\u00ff", true, "\u0178", true },
		{ "\u0178", true, "\u00ff", true },
		{ "\u0178", false, "\u00ff", false },
		{ "\u514d\u8d39", false, "a \u514d\u8d39 b", true },
		{ "\u514d\u8d39", false, "a \u514d b", false },
		/* A few, many, all. */
		{ "win|free|now", false, "now", true },
		{ "win|free|now", false, "nope", false },
		{ "a?b?c?d?e", false, "xxe", true },
		{ "[a-z]x", false, "qx", true },
		{ "[^a]x", false, "\u00e9x", true },
		{ ".x", false, "\u514dx", true },
		{ "\\d+ %", false, "10 %", true },
		{ "\\Bx", false, "ax", true },
		/* A match that begins elsewhere than where it was looked for. */
		{ "(?<=a)b", false, "ab", true },
		{ "a\\Kb", false, "ab", true },
		{ "(?=b)[a-c]", false, "b", true },
		{ "(?!a)[a-c]", false, "b", true },
		{ "(?m)^b$", false, "a\nb", true },
		{ "b$", false, "ab", true },
		{ "[@`]", true, "`", true },
		{ "@x", true, "`x", false },
		{ "\\x00", false, "a", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (is_found_in(rows[i].pattern, rows[i].is_caseless,
			    rows[i].text) != rows[i].is_hit) {
			FAIL(rows[i].pattern);
		}
	}
}

static void an_empty_text_can_be_matched(void)
{
	struct words *words = words_new(false);

	CHECK(!is_found(words, span_of("")));
	add(words, "x");
	CHECK(!is_found(words, span_of("")));
	add(words, "^$");
	CHECK(is_found(words, span_of("")));
	words_free(words);
}

/* Of several, the first that was added is told. */
static void the_first_of_many_is_told(void)
{
	struct words *words = words_new(false);
	struct words_hit hit = { .is_costly = true };
	char text[32];

	for (int i = 0; i < 300; i++) {
		CHECK(fmt_into(text, sizeof(text), "%c%d\\b", 'a' + i % 26,
			      i) == 0);
		add(words, text);
	}
	CHECK(words_count(words) == 300);
	for (int i = 0; i < 300; i++) {
		CHECK(fmt_into(text, sizeof(text), "z0 %c%d a0", 'a' + i % 26,
			      i) == 0);
		CHECK(words_find(words, span_of(text), &hit));
		CHECK(span_is(hit.pattern, "a0\\b") && !hit.is_costly);
		CHECK(fmt_into(text, sizeof(text), "z0 %c%d z299", 'a' + i % 26,
			      i) == 0);
		CHECK(words_find(words, span_of(text), &hit));
		CHECK(hit.pattern.ptr[0] == 'a' + i % 26);
		CHECK(!is_found(words, span_of("a b c d z0 z299")));
	}
	words_free(words);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_match_may_begin_with_anything),
		TEST(an_empty_text_can_be_matched),
		TEST(the_first_of_many_is_told),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
