/* One paragraph a record. */
#include "stats/story.h"

#include <time.h>

#include "base/clock.h"
#include "record/record.h"

enum { TOKEN_HASH_BYTES = 9 };

static void put_moment(struct buf *out, int64_t unix_ms)
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm parts;

	if (gmtime_r(&seconds, &parts) == NULL) {
		buf_text(out, "at a time that nobody can mean");
		return;
	}
	buf_fmt(out, "%04d-%02d-%02d %02d:%02d:%02d.%03d UTC",
		parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
		parts.tm_hour, parts.tm_min, parts.tm_sec,
		(int)(unix_ms % 1000));
}

/* As people say it: 3 ms, 1.2 s, 4 min, 5 h. */
static void put_time(struct buf *out, int64_t us)
{
	double ms = us > 0 ? (double)us / 1000 : 0;

	if (ms < 1000) {
		buf_fmt(out, ms < 10 ? "%.1f ms" : "%.0f ms", ms);
	} else if (ms < 60e3) {
		buf_fmt(out, "%.1f s", ms / 1e3);
	} else if (ms < 3600e3) {
		buf_fmt(out, "%.0f min", ms / 60e3);
	} else {
		buf_fmt(out, "%.1f h", ms / 3600e3);
	}
}

static void put_span(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		/* Nothing that moves a terminal's cursor. */
		buf_put(out, c < ' ' || c == 0x7f ? "?" : text.ptr + i, 1);
	}
}

static const struct json *pop_facts(const struct json *record)
{
	return json_at(json_path(record, "trace.pop"), 2);
}

/* The queue's name for it: claimed, or met as a bare task. */
static struct span uid_of(const struct json *record)
{
	struct span uid = json_text(json_get(pop_facts(record), "uid"));

	if (uid.ptr == NULL) {
		uid = json_text(json_path(record, "trace.uid"));
	}
	return uid.ptr != NULL ? uid : json_text(json_get(record, "uid"));
}

static bool is_task_about(const struct json *task, struct span id)
{
	return span_equal(json_text(json_get(task, "id")), id) ||
	       span_equal(json_text(json_get(task, "user")), id);
}

bool story_is_about(const struct json *line, struct span id)
{
	struct span raw = json_text(json_get(line, "raw"));
	struct json_doc *task;
	bool is_about;

	if (is_task_about(line, id) || span_equal(uid_of(line), id)) {
		return true;
	}
	if (raw.ptr == NULL) {
		return false;
	}
	task = json_parse(raw.ptr, raw.len, JSON_STRICT, NULL);
	is_about = is_task_about(json_root(task), id);
	json_free(task);
	return is_about;
}

/* ", app shop, campaign autumn" and so on, of the members that are there. */
static void put_members(const struct json *task, struct buf *out)
{
	static const char *const names[] = { "app", "user", "campaign",
		"category", "priority", "topic", "condition", "channel" };
	const struct json *device = json_get(task, "device");
	char hash[TOKEN_HASH_BYTES];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct span text = json_text(json_get(task, names[i]));

		if (text.ptr != NULL) {
			buf_fmt(out, ", %s ", names[i]);
			put_span(out, text);
		}
	}
	if (device != NULL) {
		record_token_hash(json_text(json_get(device, "token")), hash);
		buf_text(out, ", ");
		put_span(out, json_text(json_get(device, "platform")));
		buf_fmt(out, " device %s", hash);
	}
}

static void put_head(const struct json *task, struct span uid, struct buf *out)
{
	struct span id = json_text(json_get(task, "id"));

	put_span(out, id.ptr != NULL ? id : span_of("(no id)"));
	if (uid.ptr != NULL) {
		buf_text(out, " (uid ");
		put_span(out, uid);
		buf_putc(out, ')');
	}
	put_members(task, out);
	buf_putc(out, '\n');
}

/* What a person needs to know of the way. */
struct way {
	struct span decided; /* the last node before push-ack */
	const struct json *facts;
	int64_t end_us;
};

static struct way way_of(const struct json *record)
{
	struct json_iter it = json_iter(json_get(record, "trace"));
	struct record_stamp stamp;
	struct way way = { .decided = { NULL, 0 } };

	while (record_stamp_next(&it, &stamp)) {
		if (!span_is(stamp.node, "ack") || way.decided.ptr == NULL) {
			way.decided = stamp.node;
			way.facts = stamp.facts;
			way.end_us = stamp.out_us;
		}
	}
	return way;
}

static void put_verdict(
	const struct json *record, const struct way *way, struct buf *out)
{
	struct span outcome = json_text(json_path(record, "trace.outcome"));
	enum reason reason =
		reason_parse(json_text(json_path(record, "trace.reason")));
	int64_t after_ms;
	int64_t status;

	buf_text(out, "  ");
	put_span(out, outcome.ptr != NULL ? outcome : span_of("undecided"));
	buf_text(out, " by ");
	put_span(out,
		way->decided.ptr != NULL ? way->decided : span_of("nobody"));
	if (reason != REASON_NONE && reason != REASON_OK) {
		buf_fmt(out, ": %s (%s)", reason_row(reason)->name,
			reason_row(reason)->sentence);
	}
	if (json_int(json_get(way->facts, "status"), &status) == 0) {
		buf_fmt(out, "; the vendor's answer: %lld ", (long long)status);
		put_span(out, json_text(json_get(way->facts, "answer")));
	}
	if (json_int(json_path(record, "trace.after_ms"), &after_ms) == 0) {
		buf_text(out, "; again after ");
		put_time(out, after_ms * 1000);
	}
	buf_putc(out, '\n');
}

