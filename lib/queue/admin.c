/* Walks a queue in chunks, each a call of letters.lua or cancel.lua. */
#include "queue/admin.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "queue/key.h"
#include "queue/peek.h"
#include "queue/script.h"
#include "record/json.h"

enum { CHUNK_LETTERS = 250, CHUNK_ENTRIES = 500, NUMBER_BYTES = 20 };

static struct span int_text(char dst[NUMBER_BYTES], int64_t n)
{
	return (struct span){ dst, num_format_u64(dst, (uint64_t)n) };
}

/* LLEN or ZCARD. */
static int ask_length(struct redis *r, const char *command, const char *key,
	int64_t *out, struct err *err)
{
	const struct redis_reply *reply;

	if (redis_command(r, &reply, 2,
		    (struct span[]){ span_of(command), span_of(key) },
		    err) != 0) {
		return -1;
	}
	*out = redis_int(reply);
	return 0;
}

static int check_queue(const char *queue, struct err *err)
{
	return key_is_queue(span_of(queue))
		       ? 0
		       : err_usage(err, 0, "'%s' is no name of a queue", queue);
}

/* --- dead letters --- */

int admin_letters(struct redis *r, const char *queue,
	const struct admin_letters *want, struct admin_counts *counts,
	struct err *err)
{
	static const char *const verbs[] = { [ADMIN_COUNT] = "count",
		[ADMIN_REPLAY] = "replay",
		[ADMIN_DROP] = "drop" };
	struct script script;
	char *dead;
	char *redeliver;
	int64_t total = 0;
	int64_t done = 0;
	int64_t skip = 0;
	int result;

	if (check_queue(queue, err) != 0) {
		return -1;
	}
	dead = key_take(queue, "dead", NULL);
	redeliver = key_take(queue, "redeliver", NULL);
	script_init(&script, SCRIPT_LETTERS);
	result = ask_length(r, "LLEN", dead, &total, err);
	while (result == 0 && done < total) {
		const struct redis_reply *reply;
		char n[2][NUMBER_BYTES];
		int64_t most = total - done < CHUNK_LETTERS ? total - done
							    : CHUNK_LETTERS;
		int64_t chosen;
		int64_t refused;

		redis_append_script(r, &script.call, 2, 7,
			(struct span[]){ span_of(dead), span_of(redeliver),
				span_of(verbs[want->action]),
				int_text(n[0], skip), int_text(n[1], most),
				span_of(want->reason == NULL ? ""
							     : want->reason),
				span_of(want->id == NULL ? "" : want->id) });
		result = redis_reply(r, &reply, err);
		if (result != 0 || redis_int(redis_at(reply, 0)) == 0) {
			break;
		}
		chosen = redis_int(redis_at(reply, 1));
		refused = redis_int(redis_at(reply, 2));
		done += redis_int(redis_at(reply, 0));
		skip = want->action == ADMIN_COUNT
			       ? done
			       : skip + redis_int(redis_at(reply, 0)) - chosen +
					 refused;
		counts->chosen += chosen;
		counts->unreadable += refused;
		if (want->on_progress != NULL) {
			want->on_progress(queue, "dead", done, total);
		}
	}
	script_release(&script);
	mem_free(dead);
	mem_free(redeliver);
	return result;
}

/* --- cancelling --- */

struct walk {
	struct redis *redis;
	const char *queue;
	const char *id;
	admin_progress_cb *on_progress;
	struct script script;
	char *redeliver;
	char *delayed;
};

/* All of one of the queue's lists. */
static int walk_list(struct walk *w, const char *where, const char *key,
	int64_t *found, struct err *err)
{
	int64_t total = 0;
	int64_t done = 0;
	int64_t skip = 0;
	int64_t seen = CHUNK_ENTRIES;

	if (ask_length(w->redis, key == w->delayed ? "ZCARD" : "LLEN", key,
		    &total, err) != 0) {
		return -1;
	}
	while (seen == CHUNK_ENTRIES) {
		const struct redis_reply *reply;
		char n[2][NUMBER_BYTES];

		redis_append_script(w->redis, &w->script.call, 3, 7,
			(struct span[]){ span_of(w->queue),
				span_of(w->redeliver), span_of(w->delayed),
				span_of(where), int_text(n[0], skip),
				int_text(n[1], CHUNK_ENTRIES),
				span_of(w->id) });
		if (redis_reply(w->redis, &reply, err) != 0) {
			return -1;
		}
		seen = redis_int(redis_at(reply, 0));
		*found += redis_int(redis_at(reply, 1));
		skip = redis_int(redis_at(reply, 2));
		done += seen;
		if (w->on_progress != NULL) {
			w->on_progress(w->queue, where, done,
				done > total ? done : total);
		}
	}
	return 0;
}

struct flight_count {
	const char *id;
	int64_t found;
};

/* One line of peek: is it the task that was looked for?  A signed task hides
 * its id, but not from push-risk. */
static bool look_at(void *self, struct span line)
{
	struct flight_count *f = self;
	struct json_doc *doc =
		json_parse(line.ptr, line.len, JSON_STRICT, NULL);
	struct span raw = json_text(json_get(json_root(doc), "raw"));
	struct json_doc *task = json_parse(raw.ptr, raw.len, JSON_STRICT, NULL);
	const struct json *root = json_root(task);

	if (json_is_text(json_get(root, "id"), f->id) ||
		json_get(root, "jws") != NULL) {
		f->found++;
	}
	json_free(task);
	json_free(doc);
	return true;
}

static int count_in_flight(struct walk *w, int64_t *out, struct err *err)
{
	struct flight_count flight = { w->id, 0 };
	struct peek peek = { .state = PEEK_IN_FLIGHT,
		.most = INT64_MAX,
		.on_line = look_at,
		.self = &flight };
	int result = peek_queue(w->redis, w->queue, &peek, err);

	*out = flight.found;
	return result;
}

int admin_cancel(struct redis *r, const char *queue, const char *id,
	admin_progress_cb *on_progress, struct admin_found *found,
	struct err *err)
{
	struct walk w = {
		.redis = r, .queue = queue, .id = id, .on_progress = on_progress
	};
	int64_t before = 0;
	int64_t after = 0;
	int result = -1;

	if (check_queue(queue, err) != 0) {
		return -1;
	}
	w.redeliver = key_take(queue, "redeliver", NULL);
	w.delayed = key_take(queue, "delayed", NULL);
	script_init(&w.script, SCRIPT_CANCEL);
	/* What is in flight may come back while the rest is looked at, what
	 * waits may go: both are seen by looking twice. */
	if (count_in_flight(&w, &before, err) == 0 &&
		walk_list(&w, "delayed", w.delayed, &found->waiting, err) ==
			0 &&
		walk_list(&w, "ready", queue, &found->removed, err) == 0 &&
		walk_list(&w, "redeliver", w.redeliver, &found->waiting, err) ==
			0 &&
		count_in_flight(&w, &after, err) == 0) {
		found->in_flight += before > after ? before : after;
		result = 0;
	}
	script_release(&w.script);
	mem_free(w.redeliver);
	mem_free(w.delayed);
	return result;
}
