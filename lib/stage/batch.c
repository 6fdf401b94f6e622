/*
 * Records through the stage: lines are read into a batch, the stage decides it,
 * and it is written.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "stage/run.h"

enum {
	BATCH_BYTES = 256 * 1024, /* of lines in a batch: it goes out in one
	                              write, which wakes the reader once */
	ANSWER_BYTES = 32 * 1024, /* of lines that come one by one, as answers,
	                              before they are written */
	RETRY_MOST_MS = 5000,
	TELL_AGAIN_MS = 60 * 1000,
};

/* --- writing --- */

void run_hold(struct run *run, struct record *r)
{
	record_keep(r);
	r->is_held = true;
	run->held++;
}

void run_consume(struct run *run, struct record *r)
{
	(void)run;
	r->is_consumed = true;
}

static void flush(struct run *run)
{
	if (run->output == NULL || run->has_failed) {
		return;
	}
	run->unflushed_bytes = 0;
	if (run->added > 0) {
		output_added(run->output, run->added);
		run->added = 0;
	}
	if (output_flush(run->output, &run->err) != 0) {
		run->has_failed = true;
	}
}

/* Lines that have come to `flush_bytes' are written out. */
static void write_record(
	struct run *run, struct record *r, int64_t now_us, size_t flush_bytes)
{
	const struct stage *stage = run->stage;
	bool is_ours = !r->was_decided || stage->sees_decided;

	if (!r->was_decided && r->outcome != OUTCOME_UNDECIDED) {
		run->counters.reasons[r->reason]++;
	}
	run->counters.out++;
	if (stage->output != OUTPUT_NONE &&
		!(run->options->drops_decided &&
			r->outcome != OUTCOME_UNDECIDED)) {
		size_t before = output_buf(run->output)->len;

		record_write(r, is_ours ? run->node : NULL, now_us,
			output_buf(run->output));
		run->added++;
		run->unflushed_bytes += output_buf(run->output)->len - before;
	}
	record_free(run->pool, r);
	if (run->unflushed_bytes >= flush_bytes) {
		flush(run);
	}
}

void run_emit(struct run *run, struct record *r)
{
	if (r->is_held) {
		r->is_held = false;
		run->held--;
	}
	write_record(run, r, clock_unix_us(), ANSWER_BYTES);
}

void run_emit_at(struct run *run, struct record *r, int64_t now_unix_us)
{
	write_record(run, r, now_unix_us, BATCH_BYTES);
}

/* --- a batch --- */

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
			: record_read_borrowed(
				  run->pool, line->text, line->read_unix_us);

	if (run->options->is_replay) {
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
	room = room < run->batch_most ? room : run->batch_most;
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
			write_record(run, r, now_us, BATCH_BYTES);
		}
	}
	run->batch.count = 0;
	input_release(run->input);
}

static void on_retry(void *self)
{
	(void)self; /* the next batch_step() sees that the timer is not set any more */
}

/* Is the failure to be told?  Once a minute while it lasts, also when two take
 * turns, as in a Redis that loads its data and is slow to say so. */
static bool is_news(struct run *run, const struct err *err)
{
	struct told *at = run->told;
	int64_t now_mono_ms = clock_mono_ms();

	for (size_t i = 0; i < TOLD_MOST; i++) {
		if (strcmp(run->told[i].err.text, err->text) == 0) {
			at = run->told + i;
			if (now_mono_ms - at->mono_ms < TELL_AGAIN_MS) {
				return false;
			}
			break;
		}
		if (run->told[i].mono_ms < at->mono_ms) {
			at = run->told + i; /* the oldest makes room */
		}
	}
	*at = (struct told){ *err, now_mono_ms };
	return true;
}

/* A resource failed: the same again after a pause. */
static void pause_for(struct run *run, const struct err *err)
{
	if (is_news(run, err)) {
		log_warn("%s; trying again until it works", err->text);
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
		memset(run->told, 0, sizeof(run->told));
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

bool batch_is_blocked(const struct run *run)
{
	return loop_timer_is_set(&run->retry) ||
	       (run->stage->output == OUTPUT_LINES &&
		       output_pending(run->output) > 0);
}

/* Does one piece of work; false when there is none to do now. */
bool batch_step(struct run *run)
{
	bool did = false;

	if (batch_is_blocked(run)) {
		flush(run); /* what callbacks have emitted */
	}
	if (!batch_is_blocked(run)) {
		did = run->input != NULL ? step_lines(run) : step_source(run);
	}
	flush(run);
	return did;
}
