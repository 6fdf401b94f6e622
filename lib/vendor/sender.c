/* Records of the runtime into the engine, and back. */
#include "vendor/sender.h"

/* What is parsed takes several times the room of what is parked. */
enum { BATCH_MOST = 64 };

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

static void sender_find_places(struct sender *s, const struct conf *conf)
{
	for (struct sender_place *p = s->places; p->target != NULL; p++) {
		const char *said = conf_text(conf, p->conf, NULL);

		p->is_fixed = *p->target != NULL && *p->target != said;
		if (*p->target == NULL) {
			*p->target = p->usual;
		}
	}
}

/* Which URL of the configuration a failure is about, if one. */
static void blame_place(
	const struct sender *s, const struct conf *conf, struct err *err)
{
	for (const struct sender_place *p = s->places; p->target != NULL; p++) {
		if (!p->is_fixed) {
			conf_blame(conf, p->conf, NULL, err);
		}
	}
}

static int sender_open(void *self, struct run *run, struct err *err)
{
	struct sender *s = self;

	s->run = run;
	s->setup.loop = run_loop(run);
	s->setup.node = run_node(run);
	s->setup.emit = sender_on_emit;
	s->setup.discard = sender_on_discard;
	s->setup.self = s;
	sender_find_places(s, run_conf(run));
	s->engine = engine_new(&s->setup, run_conf(run), err);
	run_set_window(run, (size_t)s->setup.window, BATCH_MOST);
	if (s->engine == NULL) {
		blame_place(s, run_conf(run), err);
		return -1;
	}
	return 0;
}

static int sender_reload(void *self, struct run *run, struct err *err)
{
	struct sender *s = self;
	const struct engine_places was = s->setup.places;

	for (struct sender_place *p = s->places; p->target != NULL; p++) {
		if (!p->is_fixed) {
			*p->target =
				conf_text(run_conf(run), p->conf, p->usual);
		}
	}
	if (engine_reload(s->engine, run_conf(run), &s->setup.places, err) !=
		0) {
		s->setup.places = was;
		return -1;
	}
	return 0;
}

static int sender_handle(void *self, struct batch *batch, struct err *err)
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

static void sender_drain(void *self)
{
	struct sender *s = self;

	engine_drain(s->engine, run_drain_ms(s->run));
}

static void sender_count(void *self, struct buf *json)
{
	struct sender *s = self;

	engine_count(s->engine, json);
}

static void sender_close(void *self)
{
	struct sender *s = self;

	engine_free(s->engine);
	s->engine = NULL;
}

int sender_main(const struct stage *stage, int argc, char **argv)
{
	struct stage s = *stage;

	s.open = sender_open;
	s.check = sender_open;
	s.reload = sender_reload;
	s.handle = sender_handle;
	s.drain = sender_drain;
	s.count = sender_count;
	s.close = sender_close;
	return stage_main(&s, argc, argv);
}
