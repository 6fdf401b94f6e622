/*
 * push-ack - settle every record with the queue
 *
 * The end of the chain: marks what was delivered, gives back what was not,
 * writes the results file, and settles with the queue in this order, so that a
 * crash in between leads to a redelivery that finds its marks.  See push-ack(1).
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "net/redis_url.h"
#include "policy/dedupe.h"
#include "queue/ending.h"
#include "queue/results.h"
#include "queue/settle.h"
#include "record/record.h"
#include "stage/stage.h"
#include "store/marks.h"

enum { TASK_MAX_BYTES = 16 * 1024 * 1024 };

struct app {
	const char *url;
	const char *results_path;
	struct ending_limits limits;
	struct marks_settings stores;

	struct run *run;       /* borrowed */
	struct settle *settle; /* owned */
	struct marks *marks;   /* owned */
	struct settle_counts counts;
	struct buf task;         /* scratch */
	struct results *results; /* owned */
	bool is_begun; /* the batch's lines are made; it may come again */
};

static struct app app = {
	.url = "redis://127.0.0.1",
	.limits = { .attempts = 5 },
	.stores = { .dedupe_window_ms = DEDUPE_WINDOW_MS },
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_TEXT("redis", "URL", &app.url, "redis",
		"where the queues are; default redis://127.0.0.1"),
	OPT_FILE("results", "FILE", &app.results_path, "ack.results",
		"append every finished record to this file"),
	OPT_INT("attempts", "N", &app.limits.attempts, 1, 1000, "ack.attempts",
		"attempts before a retry becomes a dead letter; default 5"),
	OPT_DURATION("max-age", "TIME", &app.limits.max_age_ms, "ack.max_age",
		"age at which a retry becomes a dead letter; default none"),
	OPT_TEXT("dedupe", "URL", &app.stores.dedupe_url, NULL,
		"the store of push-dedupe, to mark in"),
	OPT_DURATION("dedupe-window", "TIME", &app.stores.dedupe_window_ms, "dedupe.window",
		"how long marks are kept; default 24h"),
	OPT_TEXT("fatigue", "URL", &app.stores.fatigue_url, NULL,
		"the store of push-fatigue, to give back in"),
	OPT_END,
};
/* clang-format on */

static int app_check(void *self, struct run *run, struct err *err)
{
	const struct app *a = self;
	const struct conf *conf = run_conf(run);

	if (redis_url_check(a->url, err) != 0) {
		conf_blame(conf, "redis", a->url, err);
		return -1;
	}
	if (a->results_path != NULL && !folder_can_hold(a->results_path)) {
		log_warn("there is no folder for the file '%s'",
			a->results_path);
	}
	return marks_check(&a->stores, conf, err);
}

static int app_open(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	a->run = run;
	buf_init(&a->task, TASK_MAX_BYTES);
	if (app_check(self, run, err) != 0 ||
		marks_open(&a->marks, &a->stores, run_conf(run), err) != 0 ||
		settle_open(&a->settle, a->url, a->limits.attempts, err) != 0) {
		return -1;
	}
	return results_open(&a->results, a->results_path, err);
}

static int app_reload(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	return results_reopen(a->results, err) != 0
		       ? -1
		       : marks_reload(a->marks, run_conf(run), err);
}

/* Once a batch, also when it comes again. */
static void begin(struct app *a, struct batch *batch)
{
	struct buf *lines = results_buf(a->results);
	int64_t now_us = clock_unix_us();

	BATCH_EACH_UNDECIDED(batch, rec)
	{
		record_decide(rec, REASON_UNROUTED);
	}
	BATCH_EACH(batch, rec)
	{
		if (lines != NULL) {
			record_write(rec, run_node(a->run), now_us, lines);
		}
	}
	a->is_begun = true;
}

static int mark(struct app *a, struct batch *batch, struct err *err)
{
	marks_reset(a->marks);
	BATCH_EACH(batch, rec)
	{
		marks_add(a->marks, rec, ending_flags(rec, &a->limits));
	}
	return marks_exchange(a->marks, err);
}

static int settle_all(struct app *a, struct batch *batch, struct err *err)
{
	struct settle_counts now = { 0 };

	settle_reset(a->settle);
	BATCH_EACH(batch, rec)
	{
		struct settle_item item;

		if (ending_item(rec, &a->limits, &item, &a->task)) {
			settle_add(a->settle, &item);
		}
	}
	if (settle_exchange(a->settle, &now, err) != 0) {
		return -1;
	}
	if (now.late > 0) {
		log_warn("%llu receipts were not in flight any more",
			(unsigned long long)now.late);
	}
	settle_counts_add(&a->counts, &now);
	return 0;
}

static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;

	if (!a->is_begun) {
		begin(a, batch);
	}
	if (mark(a, batch, err) != 0 || results_flush(a->results, err) != 0 ||
		settle_all(a, batch, err) != 0) {
		return -1;
	}
	a->is_begun = false;
	return 0;
}

static void app_count(void *self, struct buf *json)
{
	const struct settle_counts *c = &((const struct app *)self)->counts;

	buf_fmt(json,
		",\"settled\":%llu,\"late\":%llu,\"delayed\":%llu,\"dead\":%llu",
		(unsigned long long)c->settled, (unsigned long long)c->late,
		(unsigned long long)c->delayed, (unsigned long long)c->dead);
}

static void app_close(void *self)
{
	struct app *a = self;

	settle_close(a->settle);
	marks_close(a->marks);
	buf_release(&a->task);
	results_close(a->results);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-ack",
		.summary = "settle every record with the queue",
		.opts = opts,
		.self = &app,
		.output = OUTPUT_LOSSY,
		.sees_decided = true,
		.check = app_check,
		.open = app_open,
		.reload = app_reload,
		.handle = app_handle,
		.count = app_count,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
