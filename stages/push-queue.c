/*
 * push-queue - see and change what is in the queues
 *
 * The operator's tool: how the queues stand, what is in them, dead letters
 * given out again or dropped, tasks cancelled, campaigns stopped.  A command,
 * not a filter: it does one thing and ends.  See push-queue(1).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "queue/admin.h"
#include "queue/inspect.h"
#include "queue/peek.h"
#include "record/conf.h"
#include "stage/opt.h"
#include "store/stops.h"

enum { PROGRESS_MS = 2000, WORDS = 3 };

struct app {
	const char *config;
	const char *url;
	struct opt_list queues;
	const char *format;
	int64_t count;
	const char *reason;
	const char *id;
	bool is_all;
	bool is_sure;
	const char *note;
	const char *after;
	bool is_following;

	const char *words[WORDS]; /* the command and its operands */
	struct redis *redis;      /* owned; where the queues are */
	struct redis *stops;      /* owned; where stops are kept */
	struct buf text;          /* what there is to say at the end */
};

static struct app app = { .url = "redis://127.0.0.1", .format = "table" };
static int64_t said_mono_ms; /* when progress was told */

/* clang-format off */
static const struct opt opts[] = {
	{ "config", 'c', OPT_TYPE_TEXT, "FILE", &app.config, NULL, 0, 0, "configuration; default $PUSH_CONFIG" },
	OPT_TEXT("redis", "URL", &app.url, "redis",
		"where the queues are; default redis://127.0.0.1"),
	OPT_LIST("queue", "NAME", &app.queues, "queues", "queue to look at; may be repeated"),
	OPT_TEXT("format", "NAME", &app.format, NULL, "status, stops: table or json; default table"),
	OPT_INT("count", "N", &app.count, 1, INT64_MAX, NULL,
		"peek, feedback: entries of a queue, at most; default 10, all"),
	OPT_TEXT("reason", "NAME", &app.reason, NULL, "replay, drop: letters with this reason"),
	OPT_TEXT("id", "ID", &app.id, NULL, "replay, drop: letters with this id or uid"),
	OPT_FLAG("all", &app.is_all, "replay, drop: all letters"),
	OPT_FLAG("yes", &app.is_sure, "drop: do it"),
	OPT_TEXT("note", "TEXT", &app.note, NULL, "stop: why, for people"),
	OPT_TEXT("after", "ENTRY", &app.after, NULL, "feedback: only what is newer than this entry"),
	OPT_FLAG("follow", &app.is_following, "feedback: go on with what comes"),
	OPT_END,
};
/* clang-format on */

static struct opt_seen seen;
static const struct opt_program program = {
	.name = "push-queue",
	.summary = "see and change what is in the queues",
	.operands = "status|peek STATE|replay|drop|cancel ID|"
		    "stop KIND NAME|resume KIND NAME|stops|feedback",
	.own = opts,
	.seen = &seen,
};

static bool print_line(void *self, struct span line)
{
	const struct app *a = self;

	return fwrite(line.ptr, 1, line.len, stdout) == line.len &&
	       (!a->is_following || fflush(stdout) == 0);
}

static void say_progress(
	const char *queue, const char *what, int64_t done, int64_t total)
{
	int64_t now_mono_ms = clock_mono_ms();

	if (now_mono_ms - said_mono_ms >= PROGRESS_MS) {
		said_mono_ms = now_mono_ms;
		log_info("%s: %s: %" PRId64 " of %" PRId64 " looked at", queue,
			what, done, total);
	}
}

static int check_format(const struct app *a, struct err *err)
{
	return strcmp(a->format, "json") == 0 || strcmp(a->format, "table") == 0
		       ? 0
		       : err_usage(err, 0,
				 "--format wants table or json, not '%s'",
				 a->format);
}

static bool is_json(const struct app *a)
{
	return strcmp(a->format, "json") == 0;
}

/* --- commands: 0, or -1 with why --- */

