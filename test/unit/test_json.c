/* JSON texts as we write them. */
#include "record/json.h"

#include "test.h"

enum { LONGEST = 40 };

static bool is_written(const char *text, size_t len, const char *expected)
{
	struct buf b;
	bool is_it;

	buf_init(&b, 1024);
	json_put_text(&b, text, len);
	is_it = span_is((struct span){ b.data, b.len }, expected);
	if (!is_it) {
		printf("%.*s instead of %s\n", (int)b.len, b.data, expected);
	}
	buf_release(&b);
	return is_it;
}

/* One character that is written in its own way, at each place of texts of each
 * length. */
static void what_needs_an_escape_gets_it_wherever_it_stands(void)
{
	static const struct {
		const char *is;
		size_t len;
		const char *written;
	} chars[] = {
		{ "\"", 1, "\\\"" },
		{ "\\", 1, "\\\\" },
		{ "\n", 1, "\\n" },
		{ "\r", 1, "\\r" },
		{ "\t", 1, "\\t" },
		{ "\0", 1, "\\u0000" },
		{ "\1", 1, "\\u0001" },
		{ "\x1f", 1, "\\u001f" },
		{ " ", 1, " " },
		{ "!", 1, "!" },
		{ "\x7f", 1, "\x7f" },
		{ "\x80", 1, "\xef\xbf\xbd" }, /* no UTF-8 */
		{ "\xff", 1, "\xef\xbf\xbd" },
		{ "\xc3\xa9", 2, "\xc3\xa9" },
		{ "\xe4\xbd\xa0", 3, "\xe4\xbd\xa0" },
		{ "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80" },
	};

	for (size_t c = 0; c < sizeof(chars) / sizeof(chars[0]); c++) {
		for (size_t before = 0; before < LONGEST; before++) {
			for (size_t behind = 0; behind < LONGEST; behind++) {
				char text[100];
				char expected[120];
				char *end = expected + before + 1;

				memset(text, 'a', sizeof(text));
				memset(expected, 'a', sizeof(expected));
				memcpy(text + before, chars[c].is,
					chars[c].len);
				expected[0] = '"';
				memcpy(end, chars[c].written,
					strlen(chars[c].written));
				end += strlen(chars[c].written) + behind;
				memcpy(end, "\"", 2);
				CHECK(is_written(text,
					before + chars[c].len + behind,
					expected));
			}
		}
	}
}

static void neighbours_are_told_apart(void)
{
	CHECK(is_written("\"\"\\\\\n\n", 6, "\"\\\"\\\"\\\\\\\\\\n\\n\""));
	CHECK(is_written(
		"aaaaaaa\"\\aaaaaa!", 16, "\"aaaaaaa\\\"\\\\aaaaaa!\""));
	CHECK(is_written("\xe4\xbd\xa0\xe5\xa5\xbd\"ok", 9,
		"\"\xe4\xbd\xa0\xe5\xa5\xbd\\\"ok\""));
	CHECK(is_written(NULL, 0, "\"\""));
}

static void a_parsed_value_is_written_as_it_was(void)
{
	static const char *const texts[] = { "0", "7", "-12",
		"18446744073709551615", "-9223372036854775808", "true", "false",
		"null", "\"a\\\"b\"", "1.5", "[1,[2,{\"a\":null}]]",
		"{\"a\":{\"b\":[]}}", "{}" };
	struct buf b;

	buf_init(&b, 1024);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_doc *doc = json_parse(
			texts[i], strlen(texts[i]), JSON_STRICT, NULL);

		CHECK(doc != NULL);
		buf_reset(&b);
		json_write(&b, json_root(doc));
		CHECK(span_is((struct span){ b.data, b.len }, texts[i]));
		json_free(doc);
	}
	buf_release(&b);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(what_needs_an_escape_gets_it_wherever_it_stands),
		TEST(neighbours_are_told_apart),
		TEST(a_parsed_value_is_written_as_it_was),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
