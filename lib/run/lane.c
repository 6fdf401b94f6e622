/* Lives of one chain. */
#include "run/lane.h"

#include "base/clock.h"
#include "base/log.h"

enum { SAID_BYTES = 160 };

/* What the log calls it. */
static const char *said(const struct lane *l, char dst[SAID_BYTES])
{
	if (l->plan->name == NULL ||
		fmt_into(dst, SAID_BYTES, "chain '%s'", l->plan->name) != 0) {
		return "chain";
	}
	return dst;
}

void lane_init(struct lane *l, struct loop *loop, const struct plan *plan,
	const struct lane_settings *settings, const struct lane_events *events)
{
	*l = (struct lane){
		.loop = loop,
		.plan = plan,
		.settings = *settings,
		.events = *events,
		.backoff_ms = CHAIN_BACKOFF_FIRST_MS,
	};
}

void lane_release(struct lane *l)
{
	chain_free(l->chain);
	loop_timer_stop(l->loop, &l->restart);
	l->chain = NULL;
}

static void end(struct lane *l, enum chain_verdict verdict)
{
	l->is_over = true;
	l->verdict = verdict;
	l->events.on_over(l->events.self);
}

static void on_ready(void *self)
{
	struct lane *l = self;
	char name[SAID_BYTES];

	l->ready_mono_ms = clock_mono_ms();
	log_info(
		"the %s is ready: %zu programs", said(l, name), l->plan->count);
	if (!l->was_ready) {
		l->was_ready = true;
		l->events.on_ready(l->events.self);
	}
}

static void on_restart(void *self)
{
	lane_start(self);
}

static void start_again(struct lane *l)
{
	char name[SAID_BYTES];

	if (l->ready_mono_ms != 0 &&
		clock_mono_ms() - l->ready_mono_ms > CHAIN_HEALTHY_MS) {
		l->backoff_ms = CHAIN_BACKOFF_FIRST_MS;
	}
	if (l->backoff_ms > l->settings.restart_ms) {
		l->backoff_ms = l->settings.restart_ms;
	}
	log_warn("starting the %s again in %lld ms", said(l, name),
		(long long)l->backoff_ms);
	loop_timer_set(
		l->loop, &l->restart, l->backoff_ms * 1000, on_restart, l);
	l->backoff_ms *= 2;
}

static void on_chain_over(void *self, enum chain_verdict verdict)
{
	struct lane *l = self;

	if (verdict == CHAIN_FAILED) {
		start_again(l);
	} else {
		end(l, verdict);
	}
}

void lane_start(struct lane *l)
{
	struct chain_events events = { on_ready, on_chain_over, l };
	struct err err = { 0 };

	chain_free(l->chain);
	l->ready_mono_ms = 0;
	l->chain = chain_new(l->loop, l->plan, l->settings.drain_ms, &events);
	if (chain_start(l->chain, &err) != 0) {
		log_error("%s", err.text);
	}
}

void lane_stop(struct lane *l)
{
	if (l->is_over) {
		return;
	}
	if (loop_timer_is_set(&l->restart)) {
		loop_timer_stop(l->loop, &l->restart);
		end(l, CHAIN_STOPPED); /* nothing runs */
	} else {
		chain_stop(l->chain);
	}
}

void lane_signal(struct lane *l, int signo)
{
	if (l->chain != NULL) {
		chain_signal(l->chain, signo);
	}
}

void lane_on_exits(struct lane *l, const struct chain_exit *exits, size_t count)
{
	if (l->chain != NULL) {
		chain_on_exits(l->chain, exits, count);
	}
}

void lane_check(struct lane *l)
{
	if (l->chain != NULL) {
		chain_check(l->chain);
	}
}
