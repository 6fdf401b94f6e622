/* Texts inside JSON become shorter where it does not show. */
#include "wire/shorten.h"

#include <string.h>

#include "test.h"

/* Shortens what stands between the quotes of {"b":"..."}; the text that is left, or
 * NULL. */
static const char *cut(
	const char *text, size_t over_bytes, enum shorten_count count)
{
	static char left[256];
	struct shorten_place place = { 6, strlen(text) };
	const char *result = NULL;
	struct buf b;
	size_t gone;
	size_t len;

	buf_init(&b, 4096);
	buf_fmt(&b, "{\"b\":\"%s\",\"z\":1}", text);
	len = b.len;
	gone = shorten(&b, &place, over_bytes, count);
	CHECK(b.len == len - gone);
	CHECK(b.len > 12 && memcmp(b.data, "{\"b\":\"", 6) == 0);
	CHECK(memcmp(b.data + b.len - 8, "\",\"z\":1}", 8) == 0);
	if (gone > 0) {
		CHECK(gone >= over_bytes || count == SHORTEN_READ);
		CHECK(b.len - 14 < sizeof(left));
		memcpy(left, b.data + 6, b.len - 14);
		left[b.len - 14] = '\0';
		result = left;
	} else {
		CHECK(memcmp(b.data + 6, text, strlen(text)) == 0);
	}
	buf_release(&b);
	return result;
}

#define DOTS "\xe2\x80\xa6"

static void check(const char *text, size_t over, const char *want)
{
	const char *got = cut(text, over, SHORTEN_WRITTEN);

	CHECK((got == NULL) == (want == NULL));
	if (got != NULL && want != NULL) {
		CHECK(strcmp(got, want) == 0);
	}
}

static void plain_text_loses_its_end(void)
{
	check("0123456789", 1, "012345" DOTS);
	check("0123456789", 6, "0" DOTS);
	check("0123456789", 7, NULL); /* nothing would be left */
	check("0123456789", 11, NULL);
	check("", 1, NULL);
	/* No space before the ellipsis. */
	check("now and then", 5, "now" DOTS);
	check("a            ", 3, "a" DOTS);
}

static void characters_stay_whole(void)
{
	/* e with acute, 2 bytes each */
	check("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 2,
		"\xc3\xa9\xc3\xa9" DOTS);
	/* CJK, 3 bytes each */
	check("\xe8\xa8\x82\xe5\x96\xae\xe5\xb7\xb2\xe5\x87\xba", 1,
		"\xe8\xa8\x82\xe5\x96\xae" DOTS);
	/* a face, 4 bytes each */
	check("ab\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 2, "ab" DOTS);
}

static void escapes_stay_whole(void)
{
	check("ab\\n\\ncd\\u0001\\u0001e", 1, "ab\\n\\ncd" DOTS);
	check("ab\\\"cd\\\"ef", 1, "ab\\\"cd" DOTS);
	check("\\\\\\\\\\\\\\\\", 1, "\\\\\\\\" DOTS);
}

static void signs_of_several_characters_stay_whole(void)
{
	/* e and a combining accent */
	check("xyze\xcc\x81"
	      "abc",
		1, "xyz" DOTS);
	check("xyze\xcc\x81"
	      "abcd",
		1, "xyze\xcc\x81" DOTS);
	/* a family: woman, joiner, girl */
	check("ab\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7"
	      "cd",
		3, "ab" DOTS);
	/* thumbs up with a skin tone */
	check("ab\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd"
	      "cd",
		2, "ab" DOTS);
	/* two flags: of France and of Japan */
	check("ab\xf0\x9f\x87\xab\xf0\x9f\x87\xb7\xf0\x9f\x87\xaf\xf0\x9f\x87\xb5",
		3, "ab\xf0\x9f\x87\xab\xf0\x9f\x87\xb7" DOTS);
}

static void what_is_read_counts_where_it_should(void)
{
	/* 8 bytes to be read, 14 as written. */
	const char *text = "ab\\ncd\\u0001ef";

	CHECK(strcmp(cut(text, 1, SHORTEN_READ), "ab\\nc" DOTS) == 0);
	CHECK(strcmp(cut(text, 1, SHORTEN_WRITTEN), "ab\\ncd" DOTS) == 0);
	CHECK(strcmp(cut(text, 4, SHORTEN_READ), "a" DOTS) == 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(plain_text_loses_its_end),
		TEST(characters_stay_whole),
		TEST(escapes_stay_whole),
		TEST(signs_of_several_characters_stay_whole),
		TEST(what_is_read_counts_where_it_should),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
