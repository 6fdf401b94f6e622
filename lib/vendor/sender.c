/* Records of the runtime into the engine, and back. */
#include "vendor/sender.h"

static void sender_on_emit(void *self, struct record *r)
{
	struct sender *s = self;

	run_emit(s->run, r);
}

static void sender_on_discard(void *self, struct record *r)
{
	struct sender *s = self;

	record_free(run_pool(s->run), r);
}

int sender_open(void *self, struct run *run, struct err *err)
{
	struct sender *s = self;

	s->run = run;
	s->setup.loop = run_loop(run);
	s->setup.node = run_node(run);
	s->setup.emit = sender_on_emit;
	s->setup.discard = sender_on_discard;
	s->setup.self = s;
	s->engine = engine_new(&s->setup, run_conf(run), err);
	run_set_window(run, (size_t)s->setup.window);
	return s->engine != NULL ? 0 : -1;
}

int sender_reload(void *self, struct run *run, struct err *err)
{
	struct sender *s = self;

	return engine_reload(s->engine, run_conf(run), err);
}

int sender_handle(void *self, struct batch *batch, struct err *err)
{
	struct sender *s = self;

	(void)err;
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		if (!s->setup.vendor->takes(rec)) {
			continue;
		}
		if (s->is_dry_run || run_is_replay(s->run)) {
			engine_rehearse(s->engine, rec);
		} else {
			run_hold(s->run, rec);
			engine_send(s->engine, rec);
		}
	}
	return 0;
}

void sender_drain(void *self)
{
	struct sender *s = self;

	engine_drain(s->engine, run_drain_ms(s->run));
}

void sender_count(void *self, struct buf *json)
{
	struct sender *s = self;

	engine_count(s->engine, json);
}

void sender_close(void *self)
{
	struct sender *s = self;

	engine_free(s->engine);
	s->engine = NULL;
}
