/* lib/net/redis_find: which slot a key has. */
#include "net/redis_find.h"

#include "test.h"

/* The slots that CLUSTER KEYSLOT of Redis 7.0.15 gives. */
static void keys_have_the_slots_that_redis_gives_them(void)
{
	static const struct {
		const char *key;
		unsigned slot;
	} known[] = {
		{ "foo", 12182 },
		{ "push:high", 12648 },
		{ "{push:high}:dead", 12648 },
		{ "{}x", 10595 },
		{ "a{b", 13340 },
		{ "a{}{b}", 15033 },
		{ "x{y}z{w}", 12222 },
		{ "123456789", 12739 },
		{ "}{q}", 11958 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		CHECK(redis_slot(span_of(known[i].key)) == known[i].slot);
	}
}

static void keys_of_a_queue_share_its_slot(void)
{
	unsigned slot = redis_slot(span_of("push:high"));

	CHECK(redis_slot(span_of("{push:high}:inflight:w1")) == slot);
	CHECK(redis_slot(span_of("{push:high}:dead")) == slot);
}

static void any_bytes_have_a_slot(void)
{
	const char bytes[] = { '{', '\0', '}', '\xff' };

	CHECK(redis_slot((struct span){ bytes, 4 }) ==
		redis_slot((struct span){ bytes + 1, 1 }));
	CHECK(redis_slot((struct span){ NULL, 0 }) == 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(keys_have_the_slots_that_redis_gives_them),
		TEST(keys_of_a_queue_share_its_slot),
		TEST(any_bytes_have_a_slot),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
