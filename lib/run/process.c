/*
 * Processes.  Every descriptor here closes on exec; a child keeps its standard
 * input, output and error, and where to say that it is ready.
 *
 * Nobody outlives push-run: should it be killed, the kernel kills them all.  What
 * they have in flight the next chain takes back at once, and what it takes back
 * nobody may still be sending.
 */
#include "run/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static void set_close_on_exec(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		BUG("descriptor %d cannot close on exec", fd);
	}
}

void process_close_fd(int *fd)
{
	if (*fd >= 0) {
		(void)close(*fd); /* pipe ends lose nothing here */
		*fd = -1;
	}
}

int process_pipe(int ends[2], struct err *err)
{
	if (pipe(ends) != 0) {
		ends[0] = ends[1] = -1;
		return err_set(err, errno, "cannot make a pipe");
	}
	set_close_on_exec(ends[0]);
	set_close_on_exec(ends[1]);
	return 0;
}

/* --- in the child --- */

/* Makes `to' what `from' is, for the program to come. */
static void give(int from, int to)
{
	if (from == to) {
		if (fcntl(to, F_SETFD, 0) != 0) {
			_exit(EXIT_TEMP);
		}
	} else if (dup2(from, to) < 0) {
		_exit(EXIT_TEMP);
	}
}

/* Between fork and exec: only calls that are safe there.  Signals are blocked
 * until our handlers are gone. */
static _Noreturn void become(const struct program *program, pid_t parent,
	const int fds[3], const sigset_t *mask)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE };

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
		(void)signal(ours[i], SIG_DFL); /* cannot fail for these */
	}
	/* Not the terminal's: a Ctrl-C must reach push-run alone, which then
	 * ends the chain from its beginning. */
	(void)setpgid(0, 0);
	/* It may have died just now. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
		_exit(EXIT_TEMP);
	}
	if (fds[0] >= 0) {
		give(fds[0], STDIN_FILENO);
	}
	if (fds[1] >= 0) {
		give(fds[1], STDOUT_FILENO);
	}
	if (fds[2] >= 0) {
		give(fds[2], PROGRAM_READY_FD);
	}
	(void)sigprocmask(SIG_SETMASK, mask, NULL); /* cannot fail */
	(void)execv(program->path, program->argv);
	_exit(EXIT_TEMP);
}

/* --- its life --- */

void process_stop_listening(struct process *p)
{
	loop_unwatch(p->ready_watch);
	p->ready_watch = NULL;
	process_close_fd(&p->ready_fd);
}

static void on_ready_fd(void *self, int fd, unsigned ready)
{
	struct process *p = self;
	char byte;
	ssize_t n = read(fd, &byte, 1);

	(void)ready;
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		return;
	}
	p->is_ready = n == 1;
	process_stop_listening(p);
	p->on_ready(p->self);
}

int process_start(struct process *p, int in, int out, struct err *err)
{
	int ready[2] = { -1, -1 };
	pid_t parent = getpid();
	sigset_t all;
	sigset_t mask;
	pid_t pid;

	if (p->program->is_ours && process_pipe(ready, err) != 0) {
		return -1;
	}
	(void)sigfillset(&all);                      /* cannot fail */
	(void)sigprocmask(SIG_SETMASK, &all, &mask); /* cannot fail */
	pid = fork();
	if (pid == 0) {
		const int fds[3] = { in, out, ready[1] };

		become(p->program, parent, fds, &mask);
	}
	(void)sigprocmask(SIG_SETMASK, &mask, NULL); /* cannot fail */
	process_close_fd(&ready[1]);
	if (pid < 0) {
		process_close_fd(&ready[0]);
		return err_set(
			err, errno, "cannot start '%s'", p->program->name);
	}
	p->pid = pid;
	p->since_mono_ms = clock_mono_ms();
	p->ready_fd = ready[0];
	p->is_ready = !p->program->is_ours;
	if (p->ready_fd >= 0) {
		p->ready_watch = loop_watch(
			p->loop, p->ready_fd, LOOP_READ, on_ready_fd, p);
	}
	log_debug("%s started, pid %ld", p->program->name, (long)pid);
	return 0;
}

void process_tell(const struct process *p, int signo)
{
	if (p->pid > 0 && kill(p->pid, signo) != 0) {
		log_warn("cannot signal %s (pid %ld): %s", p->program->name,
			(long)p->pid, strerror(errno));
	}
}

bool process_log_end(const struct process *p, int status, bool is_ending)
{
	if (WIFSIGNALED(status)) {
		log_error("%s (pid %ld) was killed by signal %d",
			p->program->name, (long)p->pid, WTERMSIG(status));
		return false;
	}
	if (WEXITSTATUS(status) != EXIT_OK) {
		log_error("%s (pid %ld) ended with status %d", p->program->name,
			(long)p->pid, WEXITSTATUS(status));
		return false;
	}
	if (is_ending) {
		log_debug("%s ended", p->program->name);
	} else {
		log_info("%s (pid %ld) ended with status 0", p->program->name,
			(long)p->pid);
	}
	return true;
}
