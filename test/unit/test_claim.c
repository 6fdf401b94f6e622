/*
 * lib/queue: claims and settling against a real server, among them what bats
 * cannot bring about: an answer that is lost on its way.
 */
#include "queue/claim.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "queue/key.h"
#include "queue/settle.h"
#include "redis_server.h"

static struct server server;
static struct redis *direct; /* beside what is tested */

/* --- a wire that can be cut --- */

static char relay_path[108];
static char relay_url[128];
static pid_t relay;
static volatile sig_atomic_t is_cut; /* in the relay: lose the next answer */

static void on_cut(int signo)
{
	(void)signo;
	is_cut = 1;
}

static int unix_socket(const char *path, bool is_listening)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(fmt_into(address.sun_path, sizeof(address.sun_path), "%s",
		      path) == 0);
	if (is_listening) {
		CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) ==
			0);
		CHECK(listen(fd, 8) == 0);
	} else {
		CHECK(connect(fd, (struct sockaddr *)&address,
			      sizeof(address)) == 0);
	}
	return fd;
}

/* Copies in both directions until one side ends; with is_cut set, an answer
 * is thrown away and so is the connection. */
static void carry(int client, int upstream)
{
	struct pollfd fds[2] = { { client, POLLIN, 0 },
		{ upstream, POLLIN, 0 } };
	char bytes[65536];

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			continue;
		}
		for (int i = 0; i < 2; i++) {
			ssize_t n =
				fds[i].revents == 0
					? -1
					: read(fds[i].fd, bytes, sizeof(bytes));

			if (n == 0 || (n > 0 && i == 1 && is_cut)) {
				is_cut = 0;
				return;
			}
			if (n > 0) {
				CHECK(write(fds[1 - i].fd, bytes, (size_t)n) ==
					n);
			}
		}
	}
}

static void relay_start(void)
{
	struct sigaction cut = { .sa_handler = on_cut };
	int listener;

	/* Before there is a relay, so that it never dies of it. */
	CHECK(sigaction(SIGUSR1, &cut, NULL) == 0);
	CHECK(fmt_into(relay_path, sizeof(relay_path), "%s/r", server.folder) ==
		0);
	CHECK(fmt_into(relay_url, sizeof(relay_url), "unix://%s", relay_path) ==
		0);
	listener = unix_socket(relay_path, true);
	relay = fork();
	CHECK(relay >= 0);
	if (relay == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)alarm(0);
		for (;;) {
			int client = accept(listener, NULL, NULL);

			if (client >= 0) {
				int upstream = unix_socket(server.path, false);

				carry(client, upstream);
				(void)close(upstream);
				(void)close(client);
			}
		}
	}
	(void)close(listener);
}

/* --- what the tests say --- */

static void begin(void)
{
	struct err err = { 0 };

	server_begin(&server);
	relay_start();
	CHECK(redis_open(&direct, server.url, &err) == 0);
}

static void end(void)
{
	redis_close(direct);
	(void)kill(relay, SIGKILL);
	(void)waitpid(relay, NULL, 0);
	(void)unlink(relay_path);
	server_end(&server);
}

