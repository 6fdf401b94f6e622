/*
 * push-lookup - from user to devices, one record for each
 *
 * Asks the device registry for all users of a batch at once and puts one record
 * a device in the task's place; `devices' are spread out without asking.
 * A segment is spread out a page of users at a time; its rest goes back into the
 * queue, so that it holds up nobody.  Records that have their target pass.  See push-lookup(1).
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/fanout.h"
#include "policy/platforms.h"
#include "stage/stage.h"
#include "store/lookup.h"
#include "store/store.h"
#include "store/url.h"

struct app {
	const char *store_url; /* of the command line; NULL: of push.conf */

	struct run *run;       /* borrowed */
	char *url;             /* owned; of the registry that is open */
	struct lookup *lookup; /* owned */
	int64_t found_unix_us; /* 0: no part was emitted since the last search */
};

static struct app app;

static const struct opt opts[] = {
	OPT_TEXT("store", "URL", &app.store_url, NULL,
		"where devices are registered"),
	OPT_END,
};

static void app_emit(void *self, struct record *r)
{
	struct app *a = self;

	if (a->found_unix_us == 0) {
		a->found_unix_us = clock_unix_us();
	}
	run_emit_at(a->run, r, a->found_unix_us);
}

/* What there is to know without opening it. */
static int app_check(void *self, struct run *run, struct err *err)
{
	const struct app *a = self;
	const struct store_choice choice = { a->store_url, "lookup.store",
		false };

	return store_choice_check(&choice, run_conf(run), err);
}

static int app_load(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	char *url = a->store_url != NULL
			    ? mem_text(a->store_url)
			    : store_url_take(run_conf(run), "lookup.store");

	a->run = run;
	if (a->lookup == NULL) {
		a->lookup = lookup_new(app_emit, a, run_is_replay(run));
	}
	if (a->url != NULL && strcmp(url, a->url) == 0) {
		lookup_allow(a->lookup, platforms_new(run_conf(run)));
		mem_free(url);
		return 0;
	}
	if (strcmp(url, "memory:") == 0) {
		log_warn("no device registry: users have no devices");
	} else if (run_is_replay(run) && a->store_url == NULL) {
		log_info(
			"tasks that were captured before they were looked up get "
			"the devices of today's registry");
	}
	if (lookup_open(a->lookup, url, err) != 0) {
		mem_free(url);
		return -1;
	}
	lookup_allow(a->lookup, platforms_new(run_conf(run)));
	mem_free(a->url);
	a->url = url;
	return 0;
}

/* In a replay: what hung on the registry of the captured day stays as it was. */
static void decide_as_captured(struct batch *batch)
{
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		enum reason was = fanout_captured(rec);

		if (was == REASON_SEGMENT_REST) {
			record_retry(rec, was, 0);
		} else if (was != REASON_NONE) {
			record_decide(rec, was);
		}
	}
}

/* One page of one segment a turn: 1 when there was one, so that there may be
 * another. */
static int spread_segment(struct app *a, struct batch *batch, struct err *err)
{
	bool is_replaced;

	BATCH_EACH_UNDECIDED(batch, rec)
	{
		if (!lookup_has_segment(rec)) {
			continue;
		}
		a->found_unix_us = 0;
		if (lookup_page(a->lookup, rec, &is_replaced, err) != 0) {
			return -1;
		}
		if (is_replaced) {
			run_consume(a->run, rec);
		}
		return 1;
	}
	return 0;
}

static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;

	if (run_is_replay(a->run)) {
		decide_as_captured(batch);
	}
	a->found_unix_us = 0;
	lookup_begin(a->lookup, run_pool(a->run));
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		lookup_add(a->lookup, rec);
	}
	if (lookup_find(a->lookup, err) != 0) {
		return -1;
	}
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		if (lookup_spread(a->lookup, rec)) {
			run_consume(a->run, rec);
		}
	}
	return spread_segment(a, batch, err);
}

static void app_close(void *self)
{
	struct app *a = self;

	lookup_free(a->lookup);
	mem_free(a->url);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-lookup",
		.summary = "from user to devices, one record for each",
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
