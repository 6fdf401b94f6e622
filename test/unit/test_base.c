/* The base: numbers, buffers, digests, timers. */
#include "test.h"

#include <inttypes.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/num.h"

static void numbers_are_whole_texts_in_range(void)
{
	int64_t n = 7;

	CHECK(num_parse("42", 0, 100, &n) == 0 && n == 42);
	CHECK(num_parse("-3", -5, 5, &n) == 0 && n == -3);
	CHECK(num_parse("", 0, 9, &n) == -1);
	CHECK(num_parse(NULL, 0, 9, &n) == -1);
	CHECK(num_parse(" 1", 0, 9, &n) == -1);
	CHECK(num_parse("1 ", 0, 9, &n) == -1);
	CHECK(num_parse("0x10", 0, 99, &n) == -1);
	CHECK(num_parse("10", 0, 9, &n) == -1);
	CHECK(num_parse("99999999999999999999", 0, INT64_MAX, &n) == -1);
	CHECK(n == -3);
}

/* Around each power of ten and of two. */
static void numbers_are_written_as_printf_does(void)
{
	uint64_t ten = 1;

	for (int i = 0; i < 64; i++, ten = i < 20 ? ten * 10 : ten) {
		const uint64_t near[] = { ten - 1, ten, ten + 1,
			((uint64_t)1 << i) - 1, (uint64_t)1 << i, UINT64_MAX };

		for (size_t k = 0; k < sizeof(near) / sizeof(near[0]); k++) {
			char text[24];
			char wanted[24];
			size_t len = num_format_u64(text, near[k]);

			CHECK(fmt_into(wanted, sizeof(wanted), "%" PRIu64,
				      near[k]) == 0);
			CHECK(len == strlen(wanted));
			CHECK(memcmp(text, wanted, len) == 0);
		}
	}
}

static void durations_and_sizes_need_their_units(void)
{
	int64_t ms = 0;
	size_t bytes = 0;

	CHECK(num_parse_duration("250ms", &ms) == 0 && ms == 250);
	CHECK(num_parse_duration("30s", &ms) == 0 && ms == 30000);
	CHECK(num_parse_duration("24h", &ms) == 0 && ms == 86400000);
	CHECK(num_parse_duration("7d", &ms) == 0 && ms == 604800000);
	CHECK(num_parse_duration("0", &ms) == 0 && ms == 0);
	CHECK(num_parse_duration("30", &ms) == -1);
	CHECK(num_parse_duration("-1s", &ms) == -1);
	CHECK(num_parse_duration("1.5s", &ms) == -1);
	CHECK(num_parse_duration("9223372036854775807d", &ms) == -1);
	CHECK(num_parse_bytes("64K", &bytes) == 0 && bytes == 65536);
	CHECK(num_parse_bytes("12", &bytes) == 0 && bytes == 12);
	CHECK(num_parse_bytes("12k", &bytes) == -1);
}

/* Around each power of ten and of two, where the count of digits is guessed. */
static void numbers_are_written_with_all_their_digits(void)
{
	uint64_t n[2] = { 1, 1 };

	for (int power = 0; power < 64; power++) {
		for (uint64_t near = 0; near < 6; near++) {
			char text[NUM_U64_BYTES + 1];
			char wanted[32];

			text[num_format_u64(text, n[near % 2] - near / 2)] =
				'\0';
			(void)snprintf(wanted, sizeof(wanted), "%llu",
				(unsigned long long)(n[near % 2] - near / 2));
			CHECK(strcmp(text, wanted) == 0);
		}
		n[0] = power < 19 ? n[0] * 10 : UINT64_MAX;
		n[1] *= 2;
	}
}

static void a_buffer_over_its_maximum_says_so_and_stays_whole(void)
{
	struct buf b;

	buf_init(&b, 8);
	buf_text(&b, "12345");
	CHECK(!buf_is_over(&b));
	buf_text(&b, "6789");
	CHECK(buf_is_over(&b));
	CHECK(b.len == 5 && memcmp(b.data, "12345", 5) == 0);
	buf_putc(&b, 'x');
	CHECK(b.len == 5);
	buf_cut(&b, 2);
	buf_i64(&b, INT64_MIN);
	CHECK(buf_is_over(&b));
	buf_release(&b);
	buf_init(&b, 64);
	buf_i64(&b, INT64_MIN);
	CHECK(strcmp(buf_string(&b), "-9223372036854775808") == 0);
	buf_reset(&b);
	buf_fmt(&b, "%s-%d", "a", 7);
	buf_consume(&b, 1);
	CHECK(strcmp(buf_string(&b), "-7") == 0);
	buf_release(&b);
}

static void fixed_texts_that_do_not_fit_are_refused(void)
{
	char text[4];

	CHECK(fmt_into(text, sizeof(text), "%d", 999) == 0);
	CHECK(fmt_into(text, sizeof(text), "%d", 1000) == -1);
	CHECK(text[0] == '\0');
}

static void quick_digests_are_siphash(void)
{
	/* vectors_sip128 of the authors' reference code: the input is bytes 0 to
	 * n - 1. */
	static const struct {
		size_t len;
		const char *hex;
	} rows[] = {
		{ 0, "a3817f04ba25a8e66df67214c7550293" },
		{ 1, "da87c1d86b99af44347659119b22fc45" },
		{ 2, "8177228da4a45dc7fca38bdef60affe4" },
		{ 3, "9c70b60c5267a94e5f33b6b02985ed51" },
		{ 8, "3b62a9ba6258f5610f83e264f31497b4" },
		{ 9, "264499060ad9baabc47f8b02bb6d71ed" },
		{ 15, "5493e99933b0a8117e08ec0f97cfc3d9" },
	};
	unsigned char bytes[16];
	char hex[2 * DIGEST_BYTES + 1];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (unsigned char)i;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct digest d = digest_quick(bytes, rows[i].len);

		digest_hex(&d, DIGEST_BYTES, hex);
		printf("%zu: %s\n", rows[i].len, hex);
		CHECK(strcmp(hex, rows[i].hex) == 0);
	}
}

