/*
 * The life of every stage: from the command line to the exit status.
 */
#include "stage/stage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "stage/counters.h"
#include "stage/input.h"
#include "stage/output.h"

enum {
	BATCH_MOST = 256,
	BATCH_BYTES = 256 * 1024, /* bounds what a fan-out makes of a batch */
	WINDOW_DEFAULT = 1024,
	RETRY_FIRST_MS = 50,
	RETRY_MOST_MS = 5000,
	TELL_AGAIN_MS = 60 * 1000,
	TICK_US = 1000 * 1000,
};

/* What every stage's command line can say. */
struct common {
	const char *config;
	const char *in;
	const char *out;
	const char *node;
	const char *counters;
	const char *log_format;
	size_t max_line;
	int64_t drain_ms;
	int64_t ready_fd;
	bool is_check;
	bool is_replay;
	bool drops_decided;
	bool is_verbose;
};

static struct common common = {
	.in = "-",
	.out = "-",
	.log_format = "auto",
	.max_line = RECORD_MAX_BYTES,
	.drain_ms = 30 * 1000,
	.ready_fd = -1,
};

/* clang-format off */
static const struct opt common_opts[] = {
	{ "config", 'c', OPT_TYPE_TEXT, "FILE", &common.config, NULL, 0, 0,
		"read push.conf; default $PUSH_CONFIG" },
	{ "in", 'i', OPT_TYPE_TEXT, "ENDPOINT", &common.in, NULL, 0, 0,
		"read from - (standard input) or unix:PATH" },
	{ "out", 'o', OPT_TYPE_TEXT, "ENDPOINT", &common.out, NULL, 0, 0,
		"write to - (standard output) or unix:PATH" },
	OPT_TEXT("node", "NAME", &common.node, NULL,
		"name of this node in traces; default: the program's without push-"),
	OPT_FLAG("check", &common.is_check,
		"check options and configuration, and exit"),
	OPT_FLAG("replay", &common.is_replay,
		"take the time from captured records and decide them again"),
	OPT_FLAG("drop-decided", &common.drops_decided,
		"write undecided records only"),
	OPT_BYTES("max-line", "BYTES", &common.max_line, NULL,
		"longest task; default 64K"),
	OPT_DURATION("drain", "TIME", &common.drain_ms, NULL,
		"finish what is in flight within this time; default 30s"),
	OPT_FILE("counters", "PATH", &common.counters, "counters",
		"Unix socket of the collector; default $PUSH_COUNTERS"),
	OPT_INT("ready-fd", "N", &common.ready_fd, 0, 1 << 20, NULL,
		"write a newline to this descriptor when ready"),
	OPT_TEXT("log-format", "text|json", &common.log_format, NULL,
		"form of the log; default text on a terminal, else json"),
	{ "verbose", 'v', OPT_TYPE_FLAG, NULL, &common.is_verbose, NULL, 0, 0,
		"log more" },
	OPT_END,
};
/* clang-format on */

struct run {
	const struct stage *stage;
	struct loop *loop;       /* owned, as is all down to output */
	struct conf *first_conf; /* options borrow from it to the end */
	struct conf *conf;       /* the current one; may be first_conf */
	struct record_pool *pool;
	struct input *input;
	struct output *output;
	struct counters counters;
	struct opt_seen seen;
	char node[RECORD_NODE_MAX_BYTES + 1];
	struct record *records[BATCH_MOST];
	struct batch batch; /* over `records'; being handled or held back */
	size_t held;
	size_t window;
	size_t added; /* lines since the last output_added() */
	struct loop_timer retry;
	struct loop_timer tick;
	struct loop_timer drain_limit;
	int64_t backoff_ms;
	struct err failure; /* the last one that was told */
	int64_t told_mono_ms;
	bool is_awake; /* a source may produce */
	bool is_draining;
	bool is_over; /* the drain took too long */
	struct err err;
	bool has_failed;
};

/* --- what a running stage may ask ------------------------------------------ */

struct loop *run_loop(struct run *run)
{
	return run->loop;
}

const struct conf *run_conf(const struct run *run)
{
	return run->conf;
}

bool run_is_outlived(const struct run *run)
{
	return output_is_socket(run->output);
}

struct record_pool *run_pool(struct run *run)
{
	return run->pool;
}

const char *run_node(const struct run *run)
{
	return run->node;
}

const char *run_counters(const struct run *run)
{
	(void)run;
	return common.counters;
}

bool run_is_replay(const struct run *run)
{
	(void)run;
	return common.is_replay;
}

bool run_is_draining(const struct run *run)
{
	return run->is_draining;
}

int64_t run_drain_ms(const struct run *run)
{
	(void)run;
	return common.drain_ms;
}

