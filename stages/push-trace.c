/*
 * push-trace - tell what became of a task or of a user's tasks
 *
 * Looks through the results file, the queues and the dead letters, and says it
 * in plain words.  A command, not a filter: it changes nothing and ends.  See
 * push-trace(1).
 */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "queue/peek.h"
#include "record/conf.h"
#include "record/json.h"
#include "stage/command.h"
#include "stage/options.h"
#include "stats/search.h"
#include "stats/story.h"

struct app {
	const char *config;
	const char *url;
	struct opt_list queues;
	const char *results;
	bool has_nodes;
	bool is_json;
	int64_t last; /* how many of the results at most; 0: all */

	struct span id;
	struct redis *redis; /* owned; NULL: no queue is looked at */
	struct buf text;     /* owned */
	uint64_t found;
	bool has_progress; /* a line on the terminal */
};

static struct app app;

/* clang-format off */
static const struct opt opts[] = {
	OPT_CONFIG(&app.config, "configuration"),
	OPT_FILE("results", "FILE", &app.results, "ack.results",
		"push-ack's results file; - for standard input"),
	OPT_TEXT("redis", "URL", &app.url, "redis", "where the queues are"),
	OPT_LIST("queue", "NAME", &app.queues, "queues", "queue to look at; may be repeated"),
	OPT_INT("last", "N", &app.last, 1, INT32_MAX, NULL,
		"only the last N of the results, the newest first"),
	OPT_FLAG("nodes", &app.has_nodes, "tell how long it was at each node"),
	OPT_FLAG("json", &app.is_json, "print what was found as it stands there, one JSON object a line"),
	OPT_END,
};
/* clang-format on */

static struct opt_seen seen;
static const struct opt_program program = {
	.name = "push-trace",
	.summary = "tell what became of a task or of a user's tasks",
	.operands = "ID|UID|USER",
	.own = opts,
	.seen = &seen,
};

static void say(struct app *a)
{
	(void)fwrite(a->text.data, 1, a->text.len, stdout); /* main() looks */
	buf_reset(&a->text);
}

/* Ids may be written with escapes, so that only the parsed line tells. */
static void look(struct app *a, struct span line, bool is_entry)
{
	struct json_doc *doc =
		json_parse(line.ptr, line.len, JSON_STRICT, NULL);

	if (doc != NULL && story_is_about(json_root(doc), a->id)) {
		a->found++;
		if (a->is_json) {
			json_write(&a->text, json_root(doc));
			buf_putc(&a->text, '\n');
		} else if (is_entry) {
			story_of_entry(json_root(doc), &a->text);
		} else {
			story_of_record(json_root(doc), a->has_nodes, &a->text);
		}
		say(a);
	}
	json_free(doc);
}

static bool on_entry(void *self, struct span line)
{
	struct app *a = self;

	if (search_may_hold(a->id, line)) {
		look(a, line, true);
	}
	return true;
}

static bool on_result(void *self, struct span line)
{
	struct app *a = self;

	look(a, line, false);
	return a->last == 0 || a->found < (uint64_t)a->last;
}

/* On a terminal only; the line is written over and gone in the end. */
static void on_progress(void *self, uint64_t done, uint64_t all)
{
	struct app *a = self;
	const double gib = 1024.0 * 1024 * 1024;

	a->has_progress = true;
	if (all > 0) {
		(void)fprintf(stderr, "\r%.2f of %.2f GiB, %llu found\033[K",
			(double)done / gib, (double)all / gib,
			(unsigned long long)a->found);
	} else {
		(void)fprintf(stderr, "\r%.2f GiB, %llu found\033[K",
			(double)done / gib, (unsigned long long)a->found);
	}
}

static int search_results(struct app *a, struct err *err)
{
	struct search search = { .text = a->id,
		.on_line = on_result,
		.on_progress = isatty(STDERR_FILENO) ? on_progress : NULL,
		.self = a };
	int result = search_file(&search, a->results, a->last > 0, err);

	if (a->has_progress) {
		(void)fputs("\r\033[K", stderr);
	}
	if (search.skipped > 0) {
		log_warn("%llu lines of '%s' are too long to be looked at",
			(unsigned long long)search.skipped, a->results);
	}
	return result;
}

static int search_queues(struct app *a, struct err *err)
{
	struct peek want = {
		.most = INT64_MAX, .on_line = on_entry, .self = a
	};

	if (a->url == NULL || a->queues.count == 0) {
		return 0;
	}
	if (redis_open(&a->redis, a->url, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < a->queues.count; i++) {
		for (int s = 0; s < PEEK_STATE_COUNT; s++) {
			want.state = (enum peek_state)s;
			if (peek_queue(a->redis, a->queues.items[i], &want,
				    err) != 0) {
				return -1;
			}
		}
	}
	return 0;
}

static int app_search(struct app *a, struct err *err)
{
	if (a->results == NULL && (a->url == NULL || a->queues.count == 0)) {
		return err_usage(err, 0,
			"nowhere to look: neither a results file nor queues "
			"are named");
	}
	if (a->results != NULL && search_results(a, err) != 0) {
		return -1;
	}
	if (search_queues(a, err) != 0) {
		return -1;
	}
	if (a->found == 0 && !a->is_json) {
		buf_text(&a->text, "nothing is known of '");
		buf_put(&a->text, a->id.ptr, a->id.len);
		buf_text(&a->text, "'\n");
		say(a);
	}
	return 0;
}

static int app_main(void *self, char **argv, struct err *err)
{
	struct app *a = self;
	struct conf *conf = NULL;
	const char *words[1] = { NULL };
	int result = -1;

	buf_init(&a->text, SIZE_MAX);
	if (opt_parse_words(&program, argv, words, 1, err) != 0) {
		return -1;
	}
	if (words[0] == NULL || words[0][0] == '\0') {
		return err_usage(
			err, 0, "one ID is wanted; see push-trace --help");
	}
	a->id = span_of(words[0]);
	if (conf_load(&conf, a->config, err) == 0 &&
		opt_from_conf(&program, conf, err) == 0) {
		result = app_search(a, err);
	}
	redis_close(a->redis);
	conf_free(conf);
	buf_release(&a->text);
	return result;
}

int main(int argc, char **argv)
{
	(void)argc;
	return command_run(program.name, &app.config, app_main, &app, argv);
}
