/* Where members stand in a text. */
#include "record/place.h"

#include "test.h"

static const char text[] = "{ // 'a': {\n"
			   "  \"a\": 1, /* \"b\":\n"
			   "  */ \"b\": {\"c\": \"x}\\\"]\", \"d.e\":\n"
			   "    [1, {\"f\": -1.5e3},\n"
			   "     [ ], // ]\n"
			   "     {\"g\": null,},\n"
			   "    ],\n"
			   "    \"d\": {\"e\": 5}\n"
			   "  },\n"
			   "  \"bb\": [true]}";

static size_t line(const char *path)
{
	return place_line(span_of(text), span_of(path));
}

static void members_are_found_by_their_path(void)
{
	CHECK(line("a") == 2);
	CHECK(line("b") == 3);
	CHECK(line("b.c") == 3);
	CHECK(line("b.d.e") == 3);
	CHECK(line("b.d.e[0]") == 4);
	CHECK(line("b.d.e[1].f") == 4);
	CHECK(line("b.d.e[2]") == 5);
	CHECK(line("b.d.e[3].g") == 6);
	CHECK(line("bb[0]") == 10);
	CHECK(line("bb") == 10);
}

static void what_is_not_there_is_found_as_near_as_can_be(void)
{
	CHECK(line("") == 0);
	CHECK(line("x") == 0);
	CHECK(line("c") == 0);
	CHECK(line("[0]") == 0);
	CHECK(line("a.x") == 2);
	CHECK(line("b.x") == 3);
	CHECK(line("b.d.e[9]") == 3);
	CHECK(line("b.d.e[3].x") == 6);
	CHECK(line("b.d.e[x]") == 3);
	CHECK(line("bb[99999999999999999999999]") == 10);
}

static void a_text_that_is_cut_off_anywhere_is_not_overrun(void)
{
	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len + 1);

		CHECK(copy != NULL);
		memcpy(copy, text, len);
		/* The address sanitizer sees what is read behind it. */
		copy = realloc(copy, len == 0 ? 1 : len);
		CHECK(copy != NULL);
		(void)place_line(
			(struct span){ copy, len }, span_of("b.d.e[3].g"));
		(void)place_line((struct span){ copy, len }, span_of("bb[7]"));
		free(copy);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(members_are_found_by_their_path),
		TEST(what_is_not_there_is_found_as_near_as_can_be),
		TEST(a_text_that_is_cut_off_anywhere_is_not_overrun),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
