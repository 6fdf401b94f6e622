/*
 * Unit tests: a table of named functions, each run in a child process, TAP on
 * standard output.  A crash or a hang fails one test, not the program.
 *
 *	static void empty_text_is_no_number(void)
 *	{
 *		CHECK(num_parse("", 0, 9, &n) == -1);
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		static const struct test tests[] = {
 *			TEST(empty_text_is_no_number),
 *			TEST_END,
 *		};
 *
 *		return test_main(tests, argc, argv);
 *	}
 *
 * Names are sentences.  With an argument only tests whose name contains it run.
 * What a failing test printed is shown behind its line.
 */
#ifndef PUSH_UNIT_TEST_H
#define PUSH_UNIT_TEST_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

enum {
	TEST_LIMIT_S = 60, /* for one test, or one failed allocation */
	TEST_MAX_ALLOCATIONS = 5000, /* more: use a smaller input */
};

struct test {
	const char *name;
	void (*run)(void);
};

/* clang-format off */
#define TEST(fn) { #fn, fn }
#define TEST_END { NULL, NULL }
/* clang-format on */

/* Ends the test when `expr' is false. */
#define CHECK(expr) test_check((expr) ? 1 : 0, __FILE__, __LINE__, #expr)

/* Ends the test where it should not have come. */
#define FAIL(text) test_check(0, __FILE__, __LINE__, text)

static inline void test_check(
	int is_true, const char *file, int line, const char *expr)
{
	if (!is_true) {
		printf("%s:%d: %s\n", file, line, expr);
		(void)fflush(stdout);
		_exit(1);
	}
}

/* Leak checkers are right to complain about a process that ends in mid-way
 * for want of memory, and it does not matter there. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_HAS_LSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define TEST_HAS_LSAN 1
#endif
#ifdef TEST_HAS_LSAN
void __lsan_disable(void);
#endif

/* Runs `run' in a child, with the `fail_at'th allocation failing (0: none);
 * returns the status as waitpid() gives it. */
static inline int test_in_child(void (*run)(void), unsigned long fail_at)
{
	int status = -1;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)alarm(TEST_LIMIT_S);
		if (fail_at > 0) {
#ifdef TEST_HAS_LSAN
			__lsan_disable();
#endif
			mem_fail_at(fail_at);
		}
		run();
		exit(EXIT_OK);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("test_in_child");
		_exit(1);
	}
	return status;
}

/*
 * Runs `run' once per allocation it makes, with that one failing.  The promise
 * of base/mem.h: the process ends with EXIT_TEMP or gets by without; it never
 * crashes.  To be called from a test.
 */
static inline void test_each_allocation_fails(void (*run)(void))
{
	for (unsigned long nth = 1; nth <= TEST_MAX_ALLOCATIONS; nth++) {
		int status = test_in_child(run, nth);

		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK) {
			return; /* it makes fewer than `nth' allocations */
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_TEMP) {
			printf("allocation %lu fails: wait status %#x\n", nth,
				(unsigned)status);
			FAIL("it should end with EXIT_TEMP");
		}
	}
	FAIL("more than TEST_MAX_ALLOCATIONS allocations");
}

/* Copies what a failed test printed, as TAP comments. */
static inline void test_show(FILE *from)
{
	char line[1024];

	rewind(from);
	while (fgets(line, sizeof(line), from) != NULL) {
		size_t len = strcspn(line, "\n");

		printf("#   %.*s\n", (int)len, line);
	}
}

/* One test with its output kept apart; 1 when it failed. */
static inline int test_one(const struct test *t, unsigned number)
{
	FILE *seen = tmpfile();
	int out = dup(STDOUT_FILENO);
	int err = dup(STDERR_FILENO);
	int status;
	int has_failed;

	if (seen == NULL || out < 0 || err < 0) {
		perror("test_one");
		exit(EXIT_TEMP);
	}
	(void)fflush(stdout);
	(void)dup2(fileno(seen), STDOUT_FILENO);
	(void)dup2(fileno(seen), STDERR_FILENO);
	status = test_in_child(t->run, 0);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(err, STDERR_FILENO);
	(void)close(out);
	(void)close(err);

	has_failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	printf("%sok %u %s\n", has_failed ? "not " : "", number, t->name);
	if (has_failed) {
		if (WIFSIGNALED(status)) {
			printf("#   ended by signal %d%s\n", WTERMSIG(status),
				WTERMSIG(status) == SIGALRM ? " (took too long)"
							    : "");
		} else {
			printf("#   exit status %d\n", WEXITSTATUS(status));
		}
		test_show(seen);
	}
	(void)fclose(seen);
	return has_failed;
}

static inline int test_main(const struct test *tests, int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "";
	unsigned count = 0;
	int failed = 0;

	for (const struct test *t = tests; t->name != NULL; t++) {
		if (strstr(t->name, part) != NULL) {
			failed += test_one(t, ++count);
		}
	}
	printf("1..%u\n", count);
	return failed > 0 || count == 0 ? 1 : 0;
}

#endif
