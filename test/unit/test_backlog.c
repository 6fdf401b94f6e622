/* The backlog over time against a count by hand. */
#include "stats/backlog.h"

#include "test.h"

#define DAY_US (86400LL * 1000 * 1000)

static void nothing_gives_zeros(void)
{
	struct backlog b = { 0 };
	struct backlog_peak peak;

	backlog_peak(&b, &peak);
	CHECK(peak.max == 0);
	CHECK(peak.mean == 0);
	backlog_release(&b);
}

static void overlapping_stays_add_up(void)
{
	struct backlog b = { 0 };
	struct backlog_peak peak;

	backlog_add(&b, 1000, 1010);
	backlog_add(&b, 1005, 1020);
	backlog_add(&b, 1008, 1009);
	backlog_add(&b, 1030, 1040);
	backlog_peak(&b, &peak);
	CHECK(peak.step_us == 1);
	CHECK(peak.max == 3);
	CHECK(peak.at_unix_us == 1009);
	CHECK(peak.from_unix_us == 1000);
	CHECK(peak.to_unix_us == 1040);
	CHECK(peak.mean == (10.0 + 15 + 1 + 10) / 40);
	backlog_release(&b);
}

static void order_makes_no_difference(void)
{
	struct backlog forth = { 0 };
	struct backlog back = { 0 };
	struct backlog_peak a;
	struct backlog_peak z;

	for (int64_t i = 0; i < 1000; i++) {
		backlog_add(
			&forth, DAY_US + i * 1000, DAY_US + i * 1000 + 5500);
	}
	for (int64_t i = 999; i >= 0; i--) {
		backlog_add(&back, DAY_US + i * 1000, DAY_US + i * 1000 + 5500);
	}
	backlog_peak(&forth, &a);
	backlog_peak(&back, &z);
	CHECK(a.step_us == 8); /* 1,004,500 µs in at most 131,072 steps */
	CHECK(a.max == 6);
	CHECK(a.max == z.max);
	CHECK(a.at_unix_us == z.at_unix_us);
	CHECK(a.step_us == z.step_us);
	CHECK(a.mean == z.mean);
	backlog_release(&forth);
	backlog_release(&back);
}

static void a_day_needs_no_more_memory_than_a_second(void)
{
	struct backlog b = { 0 };
	struct backlog_peak peak;

	backlog_add(&b, DAY_US, DAY_US + 1);
	for (int64_t i = 0; i < 24; i++) {
		backlog_add(&b, 7 * DAY_US + i * DAY_US / 24,
			7 * DAY_US + i * DAY_US / 24 + DAY_US / 24 - 1);
	}
	backlog_peak(&b, &peak);
	CHECK(peak.max == 1);
	CHECK(peak.step_us > 1000000);
	CHECK((peak.to_unix_us - peak.from_unix_us) / peak.step_us <
		BACKLOG_STEPS);
	backlog_release(&b);
}

static void a_stay_shorter_than_a_step_is_not_seen_but_counts_in_the_mean(void)
{
	struct backlog b = { 0 };
	struct backlog_peak peak;

	backlog_add(&b, 0, DAY_US);
	backlog_add(&b, 1, 2);
	backlog_peak(&b, &peak);
	CHECK(peak.max == 1);
	CHECK(peak.mean == (double)(DAY_US + 1) / (double)DAY_US);
	backlog_release(&b);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(nothing_gives_zeros),
		TEST(overlapping_stays_add_up),
		TEST(order_makes_no_difference),
		TEST(a_day_needs_no_more_memory_than_a_second),
		TEST(a_stay_shorter_than_a_step_is_not_seen_but_counts_in_the_mean),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
