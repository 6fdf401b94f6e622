/* Sets of names: what is in them, whatever their number and length. */
#include "policy/nameset.h"

#include <string.h>

#include "base/buf.h"
#include "test.h"

enum { LONGEST = 100, MANY = 100 * 1000 };

static struct span bytes_of(const char *ptr, size_t len)
{
	return (struct span){ ptr, len };
}

static void an_empty_set_has_nothing(void)
{
	struct nameset set = { 0 };

	CHECK(!nameset_has(&set, span_of("")));
	CHECK(!nameset_has(&set, span_of("a")));
	CHECK(!nameset_has(&set, span_of(NULL)));
	CHECK(nameset_find(&set, span_of("a")) == NULL);
	nameset_release(&set);
}

static void an_empty_name_is_a_name_and_an_absent_one_is_none(void)
{
	struct nameset set = { 0 };

	(void)nameset_add(&set, span_of(""));
	CHECK(nameset_has(&set, span_of("")));
	CHECK(!nameset_has(&set, span_of(NULL)));
	CHECK(!nameset_has(&set, bytes_of("\0", 1)));
	nameset_release(&set);
}

/* What differs in one byte, or in the length alone, is another name. */
static void every_byte_of_a_name_counts(void)
{
	char name[LONGEST + 1];

	for (size_t len = 1; len <= LONGEST; len++) {
		struct nameset set = { 0 };

		memset(name, 'n', sizeof(name));
		nameset_add(&set, bytes_of(name, len))->count = len;
		CHECK(nameset_find(&set, bytes_of(name, len))->count == len);
		CHECK(!nameset_has(&set, bytes_of(name, len - 1)));
		CHECK(!nameset_has(&set, bytes_of(name, len + 1)));
		for (size_t at = 0; at < len; at++) {
			name[at] = 'o';
			CHECK(!nameset_has(&set, bytes_of(name, len)));
			(void)nameset_add(&set, bytes_of(name, len));
			CHECK(nameset_has(&set, bytes_of(name, len)));
			name[at] = 'n';
		}
		CHECK(set.count == len + 1);
		CHECK(nameset_find(&set, bytes_of(name, len))->count == len);
		nameset_release(&set);
	}
}

/* Nothing behind a name is looked at: it may stand where memory ends. */
static void a_name_ends_where_it_ends(void)
{
	struct nameset set = { 0 };

	for (size_t len = 1; len <= LONGEST; len++) {
		char *name = mem_alloc(len);

		memset(name, 'n', len);
		(void)nameset_add(&set, bytes_of(name, len));
		CHECK(nameset_has(&set, bytes_of(name, len)));
		mem_free(name);
	}
	CHECK(set.count == LONGEST);
	nameset_release(&set);
}

static void many_names_keep_their_counts(void)
{
	struct nameset set = { 0 };
	char name[32];

	for (size_t n = 0; n < MANY; n++) {
		CHECK(fmt_into(name, sizeof(name), "user-%zu", n) == 0);
		CHECK(!nameset_has(&set, span_of(name)));
		nameset_add(&set, span_of(name))->count = n;
	}
	CHECK(set.count == MANY);
	for (size_t n = 0; n < MANY; n++) {
		CHECK(fmt_into(name, sizeof(name), "user-%zu", n) == 0);
		CHECK(nameset_find(&set, span_of(name))->count == n);
		CHECK(nameset_add(&set, span_of(name))->count == n);
		name[0] = 'U';
		CHECK(!nameset_has(&set, span_of(name)));
	}
	CHECK(set.count == MANY);
	nameset_release(&set);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(an_empty_set_has_nothing),
		TEST(an_empty_name_is_a_name_and_an_absent_one_is_none),
		TEST(every_byte_of_a_name_counts),
		TEST(a_name_ends_where_it_ends),
		TEST(many_names_keep_their_counts),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
