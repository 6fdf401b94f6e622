/* Deadlines: of answers, of delays, of the drain. */
#include "base/clock.h"
#include "vendor/engine_core.h"

enum { SOON_MS = 1000 };

static void engine_give_up(struct engine *e, struct flight *f, const char *why)
{
	bool is_ambiguous = pool_take_back(f->pool, f);

	flight_remove(f);
	if (is_ambiguous) {
		engine_lose(e, f, why);
	} else {
		engine_unsent(e, f, why, REASON_VENDOR_UNAVAILABLE, SOON_MS);
	}
}

static void engine_expire(struct engine *e, int64_t now)
{
	while (e->sent.first != NULL && now >= e->sent.first->due_mono_ms) {
		e->timeouts++;
		pool_suspect(e->sent.first->pool, e->sent.first);
		pool_bad(e->sent.first->pool);
		engine_give_up(e, e->sent.first, "no answer in time");
	}
}

/* Sends again what is due. */
static void engine_resend(struct engine *e, int64_t now)
{
	struct flight_list due = { 0 };
	struct flight *f = e->delayed.first;

	while (f != NULL) {
		struct flight *next = f->next;

		if (now >= f->due_mono_ms) {
			flight_remove(f);
			flight_append(&due, f);
		}
		f = next;
	}
	while ((f = flight_shift(&due)) != NULL) {
		pool_send(f->pool, f);
	}
}

void engine_each_pool(
	struct engine *e, void (*call)(struct engine *e, struct pool *p))
{
	struct credential *c = credentials_first(e->credentials);

	for (; c != NULL; c = c->next) {
		for (size_t i = 0; i < e->endpoints; i++) {
			if (c->pools[i] != NULL) {
				call(e, c->pools[i]);
			}
		}
	}
}

static void engine_pump_one(struct engine *e, struct pool *p)
{
	(void)e;
	pool_pump(p);
}

static void engine_end_waiting(struct engine *e, struct pool *p)
{
	struct flight *f;

	while ((f = pool_first_waiting(p)) != NULL) {
		engine_give_up(e, f, "stopped before it was sent");
	}
}

static void engine_end_drain(struct engine *e)
{
	engine_each_pool(e, engine_end_waiting);
	while (e->delayed.first != NULL) {
		engine_give_up(e, e->delayed.first,
			"stopped before it was sent again");
	}
	while (e->sent.first != NULL) {
		engine_give_up(e, e->sent.first, "stopped before the answer");
	}
}

void engine_on_tick(void *self)
{
	struct engine *e = self;
	int64_t now = clock_mono_ms();

	engine_expire(e, now);
	engine_resend(e, now);
	engine_each_pool(e, engine_pump_one);
	if (e->is_draining && now >= e->drain_end_mono_ms) {
		engine_end_drain(e);
	}
	credentials_sweep(e->credentials);
	if (e->out > 0) {
		loop_timer_set(e->setup.loop, &e->tick, ENGINE_TICK_MS * 1000,
			engine_on_tick, e);
	}
}

void engine_drain(struct engine *e, int64_t limit_ms)
{
	e->is_draining = true;
	/* A tenth is for writing what is given back then. */
	e->drain_end_mono_ms = clock_mono_ms() + limit_ms - limit_ms / 10;
}
