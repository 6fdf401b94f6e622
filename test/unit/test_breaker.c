/* The breaker: when it opens, what it lets through, when it closes. */
#include "test.h"

#include "vendor/breaker.h"

static void fail_times(struct breaker *b, int count, int64_t now)
{
	for (int i = 0; i < count; i++) {
		(void)breaker_bad(b, now);
	}
}

static void it_opens_after_failures_in_a_row(void)
{
	struct breaker b = { 0 };

	fail_times(&b, BREAKER_FAILURES - 1, 0);
	CHECK(breaker_lets(&b, 0));
	CHECK(breaker_good(&b) == BREAKER_SAME); /* the row is broken */
	fail_times(&b, BREAKER_FAILURES - 1, 0);
	CHECK(breaker_lets(&b, 0));
	CHECK(breaker_bad(&b, 0) == BREAKER_OPENED);
	CHECK(!breaker_lets(&b, 0));
	CHECK(b.reason == REASON_VENDOR_UNAVAILABLE);
	CHECK(breaker_bad(&b, 0) == BREAKER_SAME); /* what was out before */
	CHECK(breaker_good(&b) == BREAKER_SAME);
	CHECK(!breaker_lets(&b, 0));
	CHECK(breaker_wait_ms(&b, 0) == 1000);
}

static void one_probe_at_a_time_decides(void)
{
	struct breaker b = { 0 };

	fail_times(&b, BREAKER_FAILURES, 0);
	CHECK(!breaker_lets(&b, b.until_mono_ms - 1));
	CHECK(breaker_lets(&b, b.until_mono_ms));
	breaker_sent(&b);
	CHECK(!breaker_lets(&b, b.until_mono_ms));
	breaker_unknown(&b); /* lost before it was looked at */
	CHECK(breaker_lets(&b, b.until_mono_ms));
	breaker_sent(&b);
	CHECK(breaker_bad(&b, 100000) == BREAKER_OPENED);
	CHECK(b.until_mono_ms >= 101000); /* longer each time */
	CHECK(b.until_mono_ms <= 102000);
	CHECK(breaker_lets(&b, b.until_mono_ms));
	breaker_sent(&b);
	CHECK(breaker_good(&b) == BREAKER_RECOVERED);
	CHECK(b.state == BREAKER_CLOSED);
	breaker_sent(&b);
	CHECK(breaker_lets(&b, 0));
}

static void what_the_vendor_says_of_us_opens_it_at_once(void)
{
	struct breaker b = { 0 };

	breaker_open(&b, REASON_VENDOR_CONFIG, 30000);
	CHECK(!breaker_lets(&b, 29999));
	CHECK(breaker_wait_ms(&b, 10000) == 20000);
	CHECK(breaker_lets(&b, 30000));
	breaker_sent(&b);
	/* The probe's own failure keeps what is known. */
	CHECK(breaker_bad(&b, 30000) == BREAKER_OPENED);
	CHECK(b.reason == REASON_VENDOR_CONFIG);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(it_opens_after_failures_in_a_row),
		TEST(one_probe_at_a_time_decides),
		TEST(what_the_vendor_says_of_us_opens_it_at_once),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
