/* Latency over time: bounded slices, whatever the order and the span. */
#include "stats/timeline.h"

#include "test.h"

static uint64_t count_all(const struct timeline *t)
{
	uint64_t count = 0;

	for (int64_t i = t->low; i <= t->high; i++) {
		count += timeline_at(t, i)->count;
	}
	return count;
}

static void a_short_time_has_slices_of_a_millisecond(void)
{
	struct timeline t = { 0 };

	timeline_add(&t, 5000000, 7);
	timeline_add(&t, 5003000, 9);
	timeline_add(&t, 5000100, 8);
	CHECK(t.shift == 10);
	CHECK(timeline_at(&t, t.low)->count == 2);
	CHECK(timeline_at(&t, t.low)->max_us == 8);
	CHECK(timeline_at(&t, t.high)->count == 1);
	CHECK(timeline_at(&t, t.high)->max_us == 9);
	timeline_release(&t);
}

static void a_long_time_widens_them_and_loses_nothing(void)
{
	struct timeline t = { 0 };

	for (int64_t i = 0; i < 5000; i++) {
		/* Neither in order nor evenly. */
		timeline_add(&t, 1763627000000000 + i * 7919 % 5000 * 77777,
			i % 5000 * 3);
	}
	CHECK(t.high - t.low < TIMELINE_SLICES);
	CHECK(t.high - t.low >= TIMELINE_SLICES / 2 - 1);
	CHECK(count_all(&t) == 5000);
	timeline_release(&t);
}

static void earlier_ones_may_come_later(void)
{
	struct timeline t = { 0 };

	timeline_add(&t, 1LL << 50, 1);
	timeline_add(&t, 1000, 2);
	CHECK(count_all(&t) == 2);
	CHECK(timeline_at(&t, t.low)->max_us == 2);
	CHECK(timeline_at(&t, t.high)->max_us == 1);
	timeline_release(&t);
	CHECK(t.slices == NULL);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_short_time_has_slices_of_a_millisecond),
		TEST(a_long_time_widens_them_and_loses_nothing),
		TEST(earlier_ones_may_come_later),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
