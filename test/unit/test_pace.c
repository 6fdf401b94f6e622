/* The pace: how many go in a time, at first and later. */
#include "test.h"

#include "vendor/pace.h"

/* How many go from `from' to `to', looking each 10 ms. */
static int sent_between(struct pace *p, const struct pace_limit *limit,
	int64_t from, int64_t to)
{
	int count = 0;

	for (int64_t now = from; now < to; now += 10) {
		while (pace_lets(p, limit, now)) {
			pace_sent(p);
			count++;
		}
	}
	return count;
}

static void without_a_limit_all_go(void)
{
	const struct pace_limit none = { 0, 0 };
	struct pace p = { 0 };

	CHECK(pace_lets(&p, &none, 1000));
	CHECK(!pace_is_long(&p, &none, 1000000, 1000));
}

static void no_more_than_the_rate_goes(void)
{
	const struct pace_limit limit = { 200, 0 };
	struct pace p = { 0 };
	int count = sent_between(&p, &limit, 1000, 11000);

	CHECK(count >= 1980 && count <= 2001);
	/* What was not used gathers for a tenth of a second. */
	count = sent_between(&p, &limit, 21000, 21010);
	CHECK(count == 20);
}

static void less_goes_at_first(void)
{
	const struct pace_limit limit = { 1000, 10000 };
	struct pace p = { 0 };
	int first = sent_between(&p, &limit, 1000, 2000);
	int last;

	CHECK(first >= 100 && first <= 160);
	(void)sent_between(&p, &limit, 2000, 11000);
	last = sent_between(&p, &limit, 11000, 12000);
	CHECK(last >= 980 && last <= 1010);
	pace_restart(&p);
	CHECK(sent_between(&p, &limit, 12000, 13000) <= 160);
}

static void what_would_wait_long_is_spread(void)
{
	const struct pace_limit limit = { 100, 0 };
	const struct pace_limit slow = { 20, 60000 };
	struct pace p = { 0 };

	/* Also before anything was sent: a tenth of 20 at first. */
	CHECK(!pace_is_long(&p, &slow, 2, 1000));
	CHECK(pace_is_long(&p, &slow, 3, 1000));
	CHECK(pace_lets(&p, &limit, 1000));
	CHECK(!pace_is_long(&p, &limit, 100, 1000));
	CHECK(pace_is_long(&p, &limit, 101, 1000));
	CHECK(pace_put_off_ms(&p, &limit, 1000) == 1010);
	CHECK(pace_put_off_ms(&p, &limit, 1000) == 1020);
	CHECK(pace_put_off_ms(&p, &limit, 2000) == 1010);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(without_a_limit_all_go),
		TEST(no_more_than_the_rate_goes),
		TEST(less_goes_at_first),
		TEST(what_would_wait_long_is_spread),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
