/*
 * push-run - start and supervise a whole chain
 *
 * One process a program, joined by pipes.  TERM ends the first program, and
 * end-of-file carries the end through the chain, so that what is in flight is
 * finished.  When a program dies, the rest wind down and the chain is started
 * again.  How a chain lives and ends is in lib/run; here is when.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "run/chain.h"
#include "run/plan.h"
#include "run/scratch.h"
#include "stage/opt.h"

enum { TICK_US = 1000 * 1000 };

struct app {
	const char *config;
	const char *log_format;
	int64_t drain_ms;
	int64_t ready_fd;
	bool is_verbose;
	struct loop *loop; /* owned, as is all below */
	struct conf *conf;
	struct plan plan;
	struct chain *chain;    /* NULL: between two lives */
	struct scratch scratch; /* of the collector's socket; may be empty */
	struct loop_timer restart;
	struct loop_timer tick;
	int64_t backoff_ms;
	int64_t ready_mono_ms; /* when the chain became ready; 0: not yet */
	int status;            /* -1: goes on */
};

static struct app app = {
	.log_format = "auto",
	.drain_ms = 30 * 1000,
	.ready_fd = -1,
	.backoff_ms = CHAIN_BACKOFF_FIRST_MS,
	.status = -1,
};

/* clang-format off */
static const struct opt opts[] = {
	{ "config", 'c', OPT_TYPE_TEXT, "FILE", &app.config, NULL, 0, 0,
		"read push.conf and give it to every program; default $PUSH_CONFIG" },
	OPT_DURATION("drain", "TIME", &app.drain_ms, "run.drain",
		"let the chain finish within this time; default 30s"),
	OPT_INT("ready-fd", "N", &app.ready_fd, 0, 1 << 20, NULL,
		"write a newline to this descriptor when all programs are ready"),
	OPT_TEXT("log-format", "text|json", &app.log_format, NULL,
		"form of the log; default text on a terminal, else json"),
	{ "verbose", 'v', OPT_TYPE_FLAG, NULL, &app.is_verbose, NULL, 0, 0,
		"log more" },
	OPT_END,
};
/* clang-format on */

static void app_start(void *self);

static void app_on_ready(void *self)
{
	struct app *a = self;
	int fd = (int)a->ready_fd;

	a->ready_mono_ms = clock_mono_ms();
	log_info("the chain is ready: %zu programs", a->plan.count);
	if (fd >= 0) {
		if (write(fd, "\n", 1) != 1) {
			log_warn("cannot write to --ready-fd %d", fd);
		}
		(void)close(fd); /* the byte was taken, or nobody waits */
		a->ready_fd = -1;
	}
}

static void app_restart(struct app *a)
{
	if (a->ready_mono_ms != 0 &&
		clock_mono_ms() - a->ready_mono_ms > CHAIN_HEALTHY_MS) {
		a->backoff_ms = CHAIN_BACKOFF_FIRST_MS;
	}
	log_warn("starting the chain again in %lld ms",
		(long long)a->backoff_ms);
	loop_timer_set(
		a->loop, &a->restart, a->backoff_ms * 1000, app_start, a);
	a->backoff_ms = a->backoff_ms * 2 < CHAIN_BACKOFF_MOST_MS
				? a->backoff_ms * 2
				: (int64_t)CHAIN_BACKOFF_MOST_MS;
}

static void app_on_over(void *self, enum chain_verdict verdict)
{
	struct app *a = self;

	switch (verdict) {
	case CHAIN_FINISHED:
	case CHAIN_STOPPED:
		a->status = EXIT_OK;
		break;
	case CHAIN_UNUSABLE:
		log_error("a program cannot be used as it is configured: "
			  "not starting it again");
		a->status = EXIT_USAGE;
		break;
	case CHAIN_CUT_SHORT:
		a->status = EXIT_TEMP;
		break;
	case CHAIN_FAILED:
		app_restart(a);
		break;
	}
}