static int app_status(struct app *a, struct err *err)
{
	return inspect_show(a->redis, a->queues.items, a->queues.count,
		is_json(a), &a->text, err);
}

static int app_peek(struct app *a, struct err *err)
{
	struct peek want = { .most = a->count > 0 ? a->count : 10,
		.on_line = print_line,
		.self = a };

	if (a->words[1] == NULL ||
		peek_state_parse(a->words[1], &want.state) != 0) {
		return err_usage(err, 0,
			"peek wants ready, redeliver, delayed, inflight or dead");
	}
	for (size_t i = 0; i < a->queues.count; i++) {
		if (peek_queue(a->redis, a->queues.items[i], &want, err) != 0) {
			return -1;
		}
	}
	return 0;
}

static int letters(struct app *a, enum admin_action action,
	struct admin_counts *counts, struct err *err)
{
	const struct admin_letters want = { action, a->reason, a->id,
		say_progress };

	if (!a->is_all && a->reason == NULL && a->id == NULL) {
		return err_usage(err, 0,
			"which dead letters? say --all, --reason or --id");
	}
	for (size_t i = 0; i < a->queues.count; i++) {
		if (admin_letters(a->redis, a->queues.items[i], &want, counts,
			    err) != 0) {
			return -1;
		}
	}
	return 0;
}

static int app_replay(struct app *a, struct err *err)
{
	struct admin_counts counts = { 0 };
	int result = letters(a, ADMIN_REPLAY, &counts, err);

	(void)printf(
		"replayed %" PRId64 "\n", counts.chosen - counts.unreadable);
	if (result == 0 && counts.unreadable > 0) {
		return err_usage(err, 0,
			"%" PRId64
			" dead letters cannot be read; they were left",
			counts.unreadable);
	}
	return result;
}

static int app_drop(struct app *a, struct err *err)
{
	struct admin_counts counts = { 0 };

	if (!a->is_sure) {
		return letters(a, ADMIN_COUNT, &counts, err) != 0
			       ? -1
			       : err_usage(err, 0,
					 "%" PRId64
					 " dead letters would be dropped for good; say --yes to do it",
					 counts.chosen);
	}
	int result = letters(a, ADMIN_DROP, &counts, err);
	buf_fmt(&a->text, "dropped %" PRId64 "\n", counts.chosen);
	return result;
}

static int app_stop(struct app *a, struct err *err)
{
	const struct stops_words words = { a->words[1], a->words[2], a->note,
		true };

	return stops_say(a->stops, &words, &a->text, err);
}

static int app_resume(struct app *a, struct err *err)
{
	const struct stops_words words = { a->words[1], a->words[2], NULL,
		false };

	return stops_say(a->stops, &words, &a->text, err);
}

static int app_stops(struct app *a, struct err *err)
{
	return stops_show(a->stops, is_json(a), &a->text, err);
}

/* The stop comes first, so that what moves while we look is caught by the
 * chain; it is taken away when there is nothing to catch. */