/* FIPS 180-1, appendix A. */
static void sha1_is_written_out(void)
{
	char text[SHA1_TEXT_BYTES];

	digest_sha1_hex("abc", 3, text);
	CHECK(strcmp(text, "a9993e364706816aba3e25717850c26c9cd0d89d") == 0);
}

static void digests_of_long_parts_are_those_of_short_ones(void)
{
	static char text[2000];
	struct digest_part parts[] = { { text, 0 }, { "b", 1 } };
	/* Around a length of two bytes, and around what is put together. */
	static const size_t lens[] = { 0, 1, 127, 128, 129, 243, 244, 245, 246,
		247, 253, 254, 255, 256, 257, 2000 };
	enum { LENS = sizeof(lens) / sizeof(lens[0]) };
	struct digest seen[LENS];

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < LENS; i++) {
		parts[0].len = lens[i];
		seen[i] = digest_of_parts(parts, 2);
		for (size_t k = 0; k < i; k++) {
			CHECK(memcmp(&seen[k], &seen[i], sizeof(seen[i])) != 0);
		}
	}
}

static void digests_tell_parts_apart(void)
{
	struct digest_part one[] = { { "ab", 2 }, { "c", 1 } };
	struct digest_part two[] = { { "a", 1 }, { "bc", 2 } };
	struct digest a = digest_of_parts(one, 2);
	struct digest b = digest_of_parts(two, 2);
	struct digest c = digest_of_parts(one, 2);
	char uuid[UUID_TEXT_BYTES];

	CHECK(memcmp(&a, &b, sizeof(a)) != 0);
	CHECK(memcmp(&a, &c, sizeof(a)) == 0);
	digest_uuid(&a, uuid);
	CHECK(strlen(uuid) == 36);
	CHECK(uuid[8] == '-' && uuid[14] == '8' && strchr("89ab", uuid[19]));
}

static struct loop *loop;
static struct loop_timer timers[100];
static int fired;
static int64_t last_due;

static void on_due(void *self)
{
	struct loop_timer *t = self;

	CHECK(!loop_timer_is_set(t));
	CHECK(t->due_mono_us >= last_due);
	last_due = t->due_mono_us;
	fired++;
}

static void timers_fire_in_order_and_stopped_ones_do_not(void)
{
	loop = loop_new();
	for (int i = 0; i < 100; i++) {
		loop_timer_set(
			loop, &timers[i], (i * 37) % 100, on_due, &timers[i]);
	}
	for (int i = 0; i < 100; i += 3) {
		loop_timer_stop(loop, &timers[i]);
	}
	while (fired < 66) {
		CHECK(loop_turn(loop, 1000000) >= 0);
	}
	loop_turn(loop, 2000);
	CHECK(fired == 66);
	loop_free(loop);
}

static struct loop_fd *watches[2];
static int calls;

static void remove_both(void *self, int fd, unsigned ready)
{
	(void)self;
	(void)fd;
	CHECK(ready == LOOP_READ);
	calls++;
	loop_unwatch(watches[0]);
	loop_unwatch(watches[1]);
}

static void nothing_is_called_after_its_removal(void)
{
	int ends[2];

	loop = loop_new();
	CHECK(pipe(ends) == 0);
	watches[0] = loop_watch(loop, ends[0], LOOP_READ, remove_both, NULL);
	watches[1] = loop_watch(loop, ends[0], LOOP_READ, remove_both, NULL);
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK(loop_turn(loop, 1000000) == 1);
	CHECK(loop_turn(loop, 0) == 0);
	CHECK(calls == 1);
	loop_free(loop);
}

static void a_table_is_zeroed_and_can_be_given_back(void)
{
	static const size_t counts[] = { 1, 1000, 262143, 262144, 300000 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint64_t *table = mem_table(counts[i], sizeof(*table));

		for (size_t k = 0; k < counts[i]; k++) {
			CHECK(table[k] == 0);
			table[k] = k + 1;
		}
		mem_table_free(table, counts[i], sizeof(*table));
		mem_table_free(NULL, counts[i], sizeof(*table));
	}
}

static void grow_things(void)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 2000; i++) {
		buf_text(&b, "0123456789");
	}
	CHECK(b.len == 20000);
	buf_release(&b);
	loop = loop_new();
	for (int i = 0; i < 40; i++) {
		loop_timer_set(loop, &timers[i], 0, on_due, &timers[i]);
	}
	loop_free(loop);
	mem_table_free(mem_table(1 << 19, 8), 1 << 19, 8);
}

static void failing_memory_ends_the_program_cleanly(void)
{
	test_each_allocation_fails(grow_things);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(numbers_are_whole_texts_in_range),
		TEST(numbers_are_written_as_printf_does),
		TEST(durations_and_sizes_need_their_units),
		TEST(numbers_are_written_with_all_their_digits),
		TEST(a_buffer_over_its_maximum_says_so_and_stays_whole),
		TEST(fixed_texts_that_do_not_fit_are_refused),
		TEST(digests_tell_parts_apart),
		TEST(timers_fire_in_order_and_stopped_ones_do_not),
		TEST(a_table_is_zeroed_and_can_be_given_back),
		TEST(nothing_is_called_after_its_removal),
		TEST(failing_memory_ends_the_program_cleanly),
		TEST(quick_digests_are_siphash),
		TEST(sha1_is_written_out),
		TEST(digests_of_long_parts_are_those_of_short_ones),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