void run_set_window(struct run *run, size_t window)
{
	run->window = window;
}

size_t run_held(const struct run *run)
{
	return run->held;
}

void run_hold(struct run *run, struct record *r)
{
	r->is_held = true;
	run->held++;
}

void run_consume(struct run *run, struct record *r)
{
	(void)run;
	r->is_consumed = true;
}

static void write_record(struct run *run, struct record *r, int64_t now_us)
{
	const struct stage *stage = run->stage;
	bool is_ours = !r->was_decided || stage->sees_decided;

	if (!r->was_decided && r->outcome != OUTCOME_UNDECIDED) {
		run->counters.reasons[r->reason]++;
	}
	run->counters.out++;
	if (stage->output != OUTPUT_NONE &&
		!(common.drops_decided && r->outcome != OUTCOME_UNDECIDED)) {
		record_write(r, is_ours ? run->node : NULL, now_us,
			output_buf(run->output));
		run->added++;
	}
	record_free(run->pool, r);
}

void run_emit(struct run *run, struct record *r)
{
	if (r->is_held) {
		r->is_held = false;
		run->held--;
	}
	write_record(run, r, clock_unix_us());
}

void run_wake(struct run *run)
{
	run->is_awake = true;
}

static void on_drain_limit(void *self)
{
	struct run *run = self;

	run->is_over = true;
}

static void start_drain(struct run *run)
{
	if (run->is_draining) {
		return;
	}
	run->is_draining = true;
	if (run->input != NULL) {
		input_stop(run->input);
	}
	if (run->stage->drain != NULL) {
		run->stage->drain(run->stage->self);
	}
	loop_timer_set(run->loop, &run->drain_limit, common.drain_ms * 1000,
		on_drain_limit, run);
}

void run_finish(struct run *run)
{
	start_drain(run);
}

struct record *batch_undecided(
	const struct batch *b, const struct record *after)
{
	size_t first = after == NULL ? 0 : after->place + 1;

	for (size_t i = first; i < b->count; i++) {
		const struct record *r = b->records[i];

		if (r->outcome == OUTCOME_UNDECIDED && !r->is_held &&
			!r->is_consumed) {
			return b->records[i];
		}
	}
	return NULL;
}

/* --- a batch --------------------------------------------------------------- */

static void expire(struct record *r)
{
	if (r->outcome == OUTCOME_UNDECIDED && r->expires_unix_ms > 0 &&
		r->now_unix_us / 1000 >= r->expires_unix_ms) {
		record_decide(r, REASON_EXPIRED);
	}
}

static struct record *read_one(struct run *run, const struct input_line *line)
{
	struct record *r =
		line->total_bytes > line->text.len
			? record_read_too_long(run->pool, line->text,
				  line->total_bytes, line->read_unix_us)
			: record_read(run->pool, line->text.ptr, line->text.len,
				  line->read_unix_us);

	if (common.is_replay) {
		record_rewind(r, run->node);
	}
	if (!run->stage->sees_decided) {
		expire(r);
	}
	run->counters.in++;
	return r;
}

/* Fills the batch from lines that were read; false when there is none. */
static bool fill_batch(struct run *run)
{
	size_t room = run->window > run->held ? run->window - run->held : 0;
	struct input_line line;

	size_t bytes = 0;

	run->batch = (struct batch){ run->records, 0 };
	room = room < BATCH_MOST ? room : (size_t)BATCH_MOST;
	while (run->batch.count < room && bytes < BATCH_BYTES &&
		input_next(run->input, &line)) {
		bytes += line.text.len;
		run->records[run->batch.count] = read_one(run, &line);
		run->records[run->batch.count]->place = run->batch.count;
		run->batch.count++;
	}
	return run->batch.count > 0;
}

static void emit_batch(struct run *run)
{
	int64_t now_us = clock_unix_us();

	for (size_t i = 0; i < run->batch.count; i++) {
		struct record *r = run->records[i];

		if (r->is_consumed) {
			record_free(run->pool, r);
		} else if (!r->is_held) {
			write_record(run, r, now_us);
		}
	}
	run->batch.count = 0;
}

static void on_retry(void *self)
{
	(void)self; /* the next step() sees that the timer is not set any more */
}

/* A resource failed: the same again after a pause.  Told once, and again when
 * the reason changes or has lasted for a minute. */
