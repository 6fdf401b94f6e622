/* Time zones: against the C library's own, over a century; and clocks that are
 * put forward and back in the middle of a stretch. */
#define _DEFAULT_SOURCE /* tm_gmtoff */

#include "base/zone.h"

#include <time.h>

#include "test.h"

static struct zone *zone_of(struct zones *zones, const char *name)
{
	struct zone *z = zones_get(zones, span_of(name));

	CHECK(z != NULL);
	return z;
}

/* The unit test may do what a library may not: change the process's zone. */
static void check_against_libc(const char *name)
{
	struct zones *zones = zones_new();
	struct zone *z = zone_of(zones, name);
	int64_t change = 0;

	CHECK(setenv("TZ", name, 1) == 0);
	tzset();
	/* From 1950 to 2100, every 7 hours and a bit. */
	for (int64_t t = -631152000; t < 4102444800; t += 25999) {
		time_t seconds = (time_t)t;
		struct tm tm;

		CHECK(localtime_r(&seconds, &tm) != NULL);
		if (tm.tm_gmtoff != zone_offset_s(z, t)) {
			printf("%s at %lld: %ld, not %lld\n", name,
				(long long)t, tm.tm_gmtoff,
				(long long)zone_offset_s(z, t));
			CHECK(0);
		}
		if (t > 0 && change == 0) {
			change = t;
		}
	}
	/* Every change is one, to the second. */
	for (int n = 0; n < 400; n++) {
		int64_t next = zone_next_change(z, change);
		time_t before = (time_t)(next - 1);
		time_t at = (time_t)next;
		struct tm tm;

		if (next == INT64_MAX) {
			break;
		}
		CHECK(next > change);
		CHECK(localtime_r(&before, &tm) != NULL);
		CHECK(tm.tm_gmtoff == zone_offset_s(z, next - 1));
		CHECK(localtime_r(&at, &tm) != NULL);
		CHECK(tm.tm_gmtoff == zone_offset_s(z, next));
		change = next;
	}
	zones_free(zones);
}

static void offsets_are_those_of_the_c_library(void)
{
	static const char *const names[] = { "Europe/Berlin",
		"America/New_York", "America/Sao_Paulo", "Asia/Shanghai",
		"Asia/Kolkata", "Asia/Tehran", "Australia/Lord_Howe",
		"Africa/Casablanca", "America/Scoresbysund", "Pacific/Apia",
		"Europe/Dublin", "Asia/Gaza", "Antarctica/Troll", "UTC",
		"Etc/GMT+5" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		check_against_libc(names[i]);
	}
}

/* The end of 22:00 to 08:00 in Berlin, by the instants of `date -u'. */
static int64_t end_in(const char *zone, int64_t t, int64_t from, int64_t to)
{
	struct zones *zones = zones_new();
	int64_t end = zone_end_of(zone_of(zones, zone), t, from, to);

	zones_free(zones);
	return end;
}

enum { H = 3600 };

static void a_stretch_has_its_begin_and_not_its_end(void)
{
	/* 2025-07-01 22:00:00 in Berlin is 20:00 UTC. */
	CHECK(end_in("Europe/Berlin", 1751399999, 22 * H, 8 * H) == 1751399999);
	CHECK(end_in("Europe/Berlin", 1751400000, 22 * H, 8 * H) == 1751436000);
	CHECK(end_in("Europe/Berlin", 1751435999, 22 * H, 8 * H) == 1751436000);
	CHECK(end_in("Europe/Berlin", 1751436000, 22 * H, 8 * H) == 1751436000);
	/* One that does not go past midnight: 13:00 to 15:00. */
	CHECK(end_in("Europe/Berlin", 1751367600, 13 * H, 15 * H) ==
		1751374800);
	CHECK(end_in("Europe/Berlin", 1751374800, 13 * H, 15 * H) ==
		1751374800);
}

static void a_night_with_clocks_put_forward_is_an_hour_shorter(void)
{
	/* 2025-03-29 22:00 CET = 21:00 UTC; 08:00 CEST = 06:00 UTC. */
	CHECK(end_in("Europe/Berlin", 1743282000, 22 * H, 8 * H) ==
		1743282000 + 9 * H);
}

static void a_night_with_clocks_put_back_is_an_hour_longer(void)
{
	/* 2025-10-25 22:00 CEST = 20:00 UTC; 08:00 CET = 07:00 UTC. */
	CHECK(end_in("Europe/Berlin", 1761422400, 22 * H, 8 * H) ==
		1761422400 + 11 * H);
}

static void an_end_that_clocks_leap_over_is_the_leap(void)
{
	/* Until 02:30, which is not on 2025-03-30: 01:00 UTC it is. */
	CHECK(end_in("Europe/Berlin", 1743282000, 22 * H, 2 * H + H / 2) ==
		1743296400);
	/* On 2025-10-26 02:30 is there twice; the first one ends it, and the hour
	 * that comes again is quiet until the second. */
	CHECK(end_in("Europe/Berlin", 1761422400, 22 * H, 2 * H + H / 2) ==
		1761438600);
	CHECK(end_in("Europe/Berlin", 1761440400, 22 * H, 2 * H + H / 2) ==
		1761442200);
}

static void names_that_are_none_are_not_there(void)
{
	static const char *const names[] = { "", "Nowhere/Land", "/etc/passwd",
		"../zoneinfo/UTC", "Europe", "Europe/Berlin\n", "right/UTC",
		"zone.tab", "Europe/../UTC" };
	struct zones *zones = zones_new();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK(zones_get(zones, span_of(names[i])) == NULL);
	}
	for (int i = 0; i < 5000; i++) { /* and they do not fill memory */
		char name[32];

		(void)snprintf(name, sizeof(name), "X%d", i);
		CHECK(zones_get(zones, span_of(name)) == NULL);
	}
	CHECK(zones_get(zones, span_of("Asia/Tokyo")) != NULL);
	zones_free(zones);
}

static void a_file_cut_anywhere_is_none(void)
{
	FILE *in = fopen("/usr/share/zoneinfo/Europe/Berlin", "r");
	static char bytes[64 * 1024];
	struct zone *z = NULL;
	size_t len;

	CHECK(in != NULL);
	len = fread(bytes, 1, sizeof(bytes), in);
	CHECK(fclose(in) == 0);
	CHECK(zone_parse(&z, (struct span){ bytes, len }) == 0);
	zone_free(z);
	for (size_t i = 0; i < len; i++) {
		char *cut = mem_dup(bytes, i);

		CHECK(zone_parse(&z, (struct span){ cut, i }) == -1);
		mem_free(cut);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(offsets_are_those_of_the_c_library),
		TEST(a_stretch_has_its_begin_and_not_its_end),
		TEST(a_night_with_clocks_put_forward_is_an_hour_shorter),
		TEST(a_night_with_clocks_put_back_is_an_hour_longer),
		TEST(an_end_that_clocks_leap_over_is_the_leap),
		TEST(names_that_are_none_are_not_there),
		TEST(a_file_cut_anywhere_is_none),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
