/*
 * push-pop - claim tasks from the queue and start the stream
 *
 * The head of the chain: claims tasks under a lease, in batches, and writes each
 * as a record whose trace names the claim.  Nothing it wrote is gone from the
 * queue before push-ack has settled it.  See push-pop(1) and push-queue(7).
 */
#include "base/clock.h"
#include "base/log.h"
#include "queue/lanes.h"
#include "queue/persistence.h"
#include "queue/settle.h"
#include "queue/started.h"
#include "record/record.h"
#include "stage/stage.h"

enum { BATCH_MOST = 1000, WINDOW_MOST = 100000 };

struct app {
	const char *url;
	struct opt_list queues;
	const char *worker;
	int64_t window;
	int64_t batch;
	int64_t lease_ms;
	int64_t attempts;
	bool once;

	struct run *run;      /* borrowed */
	struct lanes *lanes;  /* owned */
	struct settle *later; /* owned; puts back what must wait */
	size_t postponed;     /* not yet told to the queue */
	uint64_t claimed;
};

static struct app app = {
	.url = "redis://127.0.0.1",
	.window = 1024,
	.batch = 128,
	.lease_ms = 60 * 1000,
	.attempts = 5,
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_LIST("queue", "NAME", &app.queues, "queues",
		"list to claim from; repeat in order of priority"),
	OPT_TEXT("redis", "URL", &app.url, "redis",
		"where the queues are; default redis://127.0.0.1"),
	OPT_TEXT("worker", "NAME", &app.worker, "worker",
		"name of this worker, of no other that runs; default by the host"),
	OPT_INT("window", "N", &app.window, 1, WINDOW_MOST, "pop.window",
		"tasks claimed and not settled, at most; default 1024"),
	OPT_INT("batch", "N", &app.batch, 1, BATCH_MOST, "pop.batch",
		"tasks claimed at once, at most; default 128"),
	OPT_DURATION("lease", "TIME", &app.lease_ms, "pop.lease",
		"how long a claim holds; default 60s"),
	OPT_INT("attempts", "N", &app.attempts, 1, 1000, "pop.attempts",
		"deliveries of a task before it is a dead letter; default 5"),
	OPT_FLAG("once", &app.once, "end when there is nothing to claim"),
	OPT_END,
};
/* clang-format on */

static void app_on_wake(void *self)
{
	struct app *a = self;

	run_wake(a->run);
}

static void app_on_finding(void *self, bool is_known, const char *text)
{
	(void)self;
	if (is_known) {
		log_warn("%s", text);
	} else {
		log_info("%s", text);
	}
}

static struct lanes_settings settings_of(const struct app *a)
{
	return (struct lanes_settings){
		.queues = a->queues.items,
		.count = a->queues.count,
		.window = a->window,
		.batch = a->batch,
		.claim = { .url = a->url,
			.worker = a->worker,
			.lease_ms = a->lease_ms,
			.attempts = a->attempts },
	};
}

static int app_check(void *self, struct run *run, struct err *err)
{
	const struct lanes_settings settings = settings_of(self);

	return lanes_check(&settings, run_conf(run), err);
}

static int app_open(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	struct lanes_settings settings = settings_of(a);

	settings.claim.leaves_own = run_is_outlived(run);
	a->run = run;
	if (app_check(self, run, err) != 0) {
		return -1;
	}
	if (lanes_open(&a->lanes, &settings, run_loop(run), app_on_wake, a,
		    err) != 0 ||
		settle_open(&a->later, a->url, a->attempts, err) != 0) {
		return -1;
	}
	if (lanes_recovered(a->lanes) > 0) {
		log_info("took back %lld tasks that '%s' had in flight",
			(long long)lanes_recovered(a->lanes),
			lanes_worker(a->lanes));
	}
	persistence_look(a->url, a->queues.items[0], app_on_finding, a);
	return 0;
}

/* Puts a task back until its not_before_ms; true when it has one to come. */
static bool postpone(struct app *a, const char *queue,
	const struct claim_entry *e, const struct record *r, int64_t now_us)
{
	const struct settle_item item = {
		.queue = span_of(queue),
		.receipt = e->receipt,
		.action = SETTLE_LATER,
		.unix_ms = r->not_before_unix_ms,
	};

	if (!started_must_wait(e, r, now_us)) {
		return false;
	}
	settle_add(a->later, &item);
	a->postponed++;
	return true;
}

static bool tell_postponed(struct app *a, struct err *err)
{
	struct settle_counts ignored = { 0 };

	if (a->postponed > 0 && settle_exchange(a->later, &ignored, err) != 0) {
		return false;
	}
	a->postponed = 0;
	return true;
}

static int app_produce(void *self, struct err *err)
{
	struct app *a = self;
	const struct claim_batch *batch;
	int64_t now_us;
	int got;

	if (!tell_postponed(a, err)) {
		return -1;
	}
	got = lanes_take(a->lanes, &batch, err);
	if (got < 0 && lanes_is_displaced(a->lanes)) {
		fatal(err_status(err), "%s", err->text);
	}
	if (got == 0 && a->once && lanes_is_empty(a->lanes)) {
		run_finish(a->run);
	}
	if (got <= 0) {
		return got;
	}
	now_us = clock_unix_us();
	for (size_t i = 0; i < batch->count; i++) {
		const struct claim_entry *e = &batch->entries[i];
		struct record *r = started_record(
			run_pool(a->run), batch->queue, e, now_us);

		if (postpone(a, batch->queue, e, r, now_us)) {
			record_free(run_pool(a->run), r);
		} else {
			run_emit(a->run, r);
			a->claimed++;
		}
	}
	/* When this fails the next call begins with it. */
	(void)tell_postponed(a, err);
	return 1;
}

static void app_count(void *self, struct buf *json)
{
	const struct app *a = self;

	buf_fmt(json, ",\"claimed\":%llu,\"in_flight\":%lld",
		(unsigned long long)a->claimed,
		(long long)lanes_in_flight(a->lanes));
}

static void app_close(void *self)
{
	struct app *a = self;

	lanes_close(a->lanes);
	settle_close(a->later);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-pop",
		.summary = "claim tasks from the queue and start the stream",
		.opts = opts,
		.self = &app,
		.input = INPUT_NONE,
		.check = app_check,
		.open = app_open,
		.produce = app_produce,
		.count = app_count,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
