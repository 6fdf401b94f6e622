/*
 * Processes of a chain.  Every descriptor here closes on exec; a child keeps its
 * standard input, output and error, and where to say that it is ready.
 *
 * Nobody outlives push-run: should it be killed, the kernel kills them all.  What
 * they have in flight the next chain takes back at once, and what it takes back
 * nobody may still be sending.
 */
#define _GNU_SOURCE /* F_SETPIPE_SZ */

#include "run/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct process {
	struct chain *chain;
	const struct plan_program *program;
	pid_t pid;    /* 0: not running */
	int ready_fd; /* to be read from; -1: none */
	struct loop_fd *ready_watch;
	bool is_ready;
	int64_t since_mono_ms;
};

struct chain {
	struct loop *loop;
	const struct plan *plan;
	int64_t drain_ms;
	struct chain_events events;
	struct process processes[PLAN_PROGRAMS_MAX];
	int watch_in; /* what the watcher reads; kept open for the next one */
	int64_t watch_backoff_ms;
	struct loop_timer watch_timer;
	struct loop_timer limit;
	struct loop_timer grace; /* set while it is open why one ended */
	bool is_ready;
	bool is_ending;
	bool is_stopped;   /* by chain_stop() */
	bool is_hurried;   /* everyone has had TERM */
	bool has_finished; /* the first program ended by itself with 0 */
	bool has_failed;
	bool has_usage;
	bool is_over;
};

static void set_close_on_exec(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		BUG("descriptor %d cannot close on exec", fd);
	}
}

void chain_open_missing(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0) {
		(void)close(fd); /* nothing was written */
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0) {
		(void)close(*fd); /* pipe ends lose nothing here */
		*fd = -1;
	}
}

static int make_pipe(int ends[2], struct err *err)
{
	if (pipe(ends) != 0) {
		ends[0] = ends[1] = -1;
		return err_set(err, errno, "cannot make a pipe");
	}
	set_close_on_exec(ends[0]);
	set_close_on_exec(ends[1]);
	return 0;
}

/* --- in the child ---------------------------------------------------------- */

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
static _Noreturn void become(const struct plan_program *program, pid_t parent,
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
		give(fds[2], PLAN_READY_FD);
	}
	(void)sigprocmask(SIG_SETMASK, mask, NULL); /* cannot fail */
	(void)execv(program->path, program->argv);
	_exit(EXIT_TEMP);
}

/* --- starting --------------------------------------------------------------- */

static void check_ready(struct chain *c)
{
	if (c->is_ready || c->is_ending) {
		return;
	}
	for (size_t i = 0; i < c->plan->count; i++) {
		if (!c->processes[i].is_ready) {
			return;
		}
	}
	c->is_ready = true;
	c->events.on_ready(c->events.self);
}

static void stop_listening(struct process *p)
{
	loop_unwatch(p->ready_watch);
	p->ready_watch = NULL;
	close_fd(&p->ready_fd);
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
	stop_listening(p);
	check_ready(p->chain);
}

/* Starts one program between `in' and `out' (-1: push-run's own). */
static int spawn(
	struct chain *c, size_t place, int in, int out, struct err *err)
{
	struct process *p = &c->processes[place];
	int ready[2] = { -1, -1 };
	pid_t parent = getpid();
	sigset_t all;
	sigset_t mask;
	pid_t pid;

