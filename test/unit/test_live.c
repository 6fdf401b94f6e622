/* Live backlog from what programs say, with restarts. */
#include "stats/live.h"

#include "base/buf.h"
#include "test.h"

/* One program's datagram. */
struct said {
	const char *node;
	int pid;
	int in;
	int out;
	int held;
};

static void hear(struct live *c, const struct said *s, int64_t now_mono_ms)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_fmt(&b,
		"{\"node\":\"%s\",\"program\":\"push-%s\",\"pid\":%d,\"host\":"
		"\"h\",\"in\":%d,\"out\":%d,\"held\":%d,\"time_ms\":%d,\"outcomes\":{"
		"\"accepted\":%d},\"dropped\":0,\"lost_datagrams\":2}",
		s->node, s->node, s->pid, s->in, s->out, s->held,
		(int)now_mono_ms, s->out);
	CHECK(live_take(c, b.data, b.len, now_mono_ms) == 0);
	buf_release(&b);
}

static struct live_now now_at(const struct live *c, const char *node)
{
	for (size_t i = 0; i < live_count(c); i++) {
		if (strcmp(live_at(c, i)->name, node) == 0) {
			return live_now(c, i);
		}
	}
	FAIL("the node is not known");
	return (struct live_now){ 0 };
}

static const struct live_node *node(const struct live *c, size_t i)
{
	CHECK(i < live_count(c));
	return live_at(c, i);
}

static void the_pipe_holds_what_was_written_and_not_read(void)
{
	struct live *c = live_new();

	hear(c, &(struct said){ "auth", 2, 90, 80, 4 }, 0);
	hear(c, &(struct said){ "pop", 1, 0, 100, 0 }, 0);
	hear(c, &(struct said){ "ack", 3, 70, 70, 0 }, 0);
	CHECK(live_count(c) == 3);
	CHECK(strcmp(node(c, 0)->name, "pop") == 0);
	CHECK(strcmp(node(c, 1)->name, "auth") == 0);
	CHECK(strcmp(node(c, 2)->name, "ack") == 0);
	CHECK(!now_at(c, "pop").has_pipe);
	CHECK(now_at(c, "auth").pipe == 10);
	CHECK(now_at(c, "auth").inside == 4);
	CHECK(now_at(c, "auth").processes == 1);
	CHECK(now_at(c, "ack").pipe == 10);
	CHECK(node(c, 2)->outcomes[OUTCOME_ACCEPTED] == 70);
	CHECK(node(c, 2)->totals[LIVE_LOST_DATAGRAMS] == 2);
	live_free(c);
}

static void a_chain_that_was_started_again_counts_from_empty(void)
{
	struct live *c = live_new();

	hear(c, &(struct said){ "pop", 1, 0, 1000, 0 }, 0);
	hear(c, &(struct said){ "auth", 2, 900, 900, 9 }, 0);
	live_sweep(c, LIVE_STALE_MS + 1);
	CHECK(now_at(c, "auth").processes == 0);
	CHECK(now_at(c, "auth").inside == 0);
	CHECK(!now_at(c, "auth").has_pipe);
	hear(c, &(struct said){ "auth", 4, 20, 20, 0 }, 6000);
	hear(c, &(struct said){ "pop", 3, 0, 50, 0 }, 6001);
	CHECK(now_at(c, "auth").pipe == 30);
	CHECK(node(c, 0)->totals[LIVE_OUT] == 1050);
	CHECK(node(c, 1)->totals[LIVE_IN] == 920);
	live_free(c);
}

static void a_reader_started_again_alone_does_not_inherit_a_backlog(void)
{
	struct live *c = live_new();

	hear(c, &(struct said){ "pop", 1, 0, 1000, 0 }, 0);
	hear(c, &(struct said){ "auth", 2, 1000, 1000, 0 }, 0);
	hear(c, &(struct said){ "pop", 1, 0, 5000, 0 }, 4000);
	hear(c, &(struct said){ "auth", 7, 10, 10, 0 }, 4001);
	CHECK(now_at(c, "auth").pipe == 0);
	hear(c, &(struct said){ "pop", 1, 0, 5300, 0 }, 7000);
	hear(c, &(struct said){ "auth", 7, 210, 210, 0 }, 7000);
	CHECK(now_at(c, "auth").pipe == 100);
	CHECK(node(c, 1)->totals[LIVE_IN] == 1210);
	live_free(c);
}