static int app_cancel(struct app *a, struct err *err)
{
	struct stop stop = { .kind = STOP_ID,
		.name = span_of(a->words[1]),
		.since_unix_ms = clock_unix_ms(),
		.note = span_of("cancelled") };
	struct admin_found found = { 0 };
	bool is_left;
	bool ignored;

	if (stop.name.ptr == NULL || stop.name.len == 0) {
		return err_usage(err, 0, "cancel wants the id of a task");
	}
	if (stops_add(a->stops, &stop, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < a->queues.count; i++) {
		if (admin_cancel(a->redis, a->queues.items[i], a->words[1],
			    say_progress, &found, err) != 0) {
			return -1;
		}
	}
	is_left = found.waiting + found.in_flight > 0;
	buf_fmt(&a->text,
		"removed %" PRId64 ", waiting %" PRId64 ", in flight %" PRId64
		"%s\n",
		found.removed, found.waiting, found.in_flight,
		is_left ? "; the id stays stopped" : "");
	return is_left ? 0
		       : stops_remove(
				 a->stops, stop.kind, stop.name, &ignored, err);
}

static int app_feedback(struct app *a, struct err *err)
{
	const struct peek_feedback want = {
		.most = a->count > 0 ? a->count : INT64_MAX,
		.after = a->after,
		.is_following = a->is_following,
		.on_line = print_line,
		.self = a,
	};

	return peek_feedback(
		a->redis, a->queues.items, a->queues.count, &want, err);
}

/* --- the program --- */

enum { OF_QUEUES = 1, OF_STOPS = 2 }; /* what a command needs open */

static const struct command {
	const char *name;
	size_t words; /* it may have, itself included */
	unsigned needs;
	int (*run)(struct app *a, struct err *err);
} commands[] = {
	{ "status", 1, OF_QUEUES, app_status },
	{ "peek", 2, OF_QUEUES, app_peek },
	{ "replay", 1, OF_QUEUES, app_replay },
	{ "drop", 1, OF_QUEUES, app_drop },
	{ "cancel", 2, OF_QUEUES | OF_STOPS, app_cancel },
	{ "stop", 3, OF_STOPS, app_stop },
	{ "resume", 3, OF_STOPS, app_resume },
	{ "stops", 1, OF_STOPS, app_stops },
	{ "feedback", 1, OF_QUEUES, app_feedback },
	{ NULL, 0, 0, NULL },
};

static int open_needs(
	struct app *a, unsigned needs, const char *stops_url, struct err *err)
{
	if ((needs & OF_QUEUES) != 0) {
		if (a->queues.count == 0) {
			return err_usage(err, 0, "--queue is missing");
		}
		if (redis_open(&a->redis, a->url, err) != 0) {
			return -1;
		}
	}
	if ((needs & OF_STOPS) == 0) {
		return 0;
	}
	return strcmp(stops_url, "none") == 0
		       ? err_usage(err, 0, "risk.stops of push.conf is none")
		       : redis_open(&a->stops, stops_url, err);
}

static int app_run(struct app *a, const char *stops_url, struct err *err)
{
	const struct command *c = commands;

	while (c->name != NULL && strcmp(c->name, a->words[0]) != 0) {
		c++;
	}
	if (c->name == NULL) {
		return err_usage(err, 0, "unknown command '%s'", a->words[0]);
	}
	if (c->words < WORDS && a->words[c->words] != NULL) {
		return err_usage(
			err, 0, "unexpected argument '%s'", a->words[c->words]);
	}
	if (check_format(a, err) != 0 ||
		open_needs(a, c->needs, stops_url, err) != 0) {
		return -1;
	}
	return c->run(a, err);
}

static int app_main(struct app *a, char **argv, struct err *err)
{
	struct conf *conf = NULL;
	int result = -1;

	buf_init(&a->text, SIZE_MAX);
	if (opt_parse_words(&program, argv, a->words, WORDS, err) != 0) {
		return -1;
	}
	if (a->words[0] == NULL) {
		return err_usage(
			err, 0, "no command given; see push-queue --help");
	}
	if (conf_load(&conf, a->config, err) == 0 &&
		opt_from_conf(&program, conf, err) == 0) {
		result = app_run(a, conf_text(conf, "risk.stops", a->url), err);
	}
	if (a->text.len > 0) {
		(void)fwrite(a->text.data, 1, a->text.len, stdout);
	}
	buf_release(&a->text);
	redis_close(a->redis);
	redis_close(a->stops);
	conf_free(conf);
	return result;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int result;

	(void)argc;
	log_open(program.name, NULL, LOG_TEXT, LOG_INFO);
	said_mono_ms = clock_mono_ms();
	app.config = getenv("PUSH_CONFIG");
	result = app_main(&app, argv, &err);
	/* Of what was printed before, too. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fatal(EXIT_TEMP, "cannot write: %s", strerror(errno));
	}
	if (result != 0) {
		fatal(err_status(&err), "%s", err.text);
	}
	return EXIT_OK;
}