static void pause_for(struct run *run, const struct err *err)
{
	int64_t now_mono_ms = clock_mono_ms();

	if (run->backoff_ms == RETRY_FIRST_MS ||
		strcmp(run->failure.text, err->text) != 0 ||
		now_mono_ms - run->told_mono_ms >= TELL_AGAIN_MS) {
		log_warn("%s; trying again until it works", err->text);
		run->failure = *err;
		run->told_mono_ms = now_mono_ms;
	}
	loop_timer_set(
		run->loop, &run->retry, run->backoff_ms * 1000, on_retry, run);
	run->backoff_ms = run->backoff_ms * 2 < RETRY_MOST_MS
				  ? run->backoff_ms * 2
				  : (int64_t)RETRY_MOST_MS;
}

static void recovered(struct run *run)
{
	if (run->backoff_ms != RETRY_FIRST_MS) {
		run->backoff_ms = RETRY_FIRST_MS;
		log_info("going on");
	}
}

static bool has_undecided(const struct run *run)
{
	return run->stage->sees_decided
		       ? run->batch.count > 0
		       : batch_undecided(&run->batch, NULL) != NULL;
}

static bool step_lines(struct run *run)
{
	struct err err = { 0 };
	int result = 0;

	if (run->batch.count == 0 && !fill_batch(run)) {
		return false;
	}
	if (has_undecided(run)) {
		result =
			run->stage->handle(run->stage->self, &run->batch, &err);
	}
	if (result < 0) {
		pause_for(run, &err);
		return false;
	}
	recovered(run);
	if (result == 0) {
		emit_batch(run);
	}
	return true;
}

static bool step_source(struct run *run)
{
	struct err err = { 0 };
	int result;

	if (!run->is_awake || run->is_draining) {
		return false;
	}
	run->is_awake = false; /* produce() may wake itself */
	result = run->stage->produce(run->stage->self, &err);
	if (result < 0) {
		run->is_awake = true;
		pause_for(run, &err);
		return false;
	}
	recovered(run);
	run->is_awake = run->is_awake || result > 0;
	return result > 0;
}

static void flush(struct run *run)
{
	if (run->output == NULL || run->has_failed) {
		return;
	}
	if (run->added > 0) {
		output_added(run->output, run->added);
		run->added = 0;
	}
	if (output_flush(run->output, &run->err) != 0) {
		run->has_failed = true;
	}
}

static bool is_blocked(const struct run *run)
{
	return loop_timer_is_set(&run->retry) ||
	       (run->stage->output == OUTPUT_LINES &&
		       output_pending(run->output) > 0);
}

/* Does one piece of work; false when there is none to do now. */
static bool step(struct run *run)
{
	bool did = false;

	if (is_blocked(run)) {
		flush(run); /* what callbacks have emitted */
	}
	if (!is_blocked(run)) {
		did = run->input != NULL ? step_lines(run) : step_source(run);
	}
	flush(run);
	return did;
}

/* --- the loop -------------------------------------------------------------- */

static bool is_done(struct run *run)
{
	if (run->has_failed || run->is_over) {
		return true;
	}
	if (run->input != NULL && !run->is_draining &&
		input_is_done(run->input) && run->batch.count == 0) {
		start_drain(run);
	}
	return run->is_draining && run->held == 0 && run->batch.count == 0 &&
	       (run->input == NULL || input_is_done(run->input)) &&
	       (run->output == NULL || run->stage->output == OUTPUT_LOSSY ||
		       output_pending(run->output) == 0);
}

static void on_tick(void *self)
{
	struct run *run = self;
	struct buf extra;

	/* At whole seconds, so that the collector can compare what different
	 * programs had counted at the same moment. */
	loop_timer_set(run->loop, &run->tick,
		TICK_US - clock_unix_us() % TICK_US, on_tick, run);
	log_tick();
	buf_init(&extra, 8192);
	if (run->stage->count != NULL) {
		run->stage->count(run->stage->self, &extra);
	}
	counters_send(&run->counters, run->held + run->batch.count,
		run->output != NULL ? output_dropped(run->output) : 0, &extra);
	buf_release(&extra);
}

static void run_loop_until_done(struct run *run)
{
	while (!is_done(run)) {
		if (step(run)) {
			/* What was read is handled before more is read, or a
			 * window that lets a little through at a time would
			 * fill the memory. */
			if (run->input != NULL) {
				input_read(run->input, false);
			}
			(void)loop_turn(run->loop, 0);
			continue;
		}
		if (run->input != NULL) {
			input_read(run->input, !is_blocked(run) &&
						       run->batch.count == 0 &&
						       run->held < run->window);
		}
		if (!is_done(run)) {
			(void)loop_turn(run->loop, -1);
		}
	}
}

/* --- signals --------------------------------------------------------------- */

static void on_term(void *self, int signo)
{
	struct run *run = self;

	if (run->is_draining) {
		fatal(EXIT_TEMP, "second signal %d: not waiting any longer",
			signo);
	}
	log_info("signal %d: finishing what is in flight", signo);
	start_drain(run);
}

