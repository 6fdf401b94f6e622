/*
 * push-sentry - report errors of the programs' log to Sentry
 *
 * Reads log lines, groups those that say the same, and sends one event a group
 * now and then.  What cannot be sent waits in a short list, then is dropped
 * and counted: whoever writes the log never waits.  See push-sentry(1).
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
#include "base/standard.h"
#include "record/conf.h"
#include "sentry/dsn.h"
#include "sentry/report.h"
#include "sentry/sender.h"
#include "stage/options.h"

enum {
	LINE_MAX_BYTES = 64 * 1024,
	READ_BYTES = 64 * 1024,
	HOST_BYTES = 65,
};

struct app {
	const char *config;
	const char *dsn_file;
	const char *environment;
	const char *level;
	const char *ca_file;
	int64_t every_ms;
	int64_t drain_ms;

	struct loop *loop; /* owned, as is all below */
	struct dsn dsn;
	struct sender *sender;
	struct loop_fd *input;
	struct buf line;
	bool is_line_cut; /* the rest of a line that is too long is skipped */
	struct report report;
	bool has_ended; /* no more input */
	int read_errno; /* it ended with this failure; 0: with none */
	int64_t end_mono_ms;
	char host[HOST_BYTES];
};

static struct app app = {
	.level = "warn", .every_ms = 60 * 1000, .drain_ms = 5000
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_CONFIG(&app.config, "configuration"),
	OPT_FILE("dsn-file", "FILE", &app.dsn_file, "sentry.dsn_file", "file that holds the DSN"),
	OPT_TEXT("environment", "NAME", &app.environment, "sentry.environment",
		"environment of the events"),
	OPT_TEXT("level", "error|warn", &app.level, "sentry.level",
		"least level that is reported; default warn"),
	OPT_FILE("ca-file", "FILE", &app.ca_file, "sentry.ca_file",
		"certificates to trust instead of the system's"),
	OPT_DURATION("every", "TIME", &app.every_ms, "sentry.every",
		"at most one event of a group in this time; default 1m"),
	OPT_DURATION("drain", "TIME", &app.drain_ms, NULL,
		"how long to go on sending after the input has ended; default 5s"),
	OPT_END,
};
/* clang-format on */

static struct opt_seen seen;
static const struct opt_program program = {
	.name = "push-sentry",
	.summary = "report errors of the programs' log to Sentry",
	.own = opts,
	.seen = &seen,
};

/* --- reading --- */

static void app_read_line(struct app *a)
{
	struct buf envelope;

	buf_init(&envelope, SIZE_MAX);
	if (!a->is_line_cut &&
		report_line(&a->report,
			(struct span){ a->line.data, a->line.len },
			clock_unix_ms(), clock_mono_ms(), &envelope)) {
		sender_put(a->sender, &envelope);
	}
	buf_release(&envelope);
	a->is_line_cut = false;
	buf_reset(&a->line);
}

static void app_end(struct app *a)
{
	loop_unwatch(a->input);
	a->input = NULL;
	a->has_ended = true;
	a->end_mono_ms = clock_mono_ms() + a->drain_ms;
}

static void app_on_input(void *self, int fd, unsigned ready)
{
	static char bytes[READ_BYTES];
	struct app *a = self;
	ssize_t n = read(fd, bytes, sizeof(bytes));
	const char *at = bytes;

	(void)ready;
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		a->read_errno = n < 0 ? errno : 0;
		app_read_line(a);
		app_end(a);
		return;
	}
	while (at < bytes + n) {
		size_t left = (size_t)(bytes + n - at);
		const char *end = memchr(at, '\n', left);
		size_t len = end == NULL ? left : (size_t)(end - at);

		buf_put(&a->line, at, len);
		a->is_line_cut = a->is_line_cut || buf_is_over(&a->line);
		if (end != NULL) {
			app_read_line(a);
			len++;
		}
		at += len;
	}
}

static void app_on_signal(void *self, int signo)
{
	struct app *a = self;

	(void)signo;
	if (a->has_ended) {
		a->end_mono_ms = 0; /* the second one: now */
	} else {
		app_end(a);
	}
}

/* --- life --- */

static int app_run(struct app *a, struct err *err)
{
	struct sender_counts counts;

	a->loop = loop_new();
	a->sender = sender_new(a->loop, &a->dsn, a->ca_file);
	buf_init(&a->line, LINE_MAX_BYTES);
	if (gethostname(a->host, sizeof(a->host) - 1) != 0) {
		a->host[0] = '\0';
	}
	a->report.server = a->host;
	a->report.environment = a->environment;
	a->report.every_ms = a->every_ms;
	a->report.has_warnings = strcmp(a->level, "warn") == 0;
	if (loop_signal(a->loop, SIGTERM, app_on_signal, a, err) != 0 ||
		loop_signal(a->loop, SIGINT, app_on_signal, a, err) != 0) {
		return -1;
	}
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail */
	if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0) {
		return err_set(err, errno, "cannot read the standard input");
	}
	a->input =
		loop_watch(a->loop, STDIN_FILENO, LOOP_READ, app_on_input, a);
	while (!a->has_ended || (sender_waiting(a->sender) > 0 &&
					clock_mono_ms() < a->end_mono_ms)) {
		(void)loop_turn(a->loop, 1000 * 1000); /* callbacks made */
		log_tick();
	}
	counts = sender_counts(a->sender);
	counts.dropped += sender_waiting(a->sender);
	log_info("%llu events sent, %llu dropped",
		(unsigned long long)counts.sent,
		(unsigned long long)counts.dropped);
	return a->read_errno == 0 ? 0
				  : err_set(err, a->read_errno,
					    "cannot read the standard input");
}

static void app_close(struct app *a)
{
	sender_free(a->sender);
	loop_unwatch(a->input);
	loop_free(a->loop);
	buf_release(&a->line);
	dsn_release(&a->dsn);
}

static int app_main(struct app *a, int argc, char **argv, struct err *err)
{
	struct conf *conf = NULL;
	int result = -1;

	if (opt_parse(&program, argc, argv, err) < 0 ||
		conf_load(&conf, a->config, err) != 0 ||
		opt_from_conf(&program, conf, err) != 0) {
		goto out;
	}
	if (strcmp(a->level, "warn") != 0 && strcmp(a->level, "error") != 0) {
		(void)err_usage(err, 0, "--level wants error or warn, not '%s'",
			a->level);
		goto out;
	}
	if (dsn_load(&a->dsn, a->dsn_file, err) == 0) {
		result = app_run(a, err);
	}
out:
	app_close(a);
	conf_free(conf);
	return result;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };

	standard_keep();
	log_open(program.name, NULL, LOG_AUTO, LOG_INFO);
	app.config = getenv("PUSH_CONFIG");
	if (app_main(&app, argc, argv, &err) != 0) {
		fatal(err_status(&err), "%s", err.text);
	}
	return EXIT_OK;
}
