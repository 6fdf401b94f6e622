/* The engine's lists of notifications. */
#include "test.h"

#include "vendor/flight.h"

enum { COUNT = 5 };

static struct flight flights[COUNT];

static void fill(struct flight_list *list)
{
	memset(flights, 0, sizeof(flights));
	for (int i = 0; i < COUNT; i++) {
		flight_append(list, &flights[i]);
	}
}

/* Both directions tell the same, and as many as are counted. */
static void check_list(const struct flight_list *list)
{
	const struct flight *last = NULL;
	size_t count = 0;

	for (const struct flight *f = list->first; f != NULL; f = f->next) {
		CHECK(f->list == list);
		CHECK(f->prev == last);
		last = f;
		count++;
	}
	CHECK(list->last == last);
	CHECK(list->count == count);
}

static void first_in_is_first_out(void)
{
	struct flight_list list = { 0 };

	fill(&list);
	check_list(&list);
	for (int i = 0; i < COUNT; i++) {
		CHECK(flight_shift(&list) == &flights[i]);
		check_list(&list);
	}
	CHECK(flight_shift(&list) == NULL);
}

static void any_of_them_can_be_taken_out(void)
{
	for (int i = 0; i < COUNT; i++) {
		struct flight_list list = { 0 };

		fill(&list);
		flight_remove(&flights[i]);
		check_list(&list);
		CHECK(list.count == COUNT - 1);
		CHECK(flights[i].list == NULL);
		flight_remove(&flights[i]); /* in none: nothing happens */
		check_list(&list);
		flight_prepend(&list, &flights[i]);
		check_list(&list);
		CHECK(list.first == &flights[i]);
	}
}

static void spare_flights_are_used_again(void)
{
	struct flight_list spare = { 0 };
	struct record *r = (struct record *)flights; /* never looked at */
	struct flight *a = flight_take(&spare, r);
	struct flight *b = flight_take(&spare, r);

	CHECK(a != b);
	CHECK(a->record == r && a->http.self == a);
	a->tries = 3;
	a->waited_ms = 7;
	flight_give_back(&spare, b);
	flight_give_back(&spare, a);
	CHECK(spare.count == 2);
	CHECK(flight_take(&spare, r) == a);
	CHECK(a->tries == 0 && a->waited_ms == 0 && a->list == NULL);
	flight_give_back(&spare, a);
	flight_free_all(&spare);
	CHECK(spare.count == 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(first_in_is_first_out),
		TEST(any_of_them_can_be_taken_out),
		TEST(spare_flights_are_used_again),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
