/*
 * push-stats - measure latency, backlog and outcomes at the end of a chain
 *
 * Reads what push-ack has settled and adds it up.  Without --report it serves
 * the numbers over HTTP while they grow, together with what every program says
 * about itself once a second; with --report it prints them when the input
 * ends.  Nothing of this slows the chain: push-ack drops what we do not read.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/httpd.h"
#include "net/sock.h"
#include "queue/depth.h"
#include "stage/stage.h"
#include "stats/expose.h"
#include "stats/live.h"
#include "stats/report.h"
#include "stats/sla.h"
#include "stats/stats.h"

enum { DATAGRAM_BYTES = 64 * 1024, DATAGRAMS_A_TURN = 64 };

struct app {
	bool is_report;
	const char *format;
	const char *listen;
	const char *ports_file;
	int64_t started_unix_ms;
	struct stats *stats; /* owned from open() to close(), as is all below */
	struct live *live;   /* NULL: no program tells us anything */
	struct httpd *httpd; /* NULL: nobody looks in */
	struct loop_fd *watch;     /* of `counters' */
	int counters;              /* descriptor; -1: none */
	struct depth_watch *depth; /* NULL: no queue is looked at */
	struct depths depths;      /* as of the last look */
	char datagram[DATAGRAM_BYTES];
};

static struct app app = { .format = "table", .counters = -1 };

/* clang-format off */
static const struct opt opts[] = {
	OPT_FLAG("report", &app.is_report,
		"print the numbers when the input ends, instead of serving them"),
	OPT_TEXT("format", "table|json", &app.format, NULL,
		"form of the report; default table"),
	OPT_TEXT("listen", "ADDRESS:PORT", &app.listen, "stats.listen",
		"serve /metrics, /api/stats, /healthz and /readyz there; port 0: any"),
	OPT_TEXT("ports-file", "FILE", &app.ports_file, NULL,
		"write \"http PORT\" to this file when listening"),
	OPT_END,
};
/* clang-format on */

/* What is missing for the chain to be whole, a line each. */
static void app_missing(const struct app *a, struct buf *out)
{
	if (a->depth != NULL && !a->depths.is_known) {
		buf_fmt(out, "queues: %s\n",
			a->depths.err.text[0] != '\0' ? a->depths.err.text
						      : "not asked yet");
	}
	for (size_t i = 0; a->live != NULL && i < live_count(a->live); i++) {
		if (live_now(a->live, i).processes == 0) {
			buf_fmt(out, "%s: no program reports\n",
				live_at(a->live, i)->name);
		}
	}
}

static void app_look(struct app *a)
{
	if (a->live != NULL) {
		live_sweep(a->live, clock_mono_ms());
	}
	if (a->depth != NULL) {
		depth_read(a->depth, &a->depths);
	}
}

static void app_on_get(void *self, const char *path, struct httpd_reply *reply)
{
	struct app *a = self;
	const struct depths *depths = a->depth == NULL ? NULL : &a->depths;

	app_look(a);
	reply->status = 200;
	if (strcmp(path, "/metrics") == 0) {
		const struct expose_from from = { a->stats, a->live, depths,
			a->started_unix_ms };

		reply->type = EXPOSE_TYPE;
		expose(&from, &reply->body);
	} else if (strcmp(path, "/api/stats") == 0) {
		reply->type = "application/json";
		report_json(a->stats, a->live, depths, &reply->body);
	} else if (strcmp(path, "/healthz") == 0) {
		buf_text(&reply->body, "ok\n");
	} else if (strcmp(path, "/readyz") == 0) {
		app_missing(a, &reply->body);
		reply->status = reply->body.len > 0 ? 503 : 200;
		if (reply->body.len == 0) {
			buf_text(&reply->body, "ok\n");
		}
	} else {
		reply->status = 404;
	}
}

static void app_on_datagram(void *self, int fd, unsigned ready)
{
	struct app *a = self;

	(void)ready;
	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t n = recv(fd, a->datagram, sizeof(a->datagram), 0);

		if (n < 0) {
			return; /* no more now */
		}
		if (live_take(a->live, a->datagram, (size_t)n,
			    clock_mono_ms()) != 0) {
			log_warn("a datagram of %zd bytes is no report", n);
		}
	}
}

static int app_serve(struct app *a, struct loop *loop, struct err *err)
{
	struct buf text;
	int result = 0;

	if (a->listen == NULL) {
		return 0;
	}
	if (httpd_open(&a->httpd, loop, a->listen, app_on_get, a, err) != 0) {
		return -1;
	}
	log_info("serving numbers at port %u", httpd_port(a->httpd));
	if (a->ports_file != NULL) {
		buf_init(&text, 64);
		buf_fmt(&text, "http %u\n", httpd_port(a->httpd));
		result = buf_write_file(&text, a->ports_file, err);
		buf_release(&text);
	}
	return result;
}

/* The queues of push.conf, if it names any and a Redis. */
static int app_watch_queues(
	struct app *a, const struct conf *conf, struct err *err)
{
	const char *url = conf_text(conf, "redis", NULL);
	struct json_iter it = json_iter(conf_at(conf, "queues"));
	const char *names[DEPTH_QUEUES_MAX + 1];
	const struct json *name;
	size_t count = 0;

	while (count <= DEPTH_QUEUES_MAX && (name = json_next(&it)) != NULL) {
		names[count++] = json_text(name).ptr;
	}
	if (url == NULL || count == 0) {
		return 0;
	}
	return depth_watch_open(&a->depth, url, names, count, err);
}

static int app_reload(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	return sla_load(&a->stats->sla, run_conf(run), err);
}

static int app_open(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	if (strcmp(a->format, "table") != 0 && strcmp(a->format, "json") != 0) {
		return err_usage(err, 0,
			"--format wants table or json, not '%s'", a->format);
	}
	a->started_unix_ms = clock_unix_ms();
	a->stats = stats_new(a->is_report);
	if (sla_load(&a->stats->sla, run_conf(run), err) != 0) {
		return -1;
	}
	if (a->is_report) {
		return 0;
	}
	if (a->listen != NULL && app_watch_queues(a, run_conf(run), err) != 0) {
		return -1;
	}
	if (run_counters(run) != NULL) {
		a->counters = sock_datagram_bind(run_counters(run), err);
		if (a->counters < 0) {
			return -1;
		}
		a->live = live_new();
		a->watch = loop_watch(run_loop(run), a->counters, LOOP_READ,
			app_on_datagram, a);
	}
	return app_serve(a, run_loop(run), err);
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
}

static void app_close(void *self)
{
	struct app *a = self;

	if (a->is_report) {
		app_report(a);
	}
	httpd_close(a->httpd);
	loop_unwatch(a->watch);
	if (a->counters >= 0) {
		(void)close(a->counters); /* only read from */
	}
	depth_watch_close(a->depth);
	live_free(a->live);
	stats_free(a->stats);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-stats",
		.summary = "measure latency, backlog and outcomes at the end "
			   "of a chain",
		.opts = opts,
		.self = &app,
		.output = OUTPUT_NONE,
		.sees_decided = true,
		.open = app_open,
		.reload = app_reload,
		.handle = app_handle,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
