/*
 * The life of every stage: from the command line to the exit status.
 */
#include "stage/stage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/standard.h"
#include "stage/run.h"

enum { WINDOW_DEFAULT = 1024 };

static int set_node(struct run *run, struct err *err)
{
	const char *name = run->options->node;

	if (name == NULL) {
		name = run->stage->name + strlen("push-");
	}
	if (fmt_into(run->node, sizeof(run->node), "%s", name) != 0 ||
		name[0] < 'a' || name[0] > 'z' ||
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] !=
			'\0' ||
		strcmp(name, "outcome") == 0 || strcmp(name, "reason") == 0 ||
		strcmp(name, "uid") == 0) {
		return err_usage(err, 0,
			"--node wants 1 to %d of a-z, 0-9 and -, not '%s'",
			RECORD_NODE_MAX_BYTES, name);
	}
	return 0;
}

/* Names the uids of bare tasks: no two processes give the same. */
static void make_seed(char seed[17])
{
	char text[128] = "";
	char host[65] = "";

	(void)gethostname(host, sizeof(host) - 1); /* pid and time remain */
	if (fmt_into(text, sizeof(text), "%s %ld %lld", host, (long)getpid(),
		    (long long)clock_unix_us()) == 0) {
		struct digest d = digest_of(text, strlen(text));

		digest_hex(&d, 6, seed);
	}
}

static int configure(struct run *run, int argc, char **argv, struct err *err)
{
	struct opt_program program = {
		.name = run->stage->name,
		.summary = run->stage->summary,
		.own = run->stage->opts,
		.common = stage_option_rows,
		.seen = &run->seen,
	};
	char seed[17] = "";

	run->options->config = getenv("PUSH_CONFIG");
	run->options->counters = getenv("PUSH_COUNTERS");
	if (opt_parse(&program, argc, argv, err) < 0 ||
		set_node(run, err) != 0 ||
		options_open_log(run->stage->name, run->node,
			run->options->log_format, run->options->is_verbose,
			err) != 0 ||
		conf_load(&run->first_conf, run->options->config, err) != 0) {
		return -1;
	}
	run->conf = run->first_conf;
	if (run->options->counters != NULL) {
		run->seen.targets[run->seen.count++] = &run->options->counters;
	}
	if (opt_from_conf(&program, run->conf, err) != 0) {
		return -1;
	}
	if (!run->options->is_replay) {
		make_seed(seed);
	}
	run->pool = record_pool_new(run->options->max_line, seed);
	counters_open(&run->counters, run->stage->name, run->node,
		run->options->counters);
	return 0;
}

static int open_ends(struct run *run, struct err *err)
{
	if (run->stage->output != OUTPUT_NONE &&
		output_open(&run->output, run->loop, run->options->out,
			run->stage->output == OUTPUT_LOSSY, err) != 0) {
		return -1;
	}
	if (run->stage->input == INPUT_LINES &&
		input_open(&run->input, run->loop, run->options->in,
			record_line_max_bytes(run->pool), err) != 0) {
		return -1;
	}
	return 0;
}

static void release(struct run *run)
{
	for (size_t i = 0; i < run->batch.count; i++) {
		record_free(run->pool, run->records[i]);
	}
	input_close(run->input);
	output_close(run->output);
	counters_close(&run->counters);
	record_pool_free(run->pool);
	if (run->conf != run->first_conf) {
		conf_free(run->conf);
	}
	conf_free(run->first_conf);
	loop_free(run->loop);
	mem_free(run);
}

/* The exit status of a run that has come to its end. */
static int conclude(struct run *run)
{
	if (run->has_failed) {
		log_error("%s", run->err.text);
		return err_status(&run->err);
	}
	if (run->is_over && (run->held > 0 || run->batch.count > 0)) {
		log_error(
			"the drain took too long: %zu records left to their leases",
			run->held + run->batch.count);
		return EXIT_TEMP;
	}
	return run->input != NULL && input_has_failed(run->input) ? EXIT_TEMP
								  : EXIT_OK;
}

/* --check: the exit status. */
static int check_only(struct run *run)
{
	const struct stage *stage = run->stage;
	struct err err = { 0 };
	bool is_right = conf_check_files(run->conf, NULL, NULL, &err) == 0;

	if (is_right && stage->check != NULL) {
		is_right = stage->check(stage->self, run, &err) == 0;
		conf_place(run->conf, &err);
	}
	if (!is_right) {
		fatal(err_status(&err), "%s", err.text);
	}
	if (stage->check != NULL && stage->close != NULL) {
		stage->close(stage->self);
	}
	release(run);
	return EXIT_OK;
}

int stage_main(const struct stage *stage, int argc, char **argv)
{
	struct run *run = mem_array(1, sizeof(*run));
	struct err err = { 0 };
	bool is_open = false;
	int status;

	standard_keep();
	run->stage = stage;
	run->options = &stage_options;
	run->window = WINDOW_DEFAULT;
	run->batch_most = BATCH_MOST;
	run->backoff_ms = RETRY_FIRST_MS;
	run->is_awake = true;
	run->counters.fd = -1;
	run->loop = loop_new();
	log_open(stage->name, NULL, LOG_AUTO, LOG_INFO);
	if (configure(run, argc, argv, &err) != 0) {
		fatal(err_status(&err), "%s", err.text);
	}
	if (run->options->is_check) {
		return check_only(run);
	}
	if (run_catch_signals(run, &err) == 0 && open_ends(run, &err) == 0 &&
		(stage->open == NULL ||
			stage->open(stage->self, run, &err) == 0)) {
		is_open = true;
	}
	if (is_open && options_tell_ready(run->options->ready_fd, &err) == 0) {
		run_tick(run);
		run_until_done(run);
		run_tick(run);
		status = conclude(run);
	} else {
		conf_place(run->conf, &err);
		status = err_status(&err);
		fatal(status, "%s", err.text);
	}
	if (stage->close != NULL) {
		stage->close(stage->self);
	}
	release(run);
	return status;
}
