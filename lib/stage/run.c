/*
 * The loop of a running stage: reading, ticking, signals, draining; and what the
 * stage may ask of it.
 */
#include "stage/run.h"

#include <signal.h>

#include "base/clock.h"
#include "base/log.h"

enum { TICK_US = 1000 * 1000 };

/* --- what a running stage may ask --- */

struct loop *run_loop(struct run *run)
{
	return run->loop;
}

const struct conf *run_conf(const struct run *run)
{
	return run->conf;
}

bool run_is_outlived(const struct run *run)
{
	return output_is_socket(run->output);
}

struct record_pool *run_pool(struct run *run)
{
	return run->pool;
}

const char *run_node(const struct run *run)
{
	return run->node;
}

const char *run_counters(const struct run *run)
{
	return run->options->counters;
}

bool run_is_replay(const struct run *run)
{
	return run->options->is_replay;
}

bool run_is_draining(const struct run *run)
{
	return run->is_draining;
}

int64_t run_drain_ms(const struct run *run)
{
	return run->options->drain_ms;
}

void run_set_window(struct run *run, size_t window, size_t batch)
{
	run->window = window;
	run->batch_most = batch < BATCH_MOST ? batch : (size_t)BATCH_MOST;
}

size_t run_held(const struct run *run)
{
	return run->held;
}

void run_wake(struct run *run)
{
	run->is_awake = true;
}

static void on_drain_limit(void *self)
{
	struct run *run = self;

	run->is_over = true;
}

void run_finish(struct run *run)
{
	if (run->is_draining) {
		return;
	}
	run->is_draining = true;
	if (run->input != NULL) {
		input_stop(run->input);
	}
	if (run->stage->drain != NULL) {
		run->stage->drain(run->stage->self);
	}
	loop_timer_set(run->loop, &run->drain_limit,
		run->options->drain_ms * 1000, on_drain_limit, run);
}

/* --- the loop --- */

static bool is_done(struct run *run)
{
	if (run->has_failed || run->is_over) {
		return true;
	}
	if (run->input != NULL && !run->is_draining &&
		input_is_done(run->input) && run->batch.count == 0) {
		run_finish(run);
	}
	return run->is_draining && run->held == 0 && run->batch.count == 0 &&
	       (run->input == NULL || input_is_done(run->input)) &&
	       (run->output == NULL || run->stage->output == OUTPUT_LOSSY ||
		       output_pending(run->output) == 0);
}

void run_tick(void *self)
{
	struct run *run = self;
	struct buf extra;

	/* At whole seconds, so that the collector can compare what different
	 * programs had counted at the same moment. */
	loop_timer_set(run->loop, &run->tick,
		TICK_US - clock_unix_us() % TICK_US, run_tick, run);
	log_tick();
	buf_init(&extra, 8192);
	if (run->stage->count != NULL) {
		run->stage->count(run->stage->self, &extra);
	}
	counters_send(&run->counters, run->held + run->batch.count,
		run->output != NULL ? output_dropped(run->output) : 0, &extra);
	buf_release(&extra);
}

void run_until_done(struct run *run)
{
	while (!is_done(run)) {
		if (batch_step(run)) {
			/* What was read is handled before more is read, or a
			 * window that lets a little through at a time would
			 * fill the memory. */
			if (run->input != NULL) {
				input_read(run->input, false);
			}
			(void)loop_turn(run->loop, 0);
			continue;
		}
		if (run->input != NULL) {
			input_read(run->input, !batch_is_blocked(run) &&
						       run->batch.count == 0 &&
						       run->held < run->window);
		}
		if (!is_done(run)) {
			(void)loop_turn(run->loop, -1);
		}
	}
}

/* --- signals --- */

static void on_term(void *self, int signo)
{
	struct run *run = self;

	if (run->is_draining) {
		fatal(EXIT_TEMP, "second signal %d: not waiting any longer",
			signo);
	}
	log_info("signal %d: finishing what is in flight", signo);
	run_finish(run);
}

static void on_hup(void *self, int signo)
{
	struct run *run = self;
	struct conf *old = run->conf;
	struct conf *fresh = NULL;
	struct err err = { 0 };

	(void)signo;
	if (conf_load(&fresh, run->options->config, &err) != 0) {
		log_error("%s; keeping the old configuration", err.text);
		return;
	}
	run->conf = fresh;
	if (run->stage->reload != NULL &&
		run->stage->reload(run->stage->self, run, &err) != 0) {
		conf_place(fresh, &err);
		log_error("%s; keeping the old configuration", err.text);
		run->conf = old;
		conf_free(fresh);
		return;
	}
	if (old != run->first_conf) {
		conf_free(old);
	}
	log_info("configuration read again");
}

int run_catch_signals(struct run *run, struct err *err)
{
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		return err_set(err, 0, "cannot ignore SIGPIPE");
	}
	return loop_signal(run->loop, SIGTERM, on_term, run, err) != 0 ||
			       loop_signal(run->loop, SIGINT, on_term, run,
				       err) != 0 ||
			       loop_signal(
				       run->loop, SIGHUP, on_hup, run, err) != 0
		       ? -1
		       : 0;
}
