/* Several chains and their common end. */
#include "run/fleet.h"

#include <sys/wait.h>

#include "base/mem.h"

enum { EXITS_MAX = 256 }; /* looked at together */

struct fleet {
	const struct plan *plans;
	struct lane *lanes; /* owned; one a plan */
	size_t count;
	struct fleet_events events;
	bool is_ready;
	bool is_stopping;
	bool is_unusable;
};

static bool has_watch(const struct fleet *f)
{
	return f->plans[0].is_watch;
}

static void on_lane_ready(void *self)
{
	struct fleet *f = self;

	for (size_t i = 0; i < f->count; i++) {
		if (!f->lanes[i].was_ready) {
			return;
		}
	}
	if (!f->is_ready) {
		f->is_ready = true;
		f->events.on_ready(f->events.self);
	}
}

/* How many are not over, the watcher left out. */
static size_t lanes_left(const struct fleet *f)
{
	size_t left = 0;

	for (size_t i = has_watch(f) ? 1 : 0; i < f->count; i++) {
		left += !f->lanes[i].is_over;
	}
	return left;
}

static enum chain_verdict verdict_of(const struct fleet *f)
{
	enum chain_verdict verdict = f->lanes[f->count - 1].verdict;

	if (f->is_unusable) {
		return CHAIN_UNUSABLE;
	}
	for (size_t i = 0; i < f->count; i++) {
		if (f->lanes[i].verdict == CHAIN_CUT_SHORT) {
			verdict = CHAIN_CUT_SHORT;
		}
	}
	return verdict;
}

static void on_lane_over(void *self)
{
	struct fleet *f = self;
	size_t left = lanes_left(f);

	for (size_t i = 0; i < f->count; i++) {
		f->is_unusable = f->is_unusable ||
				 (f->lanes[i].is_over &&
					 f->lanes[i].verdict == CHAIN_UNUSABLE);
	}
	if (left == 0 && f->lanes[0].is_over) {
		f->events.on_over(f->events.self, verdict_of(f));
	} else if (left == 0) {
		lane_stop(&f->lanes[0]);
	} else if (f->is_unusable && !f->is_stopping) {
		fleet_stop(f);
	}
}

struct fleet *fleet_start(struct loop *loop, const struct plan *plans,
	size_t count, const struct lane_settings *settings,
	const struct fleet_events *events)
{
	struct fleet *f = mem_array(1, sizeof(*f));
	struct lane_events lane_events = { on_lane_ready, on_lane_over, f };

	f->plans = plans;
	f->lanes = mem_array(count, sizeof(*f->lanes));
	f->count = count;
	f->events = *events;
	for (size_t i = 0; i < count; i++) {
		lane_init(
			&f->lanes[i], loop, &plans[i], settings, &lane_events);
	}
	for (size_t i = 0; i < count; i++) {
		lane_start(&f->lanes[i]);
	}
	return f;
}

void fleet_free(struct fleet *f)
{
	if (f == NULL) {
		return;
	}
	for (size_t i = 0; i < f->count; i++) {
		lane_release(&f->lanes[i]);
	}
	mem_free(f->lanes);
	mem_free(f);
}

void fleet_stop(struct fleet *f)
{
	f->is_stopping = true;
	if (lanes_left(f) == 0) {
		lane_stop(&f->lanes[0]);
		return;
	}
	/* The watcher sees the last of them, and ends then. */
	for (size_t i = has_watch(f) ? 1 : 0; i < f->count; i++) {
		lane_stop(&f->lanes[i]);
	}
}

void fleet_signal(struct fleet *f, int signo)
{
	for (size_t i = 0; i < f->count; i++) {
		lane_signal(&f->lanes[i], signo);
	}
}

/* Any child: as process 1 of a container we inherit strangers' too. */
void fleet_reap(struct fleet *f)
{
	struct chain_exit exits[EXITS_MAX];
	size_t count = 0;

	do {
		count = 0;
		while (count < EXITS_MAX &&
			(exits[count].pid = waitpid(
				 -1, &exits[count].status, WNOHANG)) > 0) {
			count++;
		}
		for (size_t i = 0; i < f->count; i++) {
			lane_on_exits(&f->lanes[i], exits, count);
		}
	} while (count == EXITS_MAX);
	for (size_t i = 0; i < f->count; i++) {
		lane_check(&f->lanes[i]);
	}
}