	if (p->program->is_ours && make_pipe(ready, err) != 0) {
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
	close_fd(&ready[1]);
	if (pid < 0) {
		close_fd(&ready[0]);
		return err_set(
			err, errno, "cannot start '%s'", p->program->name);
	}
	p->pid = pid;
	p->since_mono_ms = clock_mono_ms();
	p->ready_fd = ready[0];
	p->is_ready = !p->program->is_ours;
	if (p->ready_fd >= 0) {
		p->ready_watch = loop_watch(
			c->loop, p->ready_fd, LOOP_READ, on_ready_fd, p);
	}
	log_debug("%s started, pid %ld", p->program->name, (long)pid);
	return 0;
}

struct chain *chain_new(struct loop *loop, const struct plan *plan,
	int64_t drain_ms, const struct chain_events *events)
{
	struct chain *c = mem_array(1, sizeof(*c));

	c->loop = loop;
	c->plan = plan;
	c->drain_ms = drain_ms;
	c->events = *events;
	c->watch_in = -1;
	c->watch_backoff_ms = CHAIN_BACKOFF_FIRST_MS;
	for (size_t i = 0; i < plan->count; i++) {
		c->processes[i].chain = c;
		c->processes[i].program = &plan->programs[i];
		c->processes[i].ready_fd = -1;
	}
	return c;
}

void chain_free(struct chain *c)
{
	if (c == NULL) {
		return;
	}
	for (size_t i = 0; i < c->plan->count; i++) {
		stop_listening(&c->processes[i]);
	}
	loop_timer_stop(c->loop, &c->watch_timer);
	loop_timer_stop(c->loop, &c->limit);
	loop_timer_stop(c->loop, &c->grace);
	close_fd(&c->watch_in);
	mem_free(c);
}

static void end(struct chain *c);

static void on_nobody(void *self)
{
	chain_check(self);
}

int chain_start(struct chain *c, struct err *err)
{
	int in = -1;

	for (size_t i = 0; i < c->plan->count; i++) {
		bool is_last = i + 1 == c->plan->count;
		int next[2] = { -1, -1 };
		int result = is_last ? 0 : make_pipe(next, err);

		if (next[1] >= 0) {
			/* Best effort: an unprivileged user has a quota. */
			(void)fcntl(next[1], F_SETPIPE_SZ, CHAIN_PIPE_BYTES);
		}
		if (result == 0) {
			result = spawn(c, i, in, next[1], err);
		}
		if (result == 0 && is_last && c->plan->programs[i].is_watch) {
			c->watch_in = in;
			in = -1;
		}
		close_fd(&in);
		close_fd(&next[1]);
		in = next[0];
		if (result != 0) {
			close_fd(&in);
			c->has_failed = true;
			end(c);
			loop_timer_set(
				c->loop, &c->watch_timer, 0, on_nobody, c);
			return -1;
		}
	}
	check_ready(c);
	return 0;
}

/* --- ending ------------------------------------------------------------------ */

static void tell(const struct process *p, int signo)
{
	if (p->pid > 0 && kill(p->pid, signo) != 0) {
		log_warn("cannot signal %s (pid %ld): %s", p->program->name,
			(long)p->pid, strerror(errno));
	}
}

static void on_kill(void *self)
{
	struct chain *c = self;

	for (size_t i = 0; i < c->plan->count; i++) {
		if (c->processes[i].pid > 0) {
			log_error("%s (pid %ld) does not end: killing it",
				c->processes[i].program->name,
				(long)c->processes[i].pid);
			tell(&c->processes[i], SIGKILL);
		}
	}
}

/* TERM to all that are left, and KILL a little later. */
static void hurry(struct chain *c)
{
	c->is_hurried = true;
	for (size_t i = 0; i < c->plan->count; i++) {
		tell(&c->processes[i], SIGTERM);
	}
	loop_timer_set(c->loop, &c->limit, CHAIN_KILL_MS * 1000LL, on_kill, c);
}

static void on_limit(void *self)
{
	log_warn("the chain takes too long to end: TERM to all that are left");
	hurry(self);
}

/* Begins the ending: the first program stops, end-of-file does the rest. */
static void end(struct chain *c)
{
	if (c->is_ending) {
		return;
	}
	c->is_ending = true;
	loop_timer_stop(c->loop, &c->watch_timer);
	loop_timer_stop(c->loop, &c->grace);
	tell(&c->processes[0], SIGTERM);
	loop_timer_set(c->loop, &c->limit, c->drain_ms * 1000, on_limit, c);
}

void chain_stop(struct chain *c)
{
	if (c->is_stopped && !c->is_hurried) {
		hurry(c);
	}
	c->is_stopped = true;
	/* A chain that has finished by itself is ending without a limit. */
	if (c->is_ending && !loop_timer_is_set(&c->limit)) {
		loop_timer_set(
			c->loop, &c->limit, c->drain_ms * 1000, on_limit, c);
	}
	end(c);
}

void chain_signal(struct chain *c, int signo)
{
	for (size_t i = 0; i < c->plan->count; i++) {
		if (c->processes[i].program->is_ours) {
			tell(&c->processes[i], signo);
		}
	}
}

static void on_watch_due(void *self)
{
	struct chain *c = self;
	struct err err = { 0 };

	if (loop_timer_is_set(&c->grace)) { /* perhaps all is about to end */
		loop_timer_set(c->loop, &c->watch_timer,
			CHAIN_BACKOFF_FIRST_MS * 1000LL, on_watch_due, c);
		return;
	}
	if (spawn(c, c->plan->count - 1, c->watch_in, -1, &err) != 0) {
		log_error("%s", err.text);
		loop_timer_set(c->loop, &c->watch_timer,
			c->watch_backoff_ms * 1000, on_watch_due, c);
	}
}

static int64_t doubled(int64_t backoff_ms)
{
	return backoff_ms * 2 < CHAIN_BACKOFF_MOST_MS
		       ? backoff_ms * 2
		       : (int64_t)CHAIN_BACKOFF_MOST_MS;
}

/* The watcher died while the chain runs: that one alone is started again. */
static void restart_watch(struct chain *c, const struct process *p)
{
	if (clock_mono_ms() - p->since_mono_ms > CHAIN_HEALTHY_MS) {
		c->watch_backoff_ms = CHAIN_BACKOFF_FIRST_MS;
	}
	log_info("starting %s again in %lld ms; the chain goes on",
		p->program->name, (long long)c->watch_backoff_ms);
	loop_timer_set(c->loop, &c->watch_timer, c->watch_backoff_ms * 1000,
		on_watch_due, c);
	c->watch_backoff_ms = doubled(c->watch_backoff_ms);
}

/* Says how a process ended; true when it did as it should. */
static bool log_end(const struct process *p, int status, bool is_ending)
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

static void on_grace(void *self)
{
	struct chain *c = self;

	log_error("a program ended although its input had not");
	c->has_failed = true;
	end(c);
}

static void on_exit_of(struct chain *c, struct process *p, int status)
{
	bool is_well = log_end(p, status, c->is_ending);
	bool is_usage = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE;

	p->pid = 0;
	stop_listening(p);
	c->has_usage = c->has_usage || is_usage;
	if (p->program->is_watch && !is_usage) {
		if (!c->is_ending) {
			restart_watch(c, p);
		}
		return; /* its end is no failure of the chain's */
	}
	if (c->is_ending || !is_well) {
		c->has_failed = c->has_failed || !is_well;
		end(c);
	} else if (p == &c->processes[0]) {
		c->is_ending = true; /* end-of-file flows down by itself */
		c->has_finished = true;
		loop_timer_stop(c->loop, &c->watch_timer);
		loop_timer_stop(c->loop, &c->grace);
	} else if (!loop_timer_is_set(&c->grace)) {
		/* The first one may have closed its output, but not ended. */
		loop_timer_set(c->loop, &c->grace, CHAIN_GRACE_MS * 1000LL,
			on_grace, c);
	}
}

static enum chain_verdict verdict_of(const struct chain *c)
{
	if (c->has_usage) {
		return CHAIN_UNUSABLE;
	}
	if (c->is_stopped) {
		return CHAIN_STOPPED;
	}
	if (c->has_finished) {
		return c->has_failed ? CHAIN_CUT_SHORT : CHAIN_FINISHED;
	}
	return CHAIN_FAILED;
}

void chain_on_exits(
	struct chain *c, const struct chain_exit *exits, size_t count)
{
	for (size_t place = c->plan->count; place-- > 0;) {
		struct process *p = &c->processes[place];

		for (size_t i = 0; i < count; i++) {
			if (p->pid > 0 && p->pid == exits[i].pid) {
				on_exit_of(c, p, exits[i].status);
			}
		}
	}
}

void chain_check(struct chain *c)
{
	bool is_alive = false;

	for (size_t i = 0; i < c->plan->count; i++) {
		is_alive = is_alive || c->processes[i].pid > 0;
	}
	if (!is_alive && c->is_ending && !c->is_over) {
		c->is_over = true;
		loop_timer_stop(c->loop, &c->limit);
		c->events.on_over(c->events.self, verdict_of(c));
	}
}