static const struct redis_reply *ask(
	const char *a, const char *b, const char *c)
{
	struct span args[] = { span_of(a), span_of(b), span_of(c) };
	const struct redis_reply *reply = NULL;
	struct err err = { 0 };

	if (redis_command(direct, &reply, c == NULL ? 2 : 3, args, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	return reply;
}

static struct claim *open_claim(const char *url, int64_t lease_ms)
{
	const struct claim_settings settings = {
		.url = url,
		.worker = "w1",
		.lease_ms = lease_ms,
		.attempts = 3,
	};
	struct claim *c = NULL;
	struct err err = { 0 };
	bool is_in_use = false;

	if (claim_open(&c, "q", &settings, &is_in_use, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	return c;
}

static const struct claim_want want = {
	.max = 100,
	.window = 1000,
	.wake_step = 1,
};

static const struct claim_batch *take(struct claim *c)
{
	const struct claim_batch *b = NULL;
	struct err err = { 0 };

	if (claim_take(c, &want, &b, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	return b;
}

/* --- the tests --- */

static void claim_gives_oldest_first_with_names_and_counts(void)
{
	struct claim *c;
	const struct claim_batch *b;

	begin();
	c = open_claim(server.url, 60000);
	(void)ask("LPUSH", "q", "one");
	(void)ask("LPUSH", "q", "two");
	b = take(c);
	CHECK(b->count == 2);
	CHECK(span_is(b->entries[0].bytes, "one"));
	CHECK(span_is(b->entries[1].bytes, "two"));
	CHECK(b->entries[0].attempt == 1);
	CHECK(memcmp(b->entries[0].receipt.ptr, "w1:", 3) == 0);
	CHECK(!span_equal(b->entries[0].uid, b->entries[1].uid));
	CHECK(b->in_flight == 2);
	CHECK(!b->is_full);
	b = take(c);
	CHECK(b->count == 0);
	CHECK(b->in_flight == 2);
	CHECK(b->next_ms > 0); /* the lease */
	claim_close(c);
	end();
}

static void lost_answer_is_given_out_by_the_next_claim(void)
{
	struct claim *c;
	const struct claim_batch *b;
	struct err err = { 0 };
	char receipt[64];

	begin();
	c = open_claim(relay_url, 60000);
	(void)ask("LPUSH", "q", "zero");
	CHECK(take(c)->count == 1);

	(void)ask("LPUSH", "q", "one");
	(void)ask("LPUSH", "q", "two");
	CHECK(kill(relay, SIGUSR1) == 0);
	CHECK(claim_take(c, &want, &b, &err) == -1);
	CHECK(!claim_is_displaced(c));
	CHECK(redis_int(ask("HLEN", "{q}:inflight:w1", NULL)) == 3);
	CHECK(redis_int(ask("LLEN", "q", NULL)) == 0);

	b = take(c);
	CHECK(b->count == 2);
	CHECK(span_is(b->entries[0].bytes, "one"));
	CHECK(span_is(b->entries[1].bytes, "two"));
	CHECK(b->entries[0].attempt == 1);
	CHECK(fmt_into(receipt, sizeof(receipt), "%.*s",
		      (int)b->entries[1].receipt.len - 3,
		      b->entries[1].receipt.ptr + 3) == 0);
	CHECK(redis_int(ask("HEXISTS", "{q}:inflight:w1", receipt)) == 1);
	CHECK(redis_int(ask("ZCARD", "{q}:leases", NULL)) == 2);
	CHECK(take(c)->count == 0); /* once */
	claim_close(c);
	end();
}

static void lost_answer_still_tells_the_devices_that_were_set_apart(void)
{
	struct claim *c;
	const struct claim_batch *b;
	struct err err = { 0 };

	begin();
	c = open_claim(relay_url, 60000);
	CHECK(take(c)->count == 0);
	(void)ask("LPUSH", "{q}:redeliver", "2 1000 u1 t -\none");
	(void)ask("SADD", "{q}:apart:u1", "abc");
	CHECK(kill(relay, SIGUSR1) == 0);
	CHECK(claim_take(c, &want, &b, &err) == -1);
	b = take(c);
	CHECK(b->count == 1);
	CHECK(span_is(b->entries[0].bytes, "one"));
	CHECK(span_is(b->entries[0].apart, "abc"));
	claim_close(c);
	end();
}

static void lost_answer_to_a_settle_may_be_asked_again(void)
{
	struct claim *c;
	struct settle *s = NULL;
	const struct claim_batch *b;
	struct settle_counts counts = { 0 };
	struct err err = { 0 };

	begin();
	CHECK(settle_open(&s, relay_url, 3, &err) == 0);
	c = open_claim(server.url, 60000);
	(void)ask("LPUSH", "q", "one");
	(void)ask("LPUSH", "q", "two");
	b = take(c);
	settle_add(s, &(struct settle_item){ .queue = span_of("q"),
			      .receipt = b->entries[0].receipt,
			      .action = SETTLE_RETRY,
			      .reason = "throttled",
			      .after_ms = 60000 });
	settle_add(s, &(struct settle_item){ .queue = span_of("q"),
			      .receipt = b->entries[1].receipt,
			      .action = SETTLE_DONE });
	CHECK(kill(relay, SIGUSR1) == 0);
	/* The first answer that is lost is that of EVALSHA, which did not know
	 * the script; ask until it was carried out and that was lost. */
	CHECK(settle_exchange(s, &counts, &err) == -1);
	CHECK(settle_exchange(s, &counts, &err) == 0);
	CHECK(counts.settled == 2 && counts.delayed == 1);

	settle_add(s, &(struct settle_item){ .queue = span_of("q"),
			      .receipt = b->entries[0].receipt,
			      .action = SETTLE_RETRY,
			      .reason = "throttled",
			      .after_ms = 60000 });
	CHECK(kill(relay, SIGUSR1) == 0);
	CHECK(settle_exchange(s, &counts, &err) == -1);
	CHECK(settle_exchange(s, &counts, &err) == 0);
	CHECK(counts.late == 1);
	CHECK(redis_int(ask("ZCARD", "{q}:delayed", NULL)) == 1);
	CHECK(redis_int(ask("HLEN", "{q}:inflight:w1", NULL)) == 0);
	settle_close(s);
	claim_close(c);
	end();
}

static void server_that_forgot_gives_no_name_twice(void)
{
	struct claim *c;
	char first[64];

	begin();
	c = open_claim(server.url, 60000);
	(void)ask("LPUSH", "q", "one");
	const struct claim_batch *b = take(c);
	CHECK(fmt_into(first, sizeof(first), "%.*s", (int)b->entries[0].uid.len,
		      b->entries[0].uid.ptr) == 0);
	(void)ask("FLUSHALL", "SYNC", NULL);
	(void)ask("LPUSH", "q", "two");
	b = take(c);
	CHECK(b->count == 1);
	CHECK(!span_is(b->entries[0].uid, first));
	claim_close(c);
	end();
}

static void clock_that_went_back_gives_no_name_twice(void)
{
	struct claim *c;

	begin();
	c = open_claim(server.url, 60000);
	/* The last claim was made in what is now the future. */
	(void)ask("SET", "{q}:seq", "2000000000000000");
	(void)ask("LPUSH", "q", "one");
	(void)take(c);
	CHECK(span_is(
		redis_text(ask("GET", "{q}:seq", NULL)), "2000000000000001"));
	claim_close(c);
	end();
}

static void names_are_checked(void)
{
	CHECK(key_is_queue(span_of("push:high")));
	CHECK(!key_is_queue(span_of("")));
	CHECK(!key_is_queue(span_of("a b")));
	CHECK(!key_is_queue(span_of("a{b}")));
	CHECK(!key_is_queue(span_of("\xc3\xbc")));
	CHECK(key_is_worker(span_of("pod-7.example_1")));
	CHECK(!key_is_worker(span_of("a:b")));
	CHECK(settle_can(span_of("q"), span_of("w1:abc-0")));
	CHECK(!settle_can(span_of("q"), span_of("w1:")));
	CHECK(!settle_can(span_of("q"), span_of(":abc")));
	CHECK(!settle_can(span_of("q"), span_of("abc")));
	CHECK(!settle_can((struct span){ NULL, 0 }, (struct span){ NULL, 0 }));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(claim_gives_oldest_first_with_names_and_counts),
		TEST(lost_answer_is_given_out_by_the_next_claim),
		TEST(lost_answer_still_tells_the_devices_that_were_set_apart),
		TEST(lost_answer_to_a_settle_may_be_asked_again),
		TEST(server_that_forgot_gives_no_name_twice),
		TEST(clock_that_went_back_gives_no_name_twice),
		TEST(names_are_checked),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
