/*
 * lib/net/redis against a real server of its own, on a Unix socket in a folder
 * that goes away with the test.
 */
#include "net/redis.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "redis_server.h"

static struct server server;

static struct redis *begin(void)
{
	struct redis *r = NULL;
	struct err err = { 0 };

	server_begin(&server);
	CHECK(redis_open(&r, server.url, &err) == 0);
	return r;
}

static void end(struct redis *r)
{
	redis_close(r);
	server_end(&server);
}

static void append(struct redis *r, const char *a, const char *b, const char *c)
{
	struct span args[] = { span_of(a), span_of(b), span_of(c) };

	redis_append(r, c != NULL ? 3 : b != NULL ? 2 : 1, args);
}

static const struct redis_reply *reply_of(struct redis *r)
{
	const struct redis_reply *reply = NULL;
	struct err err = { 0 };

	if (redis_reply(r, &reply, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	return reply;
}

static void replies_come_in_order_and_by_type(void)
{
	struct redis *r = begin();
	const struct redis_reply *list;

	append(r, "SET", "k", "v");
	append(r, "GET", "k", NULL);
	append(r, "GET", "none", NULL);
	append(r, "INCR", "n", NULL);
	append(r, "MGET", "k", "none");
	CHECK(redis_due(r) == 5);
	CHECK(span_is(redis_text(reply_of(r)), "OK"));
	CHECK(span_is(redis_text(reply_of(r)), "v"));
	CHECK(redis_type(reply_of(r)) == REDIS_TYPE_NIL);
	CHECK(redis_int(reply_of(r)) == 1);
	list = reply_of(r);
	CHECK(redis_count(list) == 2);
	CHECK(span_is(redis_text(redis_at(list, 0)), "v"));
	CHECK(redis_type(redis_at(list, 1)) == REDIS_TYPE_NIL);
	CHECK(redis_at(list, 2) == NULL);
	CHECK(redis_due(r) == 0);
	end(r);
}

static void values_hold_any_byte(void)
{
	struct redis *r = begin();
	struct span value = { "a\0\xff\r\n", 5 };

	redis_append(
		r, 3, (struct span[]){ span_of("SET"), span_of("k"), value });
	append(r, "GET", "k", NULL);
	(void)reply_of(r);
	CHECK(span_equal(redis_text(reply_of(r)), value));
	end(r);
}

static void script_is_loaded_when_unknown_even_in_a_pipeline(void)
{
	static const char body[] = "return redis.call('INCR', KEYS[1])";
	struct redis *r = begin();
	struct redis_script script;
	struct span args[] = { span_of("n"), span_of("x") };

	redis_script_init(&script, (struct span){ body, sizeof(body) - 1 });
	for (int round = 0; round < 2; round++) {
		append(r, "SET", "n", "0");
		redis_append_script(r, &script, 1, 2, args);
		append(r, "ECHO", "between", NULL);
		redis_append_script(r, &script, 1, 2, args);
		append(r, "ECHO", "last", NULL);
		CHECK(span_is(redis_text(reply_of(r)), "OK"));
		CHECK(redis_int(reply_of(r)) == 1);
		CHECK(span_is(redis_text(reply_of(r)), "between"));
		CHECK(redis_int(reply_of(r)) == 2);
		CHECK(span_is(redis_text(reply_of(r)), "last"));
		append(r, "SCRIPT", "FLUSH", NULL);
		(void)reply_of(r);
	}
	end(r);
}

static void broken_script_tells_why(void)
{
	struct redis *r = begin();
	struct redis_script script;
	const struct redis_reply *reply;
	struct err err = { 0 };

	redis_script_init(&script, span_of("this is no Lua"));
	redis_append_script(r, &script, 0, 0, NULL);
	append(r, "ECHO", "behind", NULL);
	CHECK(redis_reply(r, &reply, &err) == -1);
	CHECK(strstr(err.text, "compil") != NULL);
	CHECK(span_is(redis_text(reply_of(r)), "behind"));
	end(r);
}

static void error_answers_become_words_and_the_rest_may_be_dropped(void)
{
	struct redis *r = begin();
	const struct redis_reply *reply;
	struct err err = { 0 };

	append(r, "SET", "k", "v");
	append(r, "LPOP", "k", NULL);
	append(r, "ECHO", "one", NULL);
	append(r, "ECHO", "two", NULL);
	(void)reply_of(r);
	CHECK(redis_reply(r, &reply, &err) == -1);
	CHECK(strstr(err.text, "another kind of data") != NULL);
	CHECK(err.is_usage);
	CHECK(span_is(redis_text(reply_of(r)), "one"));
	CHECK(span_is(redis_text(reply_of(r)), "two"));

	append(r, "ECHO", "a", NULL);
	append(r, "LPOP", "k", NULL);
	append(r, "ECHO", "b", NULL);
	CHECK(span_is(redis_text(reply_of(r)), "a"));
	CHECK(redis_reply(r, &reply, &err) == -1);
	append(r, "ECHO", "fresh", NULL); /* "b" is dropped */
	CHECK(redis_due(r) == 1);
	CHECK(span_is(redis_text(reply_of(r)), "fresh"));
	end(r);
}

static void full_server_is_told_in_words(void)
{
	struct redis *r = begin();
	const struct redis_reply *reply;
	struct err err = { 0 };

	redis_append(r, 4,
		(struct span[]){ span_of("CONFIG"), span_of("SET"),
			span_of("maxmemory"), span_of("1") });
	(void)reply_of(r);
	append(r, "SET", "k", "v");
	CHECK(redis_reply(r, &reply, &err) == -1);
	CHECK(strstr(err.text, "out of memory") != NULL);
	CHECK(!err.is_usage);
	end(r);
}

static void lost_server_fails_what_is_due_and_is_found_again(void)
{
	struct redis *r = begin();
	const struct redis_reply *reply;
	struct err err = { 0 };
	int tries = 0;

	append(r, "ECHO", "a", NULL);
	(void)reply_of(r);
	server_stop(&server);
	append(r, "ECHO", "b", NULL);
	append(r, "ECHO", "c", NULL);
	CHECK(redis_reply(r, &reply, &err) == -1);
	CHECK(!err.is_usage);
	CHECK(err.text[0] != '\0');
	CHECK(redis_due(r) == 0);
	CHECK(redis_reply(r, &reply, &err) == -1);

	server_start(&server);
	for (;;) {
		append(r, "ECHO", "d", NULL);
		if (redis_reply(r, &reply, &err) == 0) {
			break;
		}
		CHECK(++tries < 100);
		server_wait_ms((int)redis_pause_ms(r) + 1);
	}
	CHECK(span_is(redis_text(reply), "d"));
	end(r);
}

static void restart_between_two_commands_goes_unnoticed(void)
{
	struct redis *r = begin();

	append(r, "ECHO", "a", NULL);
	(void)reply_of(r);
	server_stop(&server);
	server_start(&server);
	append(r, "ECHO", "b", NULL);
	CHECK(span_is(redis_text(reply_of(r)), "b"));
	end(r);
}

static void absent_server_is_not_asked_all_the_time(void)
{
	struct redis *r = begin();
	const struct redis_reply *reply;
	struct err err = { 0 };

	redis_drop(r);
	server_stop(&server);
	for (int i = 0; i < 4; i++) {
		server_wait_ms((int)redis_pause_ms(r));
		append(r, "PING", NULL, NULL);
		CHECK(redis_reply(r, &reply, &err) == -1);
	}
	CHECK(redis_pause_ms(r) > 50);
	CHECK(strstr(err.text, "cannot connect") != NULL);
	end(r);
}

static void blocking_command_is_awaited_by_descriptor(void)
{
	struct redis *r = begin();
	struct redis *other = NULL;
	const struct redis_reply *reply = NULL;
	struct err err = { 0 };
	struct pollfd fd = { .events = POLLIN };

	CHECK(redis_open(&other, server.url, &err) == 0);
	append(r, "BLPOP", "list", "0");
	CHECK(redis_send(r, &err) == 0);
	CHECK(redis_poll(r, &reply, &err) == 0);
	fd.fd = redis_fd(r);
	CHECK(poll(&fd, 1, 0) == 0);
	append(other, "RPUSH", "list", "x");
	(void)reply_of(other);
	CHECK(poll(&fd, 1, 10000) == 1);
	CHECK(redis_poll(r, &reply, &err) == 1);
	CHECK(span_is(redis_text(redis_at(reply, 1)), "x"));
	CHECK(redis_due(r) == 0);

	append(r, "BLPOP", "list", "0");
	CHECK(redis_send(r, &err) == 0);
	server_stop(&server);
	CHECK(poll(&fd, 1, 10000) == 1);
	CHECK(redis_poll(r, &reply, &err) == -1);
	CHECK(redis_fd(r) == -1);
	redis_close(other);
	end(r);
}

static void credentials_are_shown_and_refusals_need_a_person(void)
{
	struct redis *r = begin();
	struct redis *other = NULL;
	struct err err = { 0 };
	char with[256];
	char path[96];
	int fd;

	redis_append(r, 4,
		(struct span[]){ span_of("CONFIG"), span_of("SET"),
			span_of("requirepass"), span_of("s3cret") });
	(void)reply_of(r);
	CHECK(redis_open(&other, server.url, &err) == -1);
	CHECK(err.is_usage);
	CHECK(strstr(err.text, "wants a password") != NULL);

	CHECK(fmt_into(path, sizeof(path), "%s/pw", server.folder) == 0);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(write(fd, "s3cret\n", 7) == 7);
	CHECK(close(fd) == 0);
	CHECK(fmt_into(with, sizeof(with), "%s?db=3&password_file=%s",
		      server.url, path) == 0);
	CHECK(redis_open(&other, with, &err) == 0);
	append(other, "SET", "k", "in-3");
	(void)reply_of(other);
	append(r, "GET", "k", NULL);
	CHECK(redis_type(reply_of(r)) == REDIS_TYPE_NIL);
	redis_close(other);

	fd = open(path, O_TRUNC | O_WRONLY);
	CHECK(write(fd, "wrong", 5) == 5);
	CHECK(close(fd) == 0);
	CHECK(redis_open(&other, with, &err) == -1);
	CHECK(err.is_usage);
	CHECK(strstr(err.text, "wrong") == NULL ||
		strstr(err.text, "refuses") != NULL);
	CHECK(unlink(path) == 0);
	end(r);
}

/* --- a server that hangs up in the middle --- */

static const char canned[] = "+OK\r\n$7\r\nhel\r\nlo\r\n*2\r\n:17\r\n$-1\r\n";
enum { CANNED_LEN = sizeof(canned) - 1 };

/* Gives one byte more of its answer to each connection than to the last. */
static void stutter(int listener)
{
	for (size_t len = 0; len <= CANNED_LEN; len++) {
		char request[256];
		int fd = accept(listener, NULL, NULL);

		if (fd < 0 || read(fd, request, sizeof(request)) <= 0 ||
			write(fd, canned, len) != (ssize_t)len) {
			_exit(1);
		}
		/* The last one is left open until the client goes. */
		if (len == CANNED_LEN) {
			(void)!read(fd, request, sizeof(request));
		}
		(void)close(fd);
	}
	_exit(0);
}

static pid_t stutter_begin(char *path, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	CHECK(fmt_into(path, size, "/tmp/unit.%ld.sock", (long)getpid()) == 0);
	CHECK(fmt_into(address.sun_path, sizeof(address.sun_path), "%s",
		      path) == 0);
	CHECK(bind(listener, (const struct sockaddr *)&address,
		      sizeof(address)) == 0);
	CHECK(listen(listener, 8) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		stutter(listener);
	}
	CHECK(close(listener) == 0);
	return pid;
}

static void hanging_up_at_any_byte_loses_answers_but_confuses_none(void)
{
	/* Behind which byte each of the three replies is complete. */
	static const size_t ends[] = { 5, 18, CANNED_LEN };
	struct redis *r = NULL;
	struct err err = { 0 };
	char path[64];
	char url[96];
	pid_t pid = stutter_begin(path, sizeof(path));
	int status;

	CHECK(fmt_into(url, sizeof(url), "unix://%s", path) == 0);
	CHECK(redis_new(&r, url, &err) == 0);
	for (size_t len = 0; len <= CANNED_LEN; len++) {
		const struct redis_reply *reply;

		printf("%zu bytes\n", len);
		append(r, "SET", "k", "v");
		append(r, "GET", "k", NULL);
		append(r, "MGET", "n", "none");
		for (int i = 0; i < 3; i++) {
			bool is_whole = len >= ends[i];

			err = (struct err){ 0 };
			CHECK((redis_reply(r, &reply, &err) == 0) == is_whole);
			if (!is_whole) {
				CHECK(!err.is_usage);
				CHECK(redis_due(r) == 0);
				CHECK(redis_fd(r) == -1);
				break;
			}
			CHECK(i != 0 || span_is(redis_text(reply), "OK"));
			CHECK(i != 1 ||
				span_is(redis_text(reply), "hel\r\nlo"));
			CHECK(i != 2 || redis_int(redis_at(reply, 0)) == 17);
		}
	}
	redis_close(r);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(unlink(path) == 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(replies_come_in_order_and_by_type),
		TEST(values_hold_any_byte),
		TEST(script_is_loaded_when_unknown_even_in_a_pipeline),
		TEST(broken_script_tells_why),
		TEST(error_answers_become_words_and_the_rest_may_be_dropped),
		TEST(full_server_is_told_in_words),
		TEST(lost_server_fails_what_is_due_and_is_found_again),
		TEST(restart_between_two_commands_goes_unnoticed),
		TEST(absent_server_is_not_asked_all_the_time),
		TEST(blocking_command_is_awaited_by_descriptor),
		TEST(hanging_up_at_any_byte_loses_answers_but_confuses_none),
		TEST(credentials_are_shown_and_refusals_need_a_person),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
