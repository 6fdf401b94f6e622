/* Histograms against the values themselves. */
#include "stats/hist.h"

#include "base/mem.h"
#include "test.h"

enum { MANY = 20000 };

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Reproducible values over many octaves. */
static void fill(int64_t *values, size_t count)
{
	uint64_t state = 88172645463325252ULL;

	for (size_t i = 0; i < count; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		values[i] = (int64_t)((state >> 20) >> (state % 44));
	}
}

static void an_empty_one_answers_zero(void)
{
	struct hist h = { 0 };

	CHECK(hist_quantile_us(&h, 500) == 0);
	CHECK(hist_mean_us(&h) == 0);
	hist_release(&h);
}

static void small_values_are_exact(void)
{
	struct hist h = { 0 };

	for (int64_t v = 0; v < 64; v++) {
		hist_add(&h, v);
	}
	CHECK(h.min_us == 0);
	CHECK(h.max_us == 63);
	CHECK(h.sum_us == 63 * 64 / 2);
	CHECK(hist_quantile_us(&h, 1) == 0);
	CHECK(hist_quantile_us(&h, 500) == 31);
	CHECK(hist_quantile_us(&h, 1000) == 63);
	hist_release(&h);
}

static void quantiles_are_within_the_promised_error(void)
{
	static const unsigned asked[] = { 1, 10, 250, 500, 900, 950, 990, 999,
		1000 };
	int64_t *values = mem_array(MANY, sizeof(*values));
	struct hist h = { 0 };

	fill(values, MANY);
	for (size_t i = 0; i < MANY; i++) {
		hist_add(&h, values[i]);
	}
	qsort(values, MANY, sizeof(*values), ascending);
	CHECK(h.count == MANY);
	CHECK(h.min_us == values[0]);
	CHECK(h.max_us == values[MANY - 1]);
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		size_t rank = ((size_t)MANY * asked[i] + 999) / 1000;
		int64_t truth = values[rank - 1];
		int64_t said = hist_quantile_us(&h, asked[i]);
		int64_t off = said > truth ? said - truth : truth - said;

		CHECK(off * 64 <= truth);
	}
	hist_release(&h);
	mem_free(values);
}

static void limits_count_exactly_what_is_at_most_as_much(void)
{
	struct hist h = { 0 };

	for (size_t i = 0; i < HIST_LIMIT_COUNT; i++) {
		hist_add(&h, hist_limit_us(i) - 1);
		hist_add(&h, hist_limit_us(i));
		hist_add(&h, hist_limit_us(i) + 1);
	}
	CHECK(h.within[0] == 2);
	for (size_t i = 1; i < HIST_LIMIT_COUNT; i++) {
		CHECK(hist_limit_us(i) > hist_limit_us(i - 1));
		CHECK(h.within[i] == 3);
	}
	CHECK(h.within[HIST_LIMIT_COUNT] == 1);
	hist_release(&h);
}

static void a_merge_is_as_if_all_had_been_added_to_one(void)
{
	int64_t *values = mem_array(MANY, sizeof(*values));
	struct hist all = { 0 };
	struct hist sum = { 0 };
	struct hist parts[3] = { { 0 }, { 0 }, { 0 } };

	fill(values, MANY);
	for (size_t i = 0; i < MANY; i++) {
		hist_add(&all, values[i]);
		hist_add(&parts[i % 3], values[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		hist_merge(&sum, &parts[i]);
		hist_release(&parts[i]);
	}
	CHECK(sum.count == all.count);
	CHECK(sum.sum_us == all.sum_us);
	CHECK(sum.min_us == all.min_us);
	CHECK(sum.max_us == all.max_us);
	CHECK(memcmp(sum.within, all.within, sizeof(sum.within)) == 0);
	for (unsigned q = 1; q <= 1000; q++) {
		CHECK(hist_quantile_us(&sum, q) == hist_quantile_us(&all, q));
	}
	hist_release(&all);
	hist_release(&sum);
	mem_free(values);
}

static void the_greatest_time_and_the_greatest_sum_do_no_harm(void)
{
	struct hist h = { 0 };

	for (int i = 0; i < 3; i++) {
		hist_add(&h, INT64_MAX);
	}
	CHECK(h.sum_us == INT64_MAX);
	CHECK(hist_quantile_us(&h, 500) <= INT64_MAX);
	CHECK(hist_quantile_us(&h, 1000) == INT64_MAX);
	hist_release(&h);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(an_empty_one_answers_zero),
		TEST(small_values_are_exact),
		TEST(quantiles_are_within_the_promised_error),
		TEST(limits_count_exactly_what_is_at_most_as_much),
		TEST(a_merge_is_as_if_all_had_been_added_to_one),
		TEST(the_greatest_time_and_the_greatest_sum_do_no_harm),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
