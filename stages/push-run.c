/*
 * push-run - start and supervise whole chains
 *
 * One process a program, joined by pipes.  TERM ends the first program, and
 * end-of-file carries the end through the chain, so that what is in flight is
 * finished.  When a program dies, the rest wind down and the chain is started
 * again.  With lanes there are several chains, each with lives of its own, and
 * one watcher for all.  How a chain lives and ends is in lib/run; here is when.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/standard.h"
#include "net/redis_url.h"
#include "run/check.h"
#include "run/fleet.h"
#include "run/plans.h"
#include "run/process.h"
#include "run/sockets.h"
#include "stage/options.h"

enum { TICK_US = 1000 * 1000 };

struct app {
	const char *config;
	const char *log_format;
	int64_t drain_ms;
	int64_t restart_ms;
	int64_t ready_fd;
	bool is_check;
	bool is_verbose;
	struct loop *loop; /* owned, as is all below */
	struct conf *conf;
	struct plan *plans;
	size_t plan_count;
	struct fleet *fleet;
	struct sockets sockets; /* may be none */
	struct loop_timer tick;
	int status; /* -1: goes on */
};

static struct app app = {
	.log_format = "auto",
	.drain_ms = 30 * 1000,
	.restart_ms = CHAIN_BACKOFF_MOST_MS,
	.ready_fd = -1,
	.status = -1,
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_CONFIG(&app.config, "read push.conf and give it to every program"),
	OPT_FLAG("check", &app.is_check,
		"check the configuration for all programs, and exit"),
	OPT_DURATION("drain", "TIME", &app.drain_ms, "run.drain",
		"let the chain finish within this time; default 30s"),
	OPT_DURATION("restart", "TIME", &app.restart_ms, "run.restart",
		"wait no longer than this before a new start; default 10s"),
	OPT_READY_FD(&app.ready_fd, "all programs are ready"),
	OPT_LOG_FORMAT(&app.log_format),
	OPT_VERBOSE(&app.is_verbose),
	OPT_END,
};
/* clang-format on */

static void app_on_ready(void *self)
{
	struct app *a = self;
	struct err err = { 0 };

	if (options_tell_ready(a->ready_fd, &err) != 0) {
		log_warn("%s", err.text);
	}
	a->ready_fd = -1; /* once */
}

static void app_on_over(void *self, enum chain_verdict verdict)
{
	struct app *a = self;

	if (verdict == CHAIN_UNUSABLE) {
		log_error("a program cannot be used as it is configured: "
			  "not starting it again");
		a->status = EXIT_USAGE;
	} else {
		a->status = verdict == CHAIN_CUT_SHORT ? EXIT_TEMP : EXIT_OK;
	}
}

static void app_on_signal(void *self, int signo)
{
	struct app *a = self;

	if (signo == SIGCHLD) {
		fleet_reap(a->fleet);
	} else if (signo == SIGHUP) {
		fleet_signal(a->fleet, SIGHUP);
	} else {
		log_info("signal %d: finishing what is in flight", signo);
		fleet_stop(a->fleet);
	}
}

static void app_on_tick(void *self)
{
	struct app *a = self;

	log_tick();
	loop_timer_set(a->loop, &a->tick, TICK_US, app_on_tick, a);
}

static int app_plan(struct app *a, struct err *err)
{
	char folder[PROGRAM_FOLDER_BYTES];
	struct plan_source source = { a->conf, a->config, folder, NULL };

	if (program_own_folder(folder, err) != 0) {
		return -1;
	}
	if (plans_want_sockets(a->conf)) {
		if (sockets_make(&a->sockets, a->conf, err) != 0) {
			return -1;
		}
		source.records = buf_string(&a->sockets.records);
	}
	return plans_make(&a->plans, &a->plan_count, &source, err);
}

static void app_on_mistake(void *self, const char *text)
{
	(void)self;
	log_error("%s", text);
}

/* --check: nothing is started but the programs' own checks. */
static int app_check(struct app *a, struct err *err)
{
	const char *redis = conf_text(a->conf, "redis", NULL);

	/* Once, not by each program that uses it. */
	if (redis != NULL && redis_url_check(redis, err) != 0) {
		return err_prefix(err, "'redis'");
	}
	if (conf_check_files(a->conf, app_on_mistake, a, err) != 0 ||
		check_plans(a->plans, a->plan_count, err) != 0) {
		return -1;
	}
	log_info("the configuration is right");
	a->status = EXIT_OK;
	return 0;
}

static int app_open(struct app *a, int argc, char **argv, struct err *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	struct opt_seen seen = { 0 };
	struct opt_program program = {
		.name = "push-run",
		.summary = "start and supervise whole chains",
		.own = opts,
		.seen = &seen,
	};

	if (opt_parse(&program, argc, argv, err) < 0 ||
		options_open_log(program.name, NULL, a->log_format,
			a->is_verbose, err) != 0) {
		return -1;
	}
	if (a->ready_fd >= 0 &&
		fcntl((int)a->ready_fd, F_SETFD, FD_CLOEXEC) != 0) {
		return err_usage(
			err, errno, "--ready-fd %lld", (long long)a->ready_fd);
	}
	if (conf_load_telling(&a->conf,
		    a->config != NULL ? a->config : getenv("PUSH_CONFIG"),
		    app_on_mistake, a, err) != 0 ||
		opt_from_conf(&program, a->conf, err) != 0 ||
		app_plan(a, err) != 0) {
		return -1;
	}
	if (a->is_check) {
		return app_check(a, err);
	}
	a->loop = loop_new();
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		if (loop_signal(a->loop, signals[i], app_on_signal, a, err) !=
			0) {
			return -1;
		}
	}
	return 0;
}

static void app_start(struct app *a)
{
	struct lane_settings settings = { a->drain_ms, a->restart_ms };
	struct fleet_events events = { app_on_ready, app_on_over, a };

	a->fleet = fleet_start(
		a->loop, a->plans, a->plan_count, &settings, &events);
}

static void app_close(struct app *a)
{
	fleet_free(a->fleet);
	sockets_remove(&a->sockets);
	plans_free(a->plans, a->plan_count);
	conf_free(a->conf);
	loop_free(a->loop);
}

int main(int argc, char **argv)
{
	struct err err = { 0 };

	standard_keep();
	log_open("push-run", NULL, LOG_AUTO, LOG_INFO);
	if (app_open(&app, argc, argv, &err) != 0) {
		sockets_remove(&app.sockets);
		if (app.conf != NULL) {
			conf_place(app.conf, &err);
		}
		fatal(err_status(&err), "%s", err.text);
	}
	if (app.status < 0) {
		app_on_tick(&app);
		app_start(&app);
	}
	while (app.status < 0) {
		(void)loop_turn(app.loop, -1);
	}
	app_close(&app);
	return app.status;
}
