/* Several chains: a lane each, and the watcher apart from them. */
#include "run/plans.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "queue/key.h"

enum { TEXT_MOST_BYTES = 4096 };

/* The lane's worker. */
static int put_worker(struct buf *out, const struct plan *plan,
	const struct plan_source *source, const char *own, struct err *err)
{
	if (own != NULL) {
		buf_text(out, own);
	} else {
		char host[KEY_NAME_MAX_BYTES + 1];

		key_host_worker(host);
		buf_fmt(out, "%s-%s", conf_text(source->conf, "worker", host),
			plan->name);
	}
	return key_is_worker(span_of(buf_string(out)))
		       ? 0
		       : err_usage(err, 0,
				 "run.lanes: '%s' cannot name a worker: 1 to "
				 "%d letters, digits, '.', '_' and '-'",
				 buf_string(out), KEY_NAME_MAX_BYTES);
}

/* What push-pop is told of the lane. */
static int set_lane(struct plan *plan, const struct plan_source *source,
	const struct json *lane, struct err *err)
{
	struct program *pop = &plan->programs[0];
	const struct json *queues = json_get(lane, "queues");
	const char *worker = json_text(json_get(lane, "worker")).ptr;
	const struct json *window = json_get(lane, "window");
	struct buf text;
	int failed;

	if (plan->count == 0 || !program_is(pop, "push-pop")) {
		return err_usage(err, 0,
			"run.lanes: run.chain must begin with push-pop");
	}
	for (size_t i = 0; i < json_count(queues); i++) {
		program_add_option(
			pop, "--queue", json_text(json_at(queues, i)).ptr);
	}
	buf_init(&text, TEXT_MOST_BYTES);
	failed = put_worker(&text, plan, source, worker, err);
	program_add_option(pop, "--worker", buf_string(&text));
	if (window != NULL) {
		buf_reset(&text);
		buf_i64(&text, conf_int(window, 0));
		program_add_option(pop, "--window", buf_string(&text));
	}
	buf_release(&text);
	return failed;
}

/* The socket between a lane's last program and the watcher. */
static void add_endpoint(
	struct program *p, const char *option, const char *path)
{
	struct buf text;

	buf_init(&text, TEXT_MOST_BYTES);
	buf_fmt(&text, "unix:%s", path);
	program_add_option(p, option, buf_string(&text));
	buf_release(&text);
}

/* Takes the watcher off the end of a lane's chain. */
static int part_from_watch(
	struct plan *plan, const struct plan_source *source, struct err *err)
{
	struct program *last = &plan->programs[plan->count - 1];

	if (!last->is_watch) {
		return 0;
	}
	program_release(last);
	plan->count--;
	last--;
	if (!last->is_ours) {
		return err_usage(err, 0,
			"run.lanes: '%s' before push-stats cannot write to a "
			"socket",
			last->name);
	}
	add_endpoint(last, "--out", source->records);
	return 0;
}

static int lane_make(struct plan *out, const struct plan_source *source,
	const struct json *lane, struct span name, struct err *err)
{
	out->name = mem_dup(name.ptr, name.len);
	return plan_make(out, source, err) != 0 ||
			       set_lane(out, source, lane, err) != 0 ||
			       part_from_watch(out, source, err) != 0
		       ? -1
		       : 0;
}

/* Leaves the watcher alone in the plan; nothing when the chain has none. */
static int watch_make(
	struct plan *out, const struct plan_source *source, struct err *err)
{
	struct program *last;

	if (plan_make(out, source, err) != 0) {
		return -1;
	}
	last = &out->programs[out->count - 1];
	out->is_watch = last->is_watch;
	for (size_t i = 0; i + 1 < out->count; i++) {
		program_release(&out->programs[i]);
	}
	if (out->count > 1) {
		out->programs[0] = *last;
		*last = (struct program){ 0 };
	}
	out->count = 1;
	out->programs[0].is_watch = false;
	if (out->is_watch) {
		out->name = mem_text("push-stats");
		add_endpoint(&out->programs[0], "--in", source->records);
	}
	return 0;
}

bool plans_want_sockets(const struct conf *conf)
{
	if (conf_at(conf, "run.lanes") != NULL) {
		return true;
	}
	return getenv("PUSH_COUNTERS") == NULL &&
	       conf_at(conf, "counters") == NULL && plan_ends_in_watch(conf);
}

static int make_lanes(struct plan *plans, size_t *count,
	const struct plan_source *source, struct err *err)
{
	struct json_iter it = json_iter(conf_at(source->conf, "run.lanes"));
	const struct json *lane;

	if (watch_make(&plans[0], source, err) != 0) {
		*count = 1;
		return -1;
	}
	if (plans[0].is_watch) {
		*count = 1;
	} else {
		plan_release(&plans[0]);
		plans[0] = (struct plan){ 0 };
	}
	while ((lane = json_next(&it)) != NULL) {
		if (*count > PLANS_LANES_MAX) {
			return err_usage(err, 0, "run.lanes has more than %d",
				PLANS_LANES_MAX);
		}
		(*count)++;
		if (lane_make(&plans[*count - 1], source, lane, it.name, err) !=
			0) {
			return -1;
		}
	}
	return 0;
}

int plans_make(struct plan **out, size_t *count,
	const struct plan_source *source, struct err *err)
{
	struct plan *plans = mem_array(PLANS_LANES_MAX + 2, sizeof(*plans));
	int failed;

	*count = 0;
	if (conf_at(source->conf, "run.lanes") == NULL) {
		*count = 1;
		failed = plan_make(&plans[0], source, err);
	} else if (json_count(conf_at(source->conf, "run.lanes")) == 0) {
		failed = err_usage(err, 0, "run.lanes is empty");
	} else {
		failed = make_lanes(plans, count, source, err);
	}
	if (failed != 0) {
		plans_free(plans, *count);
		return -1;
	}
	*out = plans;
	return 0;
}

void plans_free(struct plan *plans, size_t count)
{
	for (size_t i = 0; plans != NULL && i < count; i++) {
		plan_release(&plans[i]);
	}
	mem_free(plans);
}
