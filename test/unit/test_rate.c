/* Rate limits: the sum itself, and buckets in this process. */
#include "policy/rate.h"

#include "store/rates.h"

#include "test.h"

enum { START_US = 1000 * 1000 };

static int64_t take(double *full_us, int64_t limit, int64_t per_ms,
	int64_t most_ms, int64_t now_ms, int64_t units)
{
	struct rate_ask ask = {
		.rate = { limit, per_ms, most_ms },
		.units = units,
		.now_unix_us = START_US + now_ms * 1000,
	};

	rate_take(&ask, full_us);
	return ask.wait_ms;
}

static void a_burst_passes_and_then_as_much_as_comes_back(void)
{
	double full = 0;

	for (int i = 0; i < 10; i++) {
		CHECK(take(&full, 10, 1000, 0, 0, 1) == 0);
	}
	CHECK(take(&full, 10, 1000, 0, 0, 1) == -1);
	CHECK(take(&full, 10, 1000, 0, 99, 1) == -1);
	CHECK(take(&full, 10, 1000, 0, 100, 1) == 0);
	CHECK(take(&full, 10, 1000, 0, 100, 1) == -1);
	/* All of it after all of the time. */
	CHECK(take(&full, 10, 1000, 0, 1100, 10) == 0);
	CHECK(take(&full, 10, 1000, 0, 1100, 1) == -1);
}

static void who_may_wait_is_told_when_and_has_its_place(void)
{
	double full = 0;

	CHECK(take(&full, 2, 1000, 1000, 0, 2) == 0);
	CHECK(take(&full, 2, 1000, 1000, 0, 1) == 501);
	CHECK(take(&full, 2, 1000, 1000, 0, 1) == 1001);
	CHECK(take(&full, 2, 1000, 1000, 0, 1) == -1);
	/* The places of those who wait are not given to who comes then. */
	CHECK(take(&full, 2, 1000, 0, 600, 1) == -1);
	CHECK(take(&full, 2, 1000, 0, 1500, 1) == 0);
}

static void odd_limits_are_sound(void)
{
	double full = 0;

	CHECK(take(&full, 0, 1000, 1000, 0, 1) == -1);
	CHECK(full == 0);
	/* More than the limit at once counts as the limit. */
	CHECK(take(&full, 5, 1000, 0, 0, 500) == 0);
	CHECK(take(&full, 5, 1000, 0, 0, 1) == -1);
	/* A clock that goes back only makes it wait. */
	CHECK(take(&full, 5, 1000, 0, -500, 1) == -1);
	CHECK(take(&full, 5, 1000, 0, 200, 1) == 0);
}

static void buckets_are_apart_and_full_ones_are_forgotten(void)
{
	struct rates *rates = NULL;
	struct err err = { 0 };
	char key[32];

	CHECK(rates_open(&rates, NULL, &err) == 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20000; i++) {
			struct rate_ask asks[2] = { {
				.rate = { 1, 1000, 0 },
				.units = 1,
				.now_unix_us = START_US + i +
					       round * INT64_C(10000000),
			} };

			CHECK(fmt_into(key, sizeof(key), "k%d", i) == 0);
			asks[0].key = span_of(key);
			asks[1] = asks[0];
			CHECK(rates_exchange(rates, asks, 2, &err) == 0);
			CHECK(asks[0].wait_ms == 0 && asks[1].wait_ms == -1);
		}
	}
	rates_close(rates);
}

static void what_cannot_hold_buckets_is_told(void)
{
	struct rates *rates = NULL;
	struct err err = { 0 };

	CHECK(rates_open(&rates, "lmdb:/no/such/folder/x", &err) == -1 &&
		err.is_usage);
	err = (struct err){ 0 };
	CHECK(rates_open(&rates, "unix:///no/such/socket", &err) == -1);
	CHECK(!err.is_usage);
	CHECK(rates_follow(&rates, "memory:", &err) == 0);
	CHECK(rates_follow(&rates, "sqlite:x", &err) == -1 && rates != NULL);
	rates_close(rates);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_burst_passes_and_then_as_much_as_comes_back),
		TEST(who_may_wait_is_told_when_and_has_its_place),
		TEST(odd_limits_are_sound),
		TEST(buckets_are_apart_and_full_ones_are_forgotten),
		TEST(what_cannot_hold_buckets_is_told),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
