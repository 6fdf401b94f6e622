/*
 * One life of a chain: its processes are started from the first to the last, and
 * end the same way, by end-of-file.
 */
#define _GNU_SOURCE /* F_SETPIPE_SZ */

#include "run/chain.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/process.h"

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

/* --- starting --- */

static void check_ready(void *self)
{
	struct chain *c = self;

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
		c->processes[i] = (struct process){ .loop = loop,
			.program = &plan->programs[i],
			.on_ready = check_ready,
			.self = c,
			.ready_fd = -1 };
	}
	return c;
}

void chain_free(struct chain *c)
{
	if (c == NULL) {
		return;
	}
	for (size_t i = 0; i < c->plan->count; i++) {
		process_stop_listening(&c->processes[i]);
	}
	loop_timer_stop(c->loop, &c->watch_timer);
	loop_timer_stop(c->loop, &c->limit);
	loop_timer_stop(c->loop, &c->grace);
	process_close_fd(&c->watch_in);
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
		int result = is_last ? 0 : process_pipe(next, err);

		if (next[1] >= 0) {
			/* Best effort: an unprivileged user has a quota. */
			(void)fcntl(next[1], F_SETPIPE_SZ, CHAIN_PIPE_BYTES);
		}
		if (result == 0) {
			result = process_start(
				&c->processes[i], in, next[1], err);
		}
		if (result == 0 && is_last && c->plan->programs[i].is_watch) {
			c->watch_in = in;
			in = -1;
		}
		process_close_fd(&in);
		process_close_fd(&next[1]);
		in = next[0];
		if (result != 0) {
			process_close_fd(&in);
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

/* --- ending --- */

static void on_kill(void *self)
{
	struct chain *c = self;

	for (size_t i = 0; i < c->plan->count; i++) {
		if (c->processes[i].pid > 0) {
			log_error("%s (pid %ld) does not end: killing it",
				c->processes[i].program->name,
				(long)c->processes[i].pid);
			process_tell(&c->processes[i], SIGKILL);
		}
	}
}

/* TERM to all that are left, and KILL a little later. */
static void hurry(struct chain *c)
{
	c->is_hurried = true;
	for (size_t i = 0; i < c->plan->count; i++) {
		process_tell(&c->processes[i], SIGTERM);
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
	process_tell(&c->processes[0], SIGTERM);
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
			process_tell(&c->processes[i], signo);
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
	if (process_start(&c->processes[c->plan->count - 1], c->watch_in, -1,
		    &err) != 0) {
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

static void on_grace(void *self)
{
	struct chain *c = self;

	log_error("a program ended although its input had not");
	c->has_failed = true;
	end(c);
}

static void on_exit_of(struct chain *c, struct process *p, int status)
{
	bool is_well = process_log_end(p, status, c->is_ending);
	bool is_usage = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE;

	p->pid = 0;
	process_stop_listening(p);
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
