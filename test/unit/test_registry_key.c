/* Names of the registry's keys: different pairs, different keys, and back. */
#include "store/registry_key.h"

#include "net/redis_find.h"
#include "test.h"

static const struct registry_kind plain = { "push:u:", false };
static const struct registry_kind tagged = { "push:u:", true };

static const char *const names[] = { "shop", "a:b", "a", "b:c", "a%3Ab", "%",
	"{x}", "{", "}", "x}y{z", "st*r", "", "%7B", "a}:b" };
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static void a_server_of_its_own_keeps_the_names_it_had(void)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	CHECK(span_is(registry_key(&b, &plain, span_of("a:b%"), span_of("c:d")),
		"push:u:a%3Ab%25:c:d"));
	CHECK(span_is(registry_key(&b, &plain, span_of("{x}"), span_of("u")),
		"push:u:{x}:u"));
	CHECK(span_is(registry_pattern(&b, &plain, span_of("")), "push:u:*"));
	buf_release(&b);
}

static void round_trip(
	const struct registry_kind *kind, struct span app, struct span name)
{
	struct buf b;
	struct buf got;
	struct span got_name;
	struct span key;

	buf_init(&b, SIZE_MAX);
	buf_init(&got, SIZE_MAX);
	key = registry_key(&b, kind, app, name);
	CHECK(registry_key_parse(key, kind, &got, &got_name));
	CHECK(span_equal((struct span){ buf_string(&got), got.len }, app));
	CHECK(span_equal(got_name, name));
	buf_release(&b);
	buf_release(&got);
}

static void every_pair_comes_back(void)
{
	for (size_t i = 0; i < NAMES; i++) {
		for (size_t k = 0; k < NAMES; k++) {
			round_trip(
				&plain, span_of(names[i]), span_of(names[k]));
			round_trip(
				&tagged, span_of(names[i]), span_of(names[k]));
		}
	}
}

/* In a cluster a script may touch all keys of an app. */
static void the_keys_of_an_app_share_a_slot_and_only_those(void)
{
	static const struct registry_kind tokens = { "push:t:", true };
	struct buf b;
	unsigned slot;

	buf_init(&b, SIZE_MAX);
	for (size_t i = 0; i < NAMES; i++) {
		struct span app = span_of(names[i]);

		slot = redis_slot(registry_key(&b, &tagged, app, span_of("u")));
		for (size_t k = 0; k < NAMES; k++) {
			struct span name = span_of(names[k]);

			CHECK(redis_slot(registry_key(
				      &b, &tagged, app, name)) == slot);
			CHECK(redis_slot(registry_key(
				      &b, &tokens, app, name)) == slot);
			CHECK(i == k || redis_slot(registry_key(&b, &tagged,
						name, span_of("u"))) != slot);
		}
	}
	buf_release(&b);
}

static void what_is_no_key_of_ours_is_told(void)
{
	static const char *const wrong[] = { "", "push:u:", "push:u:shop",
		"push:t:{shop}:u", "push:u:%4:u", "push:u:{shop:u",
		"push:u:{%zz}:u", "push:u:{}x:u" };
	struct buf app;
	struct span name;

	buf_init(&app, SIZE_MAX);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK(!registry_key_parse(
			span_of(wrong[i]), &tagged, &app, &name));
	}
	CHECK(!registry_key_parse(
		span_of("push:u:a%4:u"), &plain, &app, &name));
	buf_release(&app);
}

static void a_pattern_means_its_own_app_only(void)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	CHECK(span_is(registry_pattern(&b, &tagged, span_of("st*r[x]")),
		"push:u:{st\\*r\\[x\\]}:*"));
	CHECK(span_is(
		registry_pattern(&b, &tagged, span_of("")), "push:u:{%}:*"));
	buf_release(&b);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_server_of_its_own_keeps_the_names_it_had),
		TEST(every_pair_comes_back),
		TEST(the_keys_of_an_app_share_a_slot_and_only_those),
		TEST(what_is_no_key_of_ours_is_told),
		TEST(a_pattern_means_its_own_app_only),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
