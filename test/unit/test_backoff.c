/* How long to wait after failures in a row. */
#include "test.h"

#include "vendor/backoff.h"

static void waits_double_up_to_the_most(void)
{
	CHECK(backoff_of(1, 999) <= BACKOFF_FIRST_MS);
	CHECK(backoff_of(2, 0) == BACKOFF_FIRST_MS);
	CHECK(backoff_of(3, 0) == 2 * BACKOFF_FIRST_MS);
	CHECK(backoff_of(7, 0) == BACKOFF_MAX_MS / 2);
	CHECK(backoff_of(1000000, 0) == BACKOFF_MAX_MS / 2);
	CHECK(backoff_of(1000000, 999) <= BACKOFF_MAX_MS);
}

static void the_upper_half_is_chance(void)
{
	CHECK(backoff_of(1, 0) == BACKOFF_FIRST_MS / 2);
	CHECK(backoff_of(1, 500) == BACKOFF_FIRST_MS * 3 / 4);
	for (unsigned chance = 1; chance < 1000; chance++) {
		CHECK(backoff_of(4, chance) >= backoff_of(4, chance - 1));
	}
}

static void chance_does_not_repeat(void)
{
	int differ = 0;

	for (int i = 0; i < 100; i++) {
		int64_t ms = backoff_ms(7);

		CHECK(ms >= BACKOFF_MAX_MS / 2 && ms <= BACKOFF_MAX_MS);
		differ += ms != backoff_ms(7);
	}
	CHECK(differ > 50);
}

static void jitter_only_adds(void)
{
	CHECK(backoff_jitter_ms(0) == 0);
	for (int i = 0; i < 1000; i++) {
		int64_t ms = backoff_jitter_ms(1000);

		CHECK(ms >= 1000 && ms <= 1250);
	}
}

static void retries_wait_four_times_as_long_each_time(void)
{
	CHECK(backoff_retry_ms(1000, 0) == 1000); /* never saw a queue */
	CHECK(backoff_retry_ms(1000, 1) == 1000);
	CHECK(backoff_retry_ms(1000, 2) == 4000);
	CHECK(backoff_retry_ms(1000, 5) == 256000);
	CHECK(backoff_retry_ms(1000, 6) == BACKOFF_RETRY_MAX_MS);
	CHECK(backoff_retry_ms(10000, INT64_MAX) == BACKOFF_RETRY_MAX_MS);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(waits_double_up_to_the_most),
		TEST(the_upper_half_is_chance),
		TEST(chance_does_not_repeat),
		TEST(jitter_only_adds),
		TEST(retries_wait_four_times_as_long_each_time),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
