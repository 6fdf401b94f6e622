/*
 * push-queue - see and change what is in the queues
 *
 * The operator's tool: how the queues stand, what is in them, dead letters
 * given out again or dropped, tasks cancelled, campaigns stopped.  A command,
 * not a filter: it does one thing and ends.  See push-queue(1).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "queue/admin.h"
#include "queue/inspect.h"
#include "queue/peek.h"
#include "record/conf.h"
#include "stage/command.h"
#include "stage/options.h"
#include "store/stops.h"

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

	const char *operands[COMMAND_OPERANDS_MAX]; /* of the command */
	struct redis *redis; /* owned; where the queues are */
	struct redis *stops; /* owned; where stops are kept */
	struct buf text;     /* what there is to say at the end */
};

static struct app app = { .url = "redis://127.0.0.1", .format = "table" };
static int64_t told_mono_ms; /* when progress was told */

/* clang-format off */
static const struct opt opts[] = {
	OPT_CONFIG(&app.config, "configuration"),
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

static bool print_line(void *self, struct span line)
{
	const struct app *a = self;

	return fwrite(line.ptr, 1, line.len, stdout) == line.len &&
	       (!a->is_following || fflush(stdout) == 0);
}

static void say_progress(
	const char *queue, const char *what, int64_t done, int64_t total)
{
	if (command_tells_progress(&told_mono_ms)) {
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

static int app_status(void *self, struct err *err)
{
	struct app *a = self;
	return inspect_show(a->redis, a->queues.items, a->queues.count,
		is_json(a), &a->text, err);
}

static int app_peek(void *self, struct err *err)
{
	struct app *a = self;
	struct peek want = { .most = a->count > 0 ? a->count : 10,
		.on_line = print_line,
		.self = a };

	if (a->operands[0] == NULL ||
		peek_state_parse(a->operands[0], &want.state) != 0) {
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

static int app_replay(void *self, struct err *err)
{
	struct app *a = self;
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

static int app_drop(void *self, struct err *err)
{
	struct app *a = self;
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

static int app_stop(void *self, struct err *err)
{
	struct app *a = self;
	const struct stops_words words = { a->operands[0], a->operands[1],
		a->note, true };

	return stops_say(a->stops, &words, &a->text, err);
}

static int app_resume(void *self, struct err *err)
{
	struct app *a = self;
	const struct stops_words words = { a->operands[0], a->operands[1], NULL,
		false };

	return stops_say(a->stops, &words, &a->text, err);
}

static int app_stops(void *self, struct err *err)
{
	struct app *a = self;
	return stops_show(a->stops, is_json(a), &a->text, err);
}

/* The stop comes first, so that what moves while we look is caught by the
 * chain; it is taken away when there is nothing to catch. */
static int app_cancel(void *self, struct err *err)
{
	struct app *a = self;
	struct stop stop = { .kind = STOP_ID,
		.name = span_of(a->operands[0]),
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
		if (admin_cancel(a->redis, a->queues.items[i], a->operands[0],
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

static int app_feedback(void *self, struct err *err)
{
	struct app *a = self;
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

/* clang-format off */
static const struct command commands[] = {
	{ "status", NULL, 0, OF_QUEUES, "how the queues stand", app_status },
	{ "peek", "STATE", 1, OF_QUEUES, "the oldest of what is ready, redeliver, delayed, inflight or dead", app_peek },
	{ "replay", NULL, 0, OF_QUEUES, "give dead letters out again", app_replay },
	{ "drop", NULL, 0, OF_QUEUES, "delete dead letters", app_drop },
	{ "cancel", "ID", 1, OF_QUEUES | OF_STOPS, "take a task back, wherever it is", app_cancel },
	{ "stop", "KIND NAME", 2, OF_STOPS, "stop a campaign, app, category or id", app_stop },
	{ "resume", "KIND NAME", 2, OF_STOPS, "let it go on", app_resume },
	{ "stops", NULL, 0, OF_STOPS, "what is stopped", app_stops },
	{ "feedback", NULL, 0, OF_QUEUES, "what vendors said of tokens", app_feedback },
	COMMAND_END,
};
/* clang-format on */

static struct opt_seen seen;
static const struct opt_program program = {
	.name = "push-queue",
	.summary = "see and change what is in the queues",
	.commands = commands,
	.own = opts,
	.seen = &seen,
};

static int app_open(
	void *self, const struct conf *conf, unsigned needs, struct err *err)
{
	struct app *a = self;
	const char *stops_url = conf_text(conf, "risk.stops", a->url);

	told_mono_ms = clock_mono_ms();
	buf_init(&a->text, SIZE_MAX);
	if (check_format(a, err) != 0) {
		return -1;
	}
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

static void app_close(void *self)
{
	struct app *a = self;

	if (a->text.len > 0) {
		(void)fwrite(a->text.data, 1, a->text.len, stdout);
	}
	buf_release(&a->text);
	redis_close(a->redis);
	redis_close(a->stops);
}

int main(int argc, char **argv)
{
	static const struct command_program queue = {
		.options = &program,
		.config = &app.config,
		.operands = app.operands,
		.self = &app,
		.open = app_open,
		.close = app_close,
	};

	(void)argc;
	return command_main(&queue, argv);
}
