/* One child that reads its script from a pipe. */
#include "stats/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "gnuplot"

extern char **environ;

enum { FILE_NAME_MAX_BYTES = 4096 };

int gnuplot_check(struct err *err)
{
	const char *path = getenv("PATH");
	char file[FILE_NAME_MAX_BYTES];

	while (path != NULL && *path != '\0') {
		size_t len = strcspn(path, ":");

		if (fmt_into(file, sizeof(file), "%.*s/" PROGRAM, (int)len,
			    path) == 0 &&
			access(file, X_OK) == 0) {
			return 0;
		}
		path += len + (path[len] == ':');
	}
	return err_usage(
		err, 0, PROGRAM " is not installed; it draws the picture");
}

/* Starts it with the pipe's end as its standard input. */
static int start(int input, pid_t *pid, struct err *err)
{
	char program[] = PROGRAM;
	char *argv[] = { program, NULL };
	posix_spawn_file_actions_t actions;
	int failed;

	failed = posix_spawn_file_actions_init(&actions);
	if (failed != 0) {
		return err_set(err, failed, "cannot start " PROGRAM);
	}
	failed =
		posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (failed == 0) {
		failed = posix_spawn_file_actions_addopen(
			&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	}
	if (failed == 0) {
		failed = posix_spawnp(
			pid, PROGRAM, &actions, NULL, argv, environ);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return failed == 0 ? 0 : err_set(err, failed, "cannot start " PROGRAM);
}

static int wait_for(pid_t pid, struct err *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return err_set(err, errno, "cannot wait for " PROGRAM);
		}
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		return 0;
	}
	return err_set(err, 0, PROGRAM " ended with %s %d",
		WIFEXITED(status) ? "status" : "signal",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

int gnuplot_run(const struct buf *script, struct err *err)
{
	struct err unwritten = { 0 };
	int ends[2];
	pid_t pid = -1;
	int result;

	if (pipe(ends) != 0) {
		return err_set(err, errno, "cannot make a pipe");
	}
	/* Or it would hold the end of its own input open. */
	(void)fcntl(ends[1], F_SETFD, FD_CLOEXEC); /* of our own descriptor */
	result = start(ends[0], &pid, err);
	(void)close(ends[0]); /* the child has it */
	if (result != 0) {
		(void)close(ends[1]); /* nothing was written */
		return -1;
	}
	result = buf_write_fd(script, ends[1], &unwritten);
	(void)close(ends[1]); /* a pipe */
	if (wait_for(pid, err) != 0) {
		return -1;
	}
	return result == 0 ? 0 : err_set(err, 0, "%s", unwritten.text);
}