static void on_hup(void *self, int signo)
{
	struct run *run = self;
	struct conf *old = run->conf;
	struct conf *fresh = NULL;
	struct err err = { 0 };

	(void)signo;
	if (conf_load(&fresh, common.config, &err) != 0) {
		log_error("%s; keeping the old configuration", err.text);
		return;
	}
	run->conf = fresh;
	if (run->stage->reload != NULL &&
		run->stage->reload(run->stage->self, run, &err) != 0) {
		conf_place(fresh, &err);
		log_error("%s; keeping the old configuration", err.text);
		run->conf = old;
		conf_free(fresh);
		return;
	}
	if (old != run->first_conf) {
		conf_free(old);
	}
	log_info("configuration read again");
}

static int catch_signals(struct run *run, struct err *err)
{
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		return err_set(err, 0, "cannot ignore SIGPIPE");
	}
	return loop_signal(run->loop, SIGTERM, on_term, run, err) != 0 ||
			       loop_signal(run->loop, SIGINT, on_term, run,
				       err) != 0 ||
			       loop_signal(
				       run->loop, SIGHUP, on_hup, run, err) != 0
		       ? -1
		       : 0;
}

/* --- from the command line to ready ---------------------------------------- */

static int set_node(struct run *run, struct err *err)
{
	const char *name = common.node;

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

static int set_log(const struct run *run, struct err *err)
{
	enum log_format format = LOG_AUTO;

	if (strcmp(common.log_format, "text") == 0) {
		format = LOG_TEXT;
	} else if (strcmp(common.log_format, "json") == 0) {
		format = LOG_JSON;
	} else if (strcmp(common.log_format, "auto") != 0) {
		return err_usage(err, 0,
			"--log-format wants text or json, not '%s'",
			common.log_format);
	}
	log_open(run->stage->name, run->node, format,
		common.is_verbose ? LOG_DEBUG : LOG_INFO);
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
	struct opt_program program = { run->stage->name, run->stage->summary,
		NULL, run->stage->opts, common_opts, &run->seen };
	char seed[17] = "";

	common.config = getenv("PUSH_CONFIG");
	common.counters = getenv("PUSH_COUNTERS");
	if (opt_parse(&program, argc, argv, err) < 0 ||
		set_node(run, err) != 0 || set_log(run, err) != 0 ||
		conf_load(&run->first_conf, common.config, err) != 0) {
		return -1;
	}
	run->conf = run->first_conf;
	if (common.counters != NULL) {
		run->seen.targets[run->seen.count++] = &common.counters;
	}
	if (opt_from_conf(&program, run->conf, err) != 0) {
		return -1;
	}
	if (!common.is_replay) {
		make_seed(seed);
	}
	run->pool = record_pool_new(common.max_line, seed);
	counters_open(
		&run->counters, run->stage->name, run->node, common.counters);
	return 0;
}

static int open_ends(struct run *run, struct err *err)
{
	if (run->stage->output != OUTPUT_NONE &&
		output_open(&run->output, run->loop, common.out,
			run->stage->output == OUTPUT_LOSSY, err) != 0) {
		return -1;
	}
	if (run->stage->input == INPUT_LINES &&
		input_open(&run->input, run->loop, common.in,
			record_line_max_bytes(run->pool), err) != 0) {
		return -1;
	}
	return 0;
}

static int tell_ready(struct err *err)
{
	int fd = (int)common.ready_fd;

	if (fd < 0) {
		return 0;
	}
	if (write(fd, "\n", 1) != 1) {
		return err_usage(err, 0, "cannot write to --ready-fd %d", fd);
	}
	(void)close(fd); /* the byte was taken */
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
	return EXIT_OK;
}

/* --check: the exit status. */
static int check_only(struct run *run)
{
	const struct stage *stage = run->stage;
	struct err err = { 0 };
	bool is_right = conf_check_files(run->conf, &err) == 0;

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

	run->stage = stage;
	run->window = WINDOW_DEFAULT;
	run->backoff_ms = RETRY_FIRST_MS;
	run->is_awake = true;
	run->counters.fd = -1;
	run->loop = loop_new();
	log_open(stage->name, NULL, LOG_AUTO, LOG_INFO);
	if (configure(run, argc, argv, &err) != 0) {
		fatal(err_status(&err), "%s", err.text);
	}
	if (common.is_check) {
		return check_only(run);
	}
	if (catch_signals(run, &err) == 0 && open_ends(run, &err) == 0 &&
		(stage->open == NULL ||
			stage->open(stage->self, run, &err) == 0)) {
		is_open = true;
	}
	if (is_open && tell_ready(&err) == 0) {
		on_tick(run);
		run_loop_until_done(run);
		on_tick(run);
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
