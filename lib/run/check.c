/* One process after the other; nothing is asked of Redis or of vendors. */
#include "run/check.h"

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/mem.h"

extern char **environ;

/* The exit status of a program, or 128 and its signal; -1 when it cannot be
 * started. */
static int call(const struct program *p, struct err *err)
{
	size_t count = 0;
	char **argv;
	char option[] = "--check";
	pid_t pid;
	int failed;
	int status;

	while (p->argv[count] != NULL) {
		count++;
	}
	argv = mem_array(count + 2, sizeof(*argv));
	for (size_t i = 0; i < count; i++) {
		argv[i] = p->argv[i];
	}
	argv[count] = option;
	failed = posix_spawn(&pid, p->path, NULL, NULL, argv, environ);
	mem_free(argv);
	if (failed != 0) {
		return err_set(err, failed, "cannot start '%s'", p->path);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			BUG("a child of ours is not ours");
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int check_plan(const struct plan *plan, size_t *failed, struct err *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		int status = 0;

		if (plan->programs[i].is_ours) {
			status = call(&plan->programs[i], err);
		}
		if (status < 0) {
			return -1;
		}
		*failed += status != 0 ? 1 : 0;
	}
	return 0;
}

int check_plans(const struct plan *plans, size_t count, struct err *err)
{
	size_t failed = 0;

	for (size_t i = 0; i < count; i++) {
		if (check_plan(&plans[i], &failed, err) != 0) {
			return -1;
		}
	}
	return failed == 0
		       ? 0
		       : err_usage(err, 0,
				 "%zu programs cannot be used as they are configured",
				 failed);
}