static void app_start(void *self)
{
	struct app *a = self;
	struct chain_events events = { app_on_ready, app_on_over, a };
	struct err err = { 0 };

	chain_free(a->chain);
	a->ready_mono_ms = 0;
	a->chain = chain_new(a->loop, &a->plan, a->drain_ms, &events);
	if (chain_start(a->chain, &err) != 0) {
		log_error("%s", err.text);
	}
}

static void app_on_signal(void *self, int signo)
{
	struct app *a = self;

	if (signo == SIGCHLD) {
		chain_reap(a->chain);
	} else if (signo == SIGHUP) {
		chain_signal(a->chain, SIGHUP);
	} else if (loop_timer_is_set(&a->restart)) {
		a->status = EXIT_OK; /* nothing runs */
	} else {
		log_info("signal %d: finishing what is in flight", signo);
		chain_stop(a->chain);
	}
}

static void app_on_tick(void *self)
{
	struct app *a = self;

	log_tick();
	loop_timer_set(a->loop, &a->tick, TICK_US, app_on_tick, a);
}

/* Programs report to the collector's socket; unless somebody has named one, it
 * is in a folder of our own. */
static int app_make_counters(struct app *a, struct err *err)
{
	if (!a->plan.programs[a->plan.count - 1].is_watch ||
		getenv("PUSH_COUNTERS") != NULL ||
		conf_at(a->conf, "counters") != NULL) {
		return 0;
	}
	if (scratch_make(&a->scratch, "counters", err) != 0) {
		return -1;
	}
	if (setenv("PUSH_COUNTERS", scratch_path(&a->scratch), 1) != 0) {
		return err_set(err, errno, "cannot set PUSH_COUNTERS");
	}
	return 0;
}

static int app_log(const struct app *a, struct err *err)
{
	enum log_format format = LOG_AUTO;

	if (strcmp(a->log_format, "text") == 0) {
		format = LOG_TEXT;
	} else if (strcmp(a->log_format, "json") == 0) {
		format = LOG_JSON;
	} else if (strcmp(a->log_format, "auto") != 0) {
		return err_usage(err, 0,
			"--log-format wants text or json, not '%s'",
			a->log_format);
	}
	log_open(
		"push-run", NULL, format, a->is_verbose ? LOG_DEBUG : LOG_INFO);
	return 0;
}

static int app_open(struct app *a, int argc, char **argv, struct err *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	struct opt_seen seen = { 0 };
	struct opt_program program = { "push-run",
		"start and supervise a whole chain", NULL, opts, NULL, &seen };
	char folder[PLAN_FOLDER_BYTES];

	if (opt_parse(&program, argc, argv, err) < 0 || app_log(a, err) != 0) {
		return -1;
	}
	if (a->ready_fd >= 0 &&
		fcntl((int)a->ready_fd, F_SETFD, FD_CLOEXEC) != 0) {
		return err_usage(
			err, errno, "--ready-fd %lld", (long long)a->ready_fd);
	}
	if (conf_load(&a->conf,
		    a->config != NULL ? a->config : getenv("PUSH_CONFIG"),
		    err) != 0 ||
		opt_from_conf(&program, a->conf, err) != 0 ||
		plan_own_folder(folder, err) != 0 ||
		plan_make(&a->plan, a->conf, a->config, folder, err) != 0 ||
		app_make_counters(a, err) != 0) {
		return -1;
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

/* Pipes must not become somebody's standard input, output or error. */
static void open_missing(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0) {
		(void)close(fd); /* nothing was written */
	}
}

int main(int argc, char **argv)
{
	struct err err = { 0 };

	open_missing();
	log_open("push-run", NULL, LOG_AUTO, LOG_INFO);
	if (app_open(&app, argc, argv, &err) != 0) {
		scratch_remove(&app.scratch);
		fatal(err_status(&err), "%s", err.text);
	}
	app_on_tick(&app);
	app_start(&app);
	while (app.status < 0) {
		(void)loop_turn(app.loop, -1);
	}
	chain_free(app.chain);
	scratch_remove(&app.scratch);
	plan_release(&app.plan);
	conf_free(app.conf);
	loop_free(app.loop);
	return app.status;
}