static void put_nodes(const struct json *record, struct buf *out)
{
	struct json_iter it = json_iter(json_get(record, "trace"));
	struct record_stamp stamp;
	int64_t before_us = 0;

	buf_text(out, "  nodes:");
	while (record_stamp_next(&it, &stamp)) {
		buf_putc(out, ' ');
		put_span(out, stamp.node);
		buf_putc(out, ' ');
		put_time(out, stamp.out_us - before_us);
		before_us = stamp.out_us;
		buf_putc(out, ',');
	}
	buf_cut(out, out->len - 1);
	buf_putc(out, '\n');
}

void story_of_record(const struct json *record, bool has_nodes, struct buf *out)
{
	const struct json *pop = pop_facts(record);
	struct way way = way_of(record);
	int64_t created_ms;
	int64_t attempt;
	int64_t t0_us;

	put_head(record, uid_of(record), out);
	if (json_int(json_path(record, "trace.t0_us"), &t0_us) == 0) {
		buf_text(out, pop != NULL ? "  claimed " : "  begun ");
		put_moment(out, t0_us / 1000);
		if (pop != NULL) {
			buf_text(out, " from ");
			put_span(out, json_text(json_get(pop, "q")));
		}
		if (json_int(json_get(pop, "attempt"), &attempt) == 0) {
			buf_fmt(out, ", attempt %lld", (long long)attempt);
		}
		if (json_int(json_get(record, "created_ms"), &created_ms) ==
				0 &&
			created_ms > 0 && created_ms <= t0_us / 1000) {
			buf_text(out, ", after waiting for ");
			put_time(out, t0_us - created_ms * 1000);
		}
		buf_text(out, "; decided ");
		put_time(out, way.end_us);
		buf_text(out, " later\n");
	}
	put_verdict(record, &way, out);
	if (has_nodes) {
		put_nodes(record, out);
	}
}

static void put_since(
	const struct json *entry, const char *member, struct buf *out)
{
	int64_t ms;

	if (json_int(json_get(entry, member), &ms) == 0) {
		buf_text(out, ", since ");
		put_moment(out, ms);
	}
}

static void put_state(const struct json *entry, struct buf *out)
{
	struct span state = json_text(json_get(entry, "state"));
	enum reason reason = reason_parse(json_text(json_get(entry, "reason")));
	int64_t n;

	if (span_is(state, "ready")) {
		buf_text(out, "  waits to be claimed");
	} else if (span_is(state, "redeliver")) {
		buf_text(out, "  waits to be claimed again, before all others");
	} else if (span_is(state, "delayed")) {
		buf_text(out, "  waits until it is due");
		if (json_int(json_get(entry, "due_ms"), &n) == 0) {
			buf_text(out, ", ");
			put_moment(out, n);
		}
	} else if (span_is(state, "inflight")) {
		buf_text(out, "  is on its way");
		put_since(entry, "claimed_ms", out);
	} else {
		buf_text(out, "  is a dead letter");
		put_since(entry, "dead_ms", out);
	}
	buf_text(out, "; queue ");
	put_span(out, json_text(json_get(entry, "q")));
	if (reason != REASON_NONE) {
		buf_fmt(out, "; %s (%s)", reason_row(reason)->name,
			reason_row(reason)->sentence);
	}
	if (json_int(json_get(entry, "attempt"), &n) == 0 ||
		json_int(json_get(entry, "attempts"), &n) == 0) {
		buf_fmt(out, "; attempt %lld", (long long)n);
	}
	buf_putc(out, '\n');
}

/* Why earlier attempts ended. */
static void put_history(const struct json *entry, struct buf *out)
{
	struct json_iter it = json_iter(json_get(entry, "history"));
	const struct json *one;
	int64_t at_ms;

	while ((one = json_next(&it)) != NULL) {
		buf_text(out, "  before: ");
		if (json_int(json_get(one, "at_ms"), &at_ms) == 0) {
			put_moment(out, at_ms);
			buf_putc(out, ' ');
		}
		put_span(out, json_text(json_get(one, "why")));
		buf_putc(out, '\n');
	}
}

void story_of_entry(const struct json *entry, struct buf *out)
{
	struct span raw = json_text(json_get(entry, "raw"));
	struct json_doc *task = raw.ptr == NULL ? NULL
						: json_parse(raw.ptr, raw.len,
							  JSON_STRICT, NULL);

	put_head(json_root(task), uid_of(entry), out);
	put_state(entry, out);
	put_history(entry, out);
	json_free(task);
}