static void a_writer_started_again_alone_does_not_hide_a_backlog(void)
{
	struct live *c = live_new();

	hear(c, &(struct said){ "pop", 1, 0, 1000, 0 }, 0);
	hear(c, &(struct said){ "auth", 2, 1000, 1000, 0 }, 0);
	hear(c, &(struct said){ "auth", 2, 1000, 1000, 0 }, 4000);
	hear(c, &(struct said){ "pop", 9, 0, 5, 0 }, 4001);
	hear(c, &(struct said){ "pop", 9, 0, 300, 0 }, 7000);
	hear(c, &(struct said){ "auth", 2, 1200, 1200, 0 }, 7000);
	CHECK(now_at(c, "auth").pipe == 95);
	live_free(c);
}

static void the_same_pid_counting_from_the_start_is_another_process(void)
{
	struct live *c = live_new();

	hear(c, &(struct said){ "auth", 1, 1000, 1000, 3 }, 0);
	hear(c, &(struct said){ "auth", 1, 10, 10, 1 }, 500);
	CHECK(now_at(c, "auth").processes == 1);
	CHECK(now_at(c, "auth").inside == 1);
	CHECK(node(c, 0)->totals[LIVE_IN] == 1010);
	live_free(c);
}

static void programs_are_compared_at_the_same_second(void)
{
	struct live *c = live_new();

	hear(c, &(struct said){ "pop", 1, 0, 1000, 0 }, 0);
	hear(c, &(struct said){ "auth", 2, 990, 990, 0 }, 0);
	hear(c, &(struct said){ "auth", 2, 1990, 1990, 0 }, 1000);
	CHECK(now_at(c, "auth").pipe == 10);
	hear(c, &(struct said){ "pop", 1, 0, 2020, 0 }, 1001);
	CHECK(now_at(c, "auth").pipe == 30);
	live_free(c);
}

static void several_processes_of_a_node_add_up(void)
{
	struct live *c = live_new();

	hear(c, &(struct said){ "pop", 1, 0, 100, 0 }, 0);
	hear(c, &(struct said){ "auth", 2, 30, 30, 1 }, 1);
	hear(c, &(struct said){ "auth", 3, 50, 50, 2 }, 2);
	CHECK(now_at(c, "auth").processes == 2);
	CHECK(now_at(c, "auth").inside == 3);
	CHECK(now_at(c, "auth").pipe == 20);
	live_free(c);
}

static void what_is_no_report_is_counted(void)
{
	static const char *const bad[] = { "", "x", "[]", "{}",
		"{\"node\":\"a\"}", "{\"node\":\"\",\"host\":\"h\",\"pid\":1}",
		"{\"node\":1,\"host\":\"h\",\"pid\":1}" };
	struct live *c = live_new();

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK(live_take(c, bad[i], strlen(bad[i]), 0) == -1);
	}
	CHECK(live_bad(c) == sizeof(bad) / sizeof(*bad));
	CHECK(live_count(c) == 0);
	live_free(c);
}

static void more_nodes_and_processes_than_there_is_room_for_are_refused(void)
{
	struct live *c = live_new();
	char name[16];

	for (int i = 0; i < 2 * LIVE_PROCESSES_MAX; i++) {
		struct buf b;

		CHECK(fmt_into(name, sizeof(name), "n%d", i % 100) == 0);
		buf_init(&b, 4096);
		buf_fmt(&b, "{\"node\":\"%s\",\"host\":\"h\",\"pid\":%d}", name,
			i);
		CHECK(live_take(c, b.data, b.len, 0) == 0 || live_bad(c) > 0);
		buf_release(&b);
	}
	CHECK(live_count(c) == LIVE_NODES_MAX);
	CHECK(live_bad(c) > 0);
	live_free(c);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(the_pipe_holds_what_was_written_and_not_read),
		TEST(a_chain_that_was_started_again_counts_from_empty),
		TEST(a_reader_started_again_alone_does_not_inherit_a_backlog),
		TEST(a_writer_started_again_alone_does_not_hide_a_backlog),
		TEST(the_same_pid_counting_from_the_start_is_another_process),
		TEST(programs_are_compared_at_the_same_second),
		TEST(several_processes_of_a_node_add_up),
		TEST(what_is_no_report_is_counted),
		TEST(more_nodes_and_processes_than_there_is_room_for_are_refused),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
