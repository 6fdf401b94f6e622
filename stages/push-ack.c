/*
 * push-ack - settle every record with the queue
 *
 * The end of the chain: marks what was delivered, gives back what was not,
 * writes the results file, and settles with the queue in this order, so that a
 * crash in between leads to a redelivery that finds its marks.  See push-ack(1).
 */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/dedupe.h"
#include "policy/fatigue.h"
#include "queue/ending.h"
#include "queue/results.h"
#include "queue/settle.h"
#include "record/record.h"
#include "stage/stage.h"
#include "store/store.h"

enum { TASK_MAX_BYTES = 16 * 1024 * 1024 };

struct app {
	const char *url;
	const char *results_path;
	int64_t attempts;
	const char *dedupe_url;
	int64_t dedupe_window_ms;
	const char *fatigue_url;

	struct run *run;                   /* borrowed */
	struct settle *settle;             /* owned */
	struct store *dedupe;              /* owned; NULL: nothing to mark in */
	struct store *fatigue;             /* owned; NULL likewise */
	struct dedupe_rules *dedupe_rules; /* owned */
	struct fatigue_rules *rules;       /* owned */
	struct store_asks dedupe_asks;
	struct store_asks fatigue_asks;
	struct settle_counts counts;
	struct buf task;         /* scratch */
	struct results *results; /* owned */
	bool is_begun; /* the batch's lines are made; it may come again */
};

static struct app app = {
	.url = "redis://127.0.0.1",
	.attempts = 5,
	.dedupe_window_ms = DEDUPE_WINDOW_MS,
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_TEXT("redis", "URL", &app.url, "redis",
		"where the queues are; default redis://127.0.0.1"),
	OPT_FILE("results", "FILE", &app.results_path, "ack.results",
		"append every finished record to this file"),
	OPT_INT("attempts", "N", &app.attempts, 1, 1000, "ack.attempts",
		"attempts before a retry becomes a dead letter; default 5"),
	OPT_TEXT("dedupe", "URL", &app.dedupe_url, NULL,
		"the store of push-dedupe, to mark in"),
	OPT_DURATION("dedupe-window", "TIME", &app.dedupe_window_ms, "dedupe.window",
		"how long marks are kept; default 24h"),
	OPT_TEXT("fatigue", "URL", &app.fatigue_url, NULL,
		"the store of push-fatigue, to give back in"),
	OPT_END,
};
/* clang-format on */

/* `memory:' is nobody else's, so marks in it would serve no one. */
static int open_store(const struct app *a, const char *option, const char *conf,
	struct store **out, struct err *err)
{
	char *url = option != NULL ? mem_text(option)
				   : store_url_take(run_conf(a->run), conf);
	int failed = 0;

	if (strcmp(url, "memory:") != 0) {
		failed = store_open(out, url, err);
	}
	mem_free(url);
	return failed;
}

static int app_open(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	a->run = run;
	buf_init(&a->task, TASK_MAX_BYTES);
	if (dedupe_rules_new(&a->dedupe_rules, run_conf(run),
		    a->dedupe_window_ms, err) != 0 ||
		fatigue_rules_new(&a->rules, run_conf(run), err) != 0 ||
		settle_open(&a->settle, a->url, a->attempts, err) != 0 ||
		open_store(a, a->dedupe_url, "dedupe.store", &a->dedupe, err) !=
			0 ||
		open_store(a, a->fatigue_url, "fatigue.store", &a->fatigue,
			err) != 0) {
		return -1;
	}
	return results_open(&a->results, a->results_path, err);
}

static int app_reload(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	struct fatigue_rules *rules = NULL;

	if (fatigue_rules_new(&rules, run_conf(run), err) != 0) {
		return -1;
	}
	if (results_reopen(a->results, err) != 0) {
		fatigue_rules_free(rules);
		return -1;
	}
	fatigue_rules_free(a->rules);
	a->rules = rules;
	return 0;
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
	store_asks_reset(&a->dedupe_asks);
	store_asks_reset(&a->fatigue_asks);
	BATCH_EACH(batch, rec)
	{
		unsigned flags = ending_flags(rec, a->attempts);

		ending_ask_dedupe(rec, flags, a->dedupe_rules, &a->dedupe_asks);
		ending_ask_fatigue(rec, flags, a->rules, &a->fatigue_asks);
	}
	if (a->dedupe != NULL && store_exchange(a->dedupe, a->dedupe_asks.items,
					 a->dedupe_asks.count, err) != 0) {
		return -1;
	}
	return a->fatigue == NULL
		       ? 0
		       : store_exchange(a->fatigue, a->fatigue_asks.items,
				 a->fatigue_asks.count, err);
}

static int settle_all(struct app *a, struct batch *batch, struct err *err)
{
	struct settle_counts now = { 0 };

	settle_reset(a->settle);
	BATCH_EACH(batch, rec)
	{
		struct settle_item item;

		if (ending_item(rec, &item, &a->task)) {
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
	a->counts.settled += now.settled;
	a->counts.late += now.late;
	a->counts.delayed += now.delayed;
	a->counts.dead += now.dead;
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
	store_close(a->dedupe);
	store_close(a->fatigue);
	dedupe_rules_free(a->dedupe_rules);
	fatigue_rules_free(a->rules);
	store_asks_release(&a->dedupe_asks);
	store_asks_release(&a->fatigue_asks);
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
		.open = app_open,
		.reload = app_reload,
		.handle = app_handle,
		.count = app_count,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
