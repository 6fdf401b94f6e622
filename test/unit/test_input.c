/* The line input: whole lines of any number of writers, lent until they are
 * released. */
#include "test.h"

#include <stdint.h>

#include "base/buf.h"
#include "net/sock.h"
#include "stage/input.h"

enum { LINE_MAX_BYTES = 100, GIANT_BYTES = 300 * 1000 };

static struct loop *loop;
static struct input *in;
static char path[] = "/tmp/test_input.XXXXXX/s";
static struct buf out; /* what writers send */

static void begin(void)
{
	struct err err = { 0 };
	char endpoint[sizeof(path) + 5];

	path[strlen(path) - 2] = '\0';
	CHECK(mkdtemp(path) != NULL);
	path[strlen(path)] = '/';
	(void)snprintf(endpoint, sizeof(endpoint), "unix:%s", path);
	loop = loop_new();
	CHECK(input_open(&in, loop, endpoint, LINE_MAX_BYTES, &err) == 0);
	buf_init(&out, SIZE_MAX);
}

static void end(void)
{
	input_close(in);
	loop_free(loop);
	buf_release(&out);
	*strrchr(path, '/') = '\0';
	CHECK(rmdir(path) == 0);
}

/* A new writer; its descriptor. */
static int writer(void)
{
	struct err err = { 0 };
	int fd = sock_connect(path, &err);

	CHECK(fd >= 0);
	return fd;
}

static void say(int fd, const char *text)
{
	struct err err = { 0 };

	buf_reset(&out);
	buf_text(&out, text);
	CHECK(buf_write_fd(&out, fd, &err) == 0);
}

/* What was written is there at once: nothing is waited for. */
static void read_all(void)
{
	input_read(in, true);
	while (loop_turn(loop, 0) > 0) {
	}
	input_read(in, false);
}

static bool next_is(const char *text)
{
	struct input_line line;

	if (!input_next(in, &line)) {
		printf("no line, wanted %s\n", text);
		return false;
	}
	if (!span_is(line.text, text)) {
		printf("got %.*s, wanted %s\n", (int)line.text.len,
			line.text.ptr, text);
		return false;
	}
	return true;
}

static void half_lines_wait_for_their_other_half(void)
{
	struct input_line line;
	int a;

	begin();
	a = writer();
	say(a, "one\n\ntw");
	read_all();
	CHECK(next_is("one") && !input_next(in, &line));
	input_release(in);
	say(a, "o\nthree");
	read_all();
	CHECK(next_is("two") && !input_next(in, &line));
	input_release(in);
	CHECK(close(a) == 0);
	read_all();
	CHECK(next_is("three") && !input_next(in, &line));
	input_release(in);
	end();
}

/* Lent lines stay as they are: those of writers that have ended, and those
 * whose block is used up, until all are released. */
static void lines_stay_until_they_are_released(void)
{
	struct input_line lines[6];
	struct span text[6];
	char wanted[6][16];
	int fd[3];
	size_t count = 0;

	begin();
	for (int i = 0; i < 3; i++) {
		char both[64];

		fd[i] = writer();
		(void)snprintf(
			both, sizeof(both), "first of %d\nlast of %d", i, i);
		say(fd[i], both);
		CHECK(close(fd[i]) == 0);
	}
	read_all();
	while (count < 6 && input_next(in, &lines[count])) {
		text[count] = lines[count].text;
		CHECK(text[count].len < sizeof(wanted[0]));
		memcpy(wanted[count], text[count].ptr, text[count].len);
		count++;
	}
	CHECK(count == 6 && !input_next(in, &lines[0]));
	input_stop(in); /* as TERM does */
	CHECK(!input_next(in, &lines[0]));
	for (size_t i = 0; i < count; i++) {
		CHECK(memcmp(wanted[i], text[i].ptr, text[i].len) == 0);
	}
	CHECK(!input_is_done(in));
	input_release(in);
	CHECK(input_is_done(in));
	end();
}

/* The last line of a writer that has ended fills the batch: the writer behind
 * it has its turn next. */
static void a_writer_that_went_does_not_end_the_turn(void)
{
	struct input_line line;
	int fd[2];

	begin();
	for (int i = 0; i < 2; i++) {
		fd[i] = writer();
		say(fd[i], "x\n");
		read_all();
		CHECK(close(fd[i]) == 0);
	}
	read_all();
	CHECK(next_is("x"));
	input_release(in);
	CHECK(!input_is_done(in) && next_is("x"));
	input_release(in);
	CHECK(!input_next(in, &line));
	end();
}

static void giants_are_cut_and_their_neighbours_are_not(void)
{
	struct input_line line;
	int a;

	begin();
	a = writer();
	say(a, "before\n");
	read_all();
	CHECK(next_is("before"));
	input_release(in);
	buf_reset(&out);
	for (size_t i = 0; i < GIANT_BYTES; i++) {
		buf_putc(&out, 'g');
	}
	buf_text(&out, "\nafter\n");
	/* More than a socket holds: the other end must read meanwhile. */
	for (size_t at = 0; at < out.len; at += 8000) {
		struct buf some = { .data = out.data + at,
			.len = out.len - at < 8000 ? out.len - at : 8000 };
		struct err err = { 0 };

		CHECK(buf_write_fd(&some, a, &err) == 0);
		input_read(in, true);
		(void)loop_turn(loop, 0);
		input_read(in, false);
		if (at + 8000 < out.len) {
			CHECK(!input_next(in, &line));
			input_release(in);
		}
	}
	read_all();
	CHECK(input_next(in, &line));
	CHECK(line.total_bytes == GIANT_BYTES && line.text.len < GIANT_BYTES);
	CHECK(line.text.len > LINE_MAX_BYTES && line.text.ptr[0] == 'g');
	CHECK(next_is("after"));
	input_release(in);
	CHECK(close(a) == 0);
	end();
}

static void what_is_not_whole_stays_with_its_writer(void)
{
	struct input_line line;
	int a;

	begin();
	a = writer();
	say(a, "whole\nha");
	read_all();
	input_stop(in);
	CHECK(next_is("whole") && !input_next(in, &line));
	input_release(in);
	CHECK(input_is_done(in));
	CHECK(close(a) == 0);
	end();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(half_lines_wait_for_their_other_half),
		TEST(lines_stay_until_they_are_released),
		TEST(a_writer_that_went_does_not_end_the_turn),
		TEST(giants_are_cut_and_their_neighbours_are_not),
		TEST(what_is_not_whole_stays_with_its_writer),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
