/*
 * push-dedupe - let each deduplication key through once a window
 *
 * Reserves (app, key, device) for the record's uid in a store.  A key that
 * another push holds makes the record a duplicate; one that this push has
 * already delivered makes it already-done; its own reservation is a redelivery
 * and passes.  push-ack marks and releases.  See push-dedupe(1).
 */
#include "base/mem.h"
#include "policy/dedupe.h"
#include "stage/stage.h"
#include "store/store.h"
#include "store/url.h"

struct app {
	const char *store_url; /* of the command line; NULL: of push.conf */
	int64_t window_ms;     /* of the command line; -1: of push.conf */

	struct store_place place;   /* owned */
	struct dedupe_rules *rules; /* owned */
	struct store_asks asks;
	size_t *counts; /* owned; of asks, by record of the batch */
	size_t counts_cap;
};

static struct app app = { .window_ms = -1 };

static const struct opt opts[] = {
	OPT_TEXT("store", "URL", &app.store_url, NULL,
		"where reservations are kept"),
	OPT_DURATION("window", "TIME", &app.window_ms, NULL,
		"how long a key is held (default 24h)"),
	OPT_END,
};

/* What --check asks for, too. */
static int app_read(const struct app *a, struct run *run,
	struct dedupe_rules **rules, struct err *err)
{
	const struct store_choice choice = { a->store_url, "dedupe.store",
		run_is_replay(run) };

	if (a->window_ms == 0) {
		return err_usage(err, 0, "--window must be longer than 0");
	}
	return store_choice_check(&choice, run_conf(run), err) != 0
		       ? -1
		       : dedupe_rules_new(
				 rules, run_conf(run), a->window_ms, err);
}

static int app_check(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	return app_read(a, run, &a->rules, err);
}

static int app_load(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	struct store_choice choice = { a->store_url, "dedupe.store",
		run_is_replay(run) };
	struct dedupe_rules *rules = NULL;

	if (app_read(a, run, &rules, err) != 0) {
		return -1;
	}
	if (store_place_open(&a->place, &choice, run_conf(run), err) != 0) {
		dedupe_rules_free(rules);
		return -1;
	}
	dedupe_rules_free(a->rules);
	a->rules = rules;
	return 0;
}

/* One round trip for the whole batch. */
static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;
	const struct store_ask *ask;
	size_t *count;

	if (batch->count > a->counts_cap) {
		a->counts_cap = batch->count;
		a->counts = mem_resize(
			a->counts, a->counts_cap, sizeof(*a->counts));
	}
	store_asks_reset(&a->asks);
	count = a->counts;
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		*count++ = dedupe_ask(
			a->rules, rec, STORE_DEDUPE_RESERVE, &a->asks);
	}
	if (store_exchange(a->place.store, a->asks.items, a->asks.count, err) !=
		0) {
		return -1;
	}
	count = a->counts;
	ask = a->asks.items;
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		switch (dedupe_judge(ask, *count)) {
		case DEDUPE_PASS:
			break;
		case DEDUPE_DUPLICATE:
			record_decide(rec, REASON_DUPLICATE);
			break;
		case DEDUPE_ALREADY_DONE:
			record_decide(rec, REASON_ALREADY_DONE);
			break;
		}
		ask += *count++;
	}
	return 0;
}

static void app_close(void *self)
{
	struct app *a = self;

	store_place_close(&a->place);
	dedupe_rules_free(a->rules);
	store_asks_release(&a->asks);
	mem_free(a->counts);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-dedupe",
		.summary = "let each deduplication key through once a window",
		.opts = opts,
		.self = &app,
		.check = app_check,
		.open = app_load,
		.reload = app_load,
		.handle = app_handle,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
