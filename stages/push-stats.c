/*
 * push-stats - measure latency, backlog and outcomes at the end of a chain
 *
 * Reads what push-ack has settled and adds it up.  Without --report it serves
 * the numbers over HTTP while they grow, together with what every program says
 * about itself once a second; with --report it prints them when the input
 * ends, with --watch they go to the terminal.  Nothing of this slows the chain: push-ack drops what we do not read.
 */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/httpd.h"
#include "stage/stage.h"
#include "stats/plot.h"
#include "stats/report.h"
#include "stats/serve.h"
#include "stats/sla.h"
#include "stats/stats.h"
#include "stats/watch.h"

struct app {
	bool is_report;
	const char *format;
	const char *plot;
	const char *listen;
	const char *ports_file;
	bool is_watched;
	const char *from;
	struct stats *stats; /* owned from open() to close(), as is all below */
	struct serve *serve; /* NULL with --report or --from */
	struct watch *watch; /* NULL without --from */
};

static struct app app = { .format = "table" };

/* clang-format off */
static const struct opt opts[] = {
	OPT_FLAG("report", &app.is_report,
		"print the numbers when the input ends, instead of serving them"),
	OPT_TEXT("format", "table|json|csv", &app.format, NULL,
		"form of the report; default table"),
	OPT_TEXT("plot", "FILE", &app.plot, NULL,
		"with --report, also draw latency and backlog over time; .svg or .png"),
	OPT_FLAG("watch", &app.is_watched,
		"print a live table once a second"),
	OPT_TEXT("from", "URL", &app.from, NULL,
		"print the live table of another push-stats, instead of reading records"),
	OPT_TEXT("listen", "ADDRESS:PORT", &app.listen, "stats.listen",
		"serve a page, /metrics, /api/stats, /readyz there; port 0: any"),
	OPT_TEXT("ports-file", "FILE", &app.ports_file, NULL,
		"write \"http PORT\" to this file when listening"),
	OPT_END,
};
/* clang-format on */

static int app_check(void *self, struct run *run, struct err *err)
{
	const struct app *a = self;
	struct sla sla;

	if (strcmp(a->format, "table") != 0 && strcmp(a->format, "json") != 0 &&
		strcmp(a->format, "csv") != 0) {
		return err_usage(err, 0,
			"--format wants table, json or csv, not '%s'",
			a->format);
	}
	if (a->plot != NULL && !a->is_report) {
		return err_usage(err, 0, "--plot goes with --report");
	}
	if (a->plot != NULL && plot_check(a->plot, err) != 0) {
		return -1;
	}
	if (a->listen != NULL && httpd_check(a->listen, err) != 0) {
		conf_blame(run_conf(run), "stats.listen", a->listen, err);
		return -1;
	}
	return sla_load(&sla, run_conf(run), err);
}

static int app_open(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	const struct serve_setup setup = { .loop = run_loop(run),
		.counters = run_counters(run),
		.listen = a->listen,
		.ports_file = a->ports_file,
		.is_watched = a->is_watched,
		.conf = run_conf(run),
		.stats = a->stats = stats_new(a->is_report) };

	if (app_check(self, run, err) != 0) {
		return -1;
	}
	a->stats->has_timelines = a->plot != NULL;
	if (a->from != NULL) {
		a->watch = watch_open(run_loop(run), a->from);
		return 0;
	}
	if (sla_load(&a->stats->sla, run_conf(run), err) != 0) {
		return -1;
	}
	return a->is_report ? 0 : serve_open(&a->serve, &setup, err);
}

static int app_reload(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	return sla_load(&a->stats->sla, run_conf(run), err);
}

static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;

	(void)err;
	BATCH_EACH(batch, rec)
	{
		stats_take(a->stats, rec);
	}
	return 0;
}

static void app_report(const struct app *a)
{
	struct err err = { 0 };
	struct buf out;

	buf_init(&out, REPORT_MAX_BYTES);
	if (strcmp(a->format, "json") == 0) {
		report_json(a->stats, NULL, NULL, &out);
		buf_putc(&out, '\n');
	} else if (strcmp(a->format, "csv") == 0) {
		report_csv(a->stats, &out);
	} else {
		report_table(a->stats, &out);
	}
	if (buf_is_over(&out)) {
		fatal(EXIT_TEMP, "the report is longer than %d bytes",
			REPORT_MAX_BYTES);
	}
	if (buf_write_fd(&out, STDOUT_FILENO, &err) != 0) {
		fatal(err_status(&err), "%s", err.text);
	}
	buf_release(&out);
	if (a->plot != NULL && plot_draw(a->stats, a->plot, &err) != 0) {
		fatal(err_status(&err), "%s", err.text);
	}
}

static void app_close(void *self)
{
	struct app *a = self;

	if (a->stats != NULL && a->is_report && a->from == NULL) {
		app_report(a);
	}
	watch_close(a->watch);
	serve_close(a->serve);
	stats_free(a->stats);
}

/* With --from: all comes from the other one. */
static int app_produce(void *self, struct err *err)
{
	(void)self;
	(void)err;
	return 0;
}

/* Whether the input is somebody else's: known before the options are read. */
static bool is_from(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--from", 6) == 0) {
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	const struct stage stage = {
		.name = "push-stats",
		.summary = "measure latency, backlog and outcomes at the end "
			   "of a chain",
		.opts = opts,
		.self = &app,
		.input = is_from(argc, argv) ? INPUT_NONE : INPUT_LINES,
		.produce = app_produce,
		.output = OUTPUT_NONE,
		.sees_decided = true,
		.check = app_check,
		.open = app_open,
		.reload = app_reload,
		.handle = app_handle,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
