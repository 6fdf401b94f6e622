/*
 * push-apns - deliver iOS records to Apple
 *
 * Takes the records with an iOS device or a broadcast channel, keeps many of
 * them in flight over HTTP/2, and decides each by Apple's answer.  All others
 * pass.  The sending itself is lib/vendor's.  See push-apns(1).
 */
#include "stage/stage.h"
#include "vendor/apns.h"
#include "vendor/engine.h"

struct app {
	struct engine_setup setup; /* what the options say */
	bool is_dry_run;
	struct run *run;
	struct engine *engine; /* owned; from open() to close() */
};

static struct app app = {
	.setup = {
		.vendor = &vendor_apns,
		.urls = { [APNS_PRODUCTION] = "https://api.push.apple.com",
			[APNS_SANDBOX] = "https://api.sandbox.push.apple.com" },
		.connections = 4,
		.window = 1000,
		.timeout_ms = 10 * 1000,
	},
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_TEXT("production", "URL", &app.setup.urls[APNS_PRODUCTION], "apns.production",
		"the production service; default https://api.push.apple.com"),
	OPT_TEXT("sandbox", "URL", &app.setup.urls[APNS_SANDBOX], "apns.sandbox",
		"the sandbox; default https://api.sandbox.push.apple.com"),
	OPT_FILE("ca-file", "FILE", &app.setup.ca_file, "apns.ca_file",
		"certificates to trust instead of the system's"),
	OPT_INT("connections", "N", &app.setup.connections, 1, 256, "apns.connections",
		"connections of a credential to one service, at most; default 4"),
	OPT_INT("window", "N", &app.setup.window, 1, 100000, "apns.window",
		"records in flight at once, at most; default 1000"),
	OPT_DURATION("timeout", "TIME", &app.setup.timeout_ms, "apns.timeout",
		"how long an answer may take; default 10s"),
	OPT_FLAG("dry-run", &app.is_dry_run,
		"build the requests, send nothing"),
	OPT_END,
};
/* clang-format on */

static void app_emit(void *self, struct record *r)
{
	struct app *a = self;

	run_emit(a->run, r);
}

static void app_discard(void *self, struct record *r)
{
	struct app *a = self;

	record_free(run_pool(a->run), r);
}

static int app_open(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	a->run = run;
	a->setup.loop = run_loop(run);
	a->setup.node = run_node(run);
	a->setup.emit = app_emit;
	a->setup.discard = app_discard;
	a->setup.self = a;
	a->engine = engine_new(&a->setup, run_conf(run), err);
	run_set_window(run, (size_t)a->setup.window);
	return a->engine != NULL ? 0 : -1;
}

static int app_reload(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	return engine_reload(a->engine, run_conf(run), err);
}

static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;

	(void)err;
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		if (!a->setup.vendor->takes(rec)) {
			continue;
		}
		if (a->is_dry_run || run_is_replay(a->run)) {
			engine_rehearse(a->engine, rec);
		} else {
			run_hold(a->run, rec);
			engine_send(a->engine, rec);
		}
	}
	return 0;
}

static void app_drain(void *self)
{
	struct app *a = self;

	engine_drain(a->engine, run_drain_ms(a->run));
}

static void app_count(void *self, struct buf *json)
{
	struct app *a = self;

	engine_count(a->engine, json);
}

static void app_close(void *self)
{
	struct app *a = self;

	engine_free(a->engine);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-apns",
		.summary = "deliver iOS records to Apple",
		.opts = opts,
		.self = &app,
		.open = app_open,
		.check = app_open,
		.reload = app_reload,
		.handle = app_handle,
		.drain = app_drain,
		.count = app_count,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
