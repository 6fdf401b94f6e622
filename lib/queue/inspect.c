/* Asks inspect.lua and shows what it says. */
#include "queue/inspect.h"

#include <inttypes.h>

#include "base/mem.h"
#include "queue/script.h"
#include "record/json.h"

enum {
	INSPECT_KEYS = 5,
	WORKER_MEMBERS = 5,
	MS_PER_S = 1000,
	S_PER_MIN = 60,
	S_PER_HOUR = 60 * S_PER_MIN,
	S_PER_DAY = 24 * S_PER_HOUR,
	AGE_BYTES = 32,
};

/* A mark is a claim of the last minute (or of the lease, when longer). */
static const char marks_most[] = "20000";

/* --- asking --- */

static int64_t age_of(struct span task, int64_t now_unix_ms)
{
	int64_t created_unix_ms = 0;
	int64_t age_ms = -1;
	struct json_doc *doc = task.len == 0 ? NULL
					     : json_parse(task.ptr, task.len,
						       JSON_STRICT, NULL);

	if (json_int(json_get(json_root(doc), "created_ms"),
		    &created_unix_ms) == 0) {
		age_ms = now_unix_ms > created_unix_ms
				 ? now_unix_ms - created_unix_ms
				 : 0;
	}
	json_free(doc);
	return age_ms;
}

static void read_worker(const struct redis_reply *reply, int64_t now_unix_ms,
	struct inspect_worker *out)
{
	int64_t deadline = redis_int(redis_at(reply, 3));
	struct span name = redis_text(redis_at(reply, 0));

	if (fmt_into(out->name, sizeof(out->name), "%.*s", (int)name.len,
		    name.ptr) != 0) {
		out->name[0] = '\0';
	}
	out->in_flight = redis_int(redis_at(reply, 1));
	out->oldest_age_ms = now_unix_ms - redis_int(redis_at(reply, 2));
	out->lease_left_ms = deadline < 0 ? 0 : deadline - now_unix_ms;
	out->is_live = redis_int(redis_at(reply, 4)) == 1;
}

static void read_reply(const struct redis_reply *reply, struct inspect *out)
{
	int64_t now = redis_int(redis_at(reply, 0));
	int64_t due = redis_int(redis_at(reply, 5));
	const struct redis_reply *workers = redis_at(reply, 8);

	out->ready = redis_int(redis_at(reply, 1));
	out->redeliver = redis_int(redis_at(reply, 2));
	out->delayed = redis_int(redis_at(reply, 3));
	out->overdue = redis_int(redis_at(reply, 4));
	out->next_due_ms = due < 0 ? -1 : due > now ? due - now : 0;
	out->dead = redis_int(redis_at(reply, 6));
	out->oldest_age_ms = age_of(redis_text(redis_at(reply, 7)), now);
	out->worker_count = redis_count(workers);
	out->workers = mem_array(out->worker_count + 1, sizeof(*out->workers));
	for (size_t i = 0; i < out->worker_count; i++) {
		read_worker(redis_at(workers, i), now, &out->workers[i]);
		out->in_flight += out->workers[i].in_flight;
	}
}

int inspect_queue(struct redis *r, const char *queue, struct inspect *out,
	struct err *err)
{
	static const char *const what[INSPECT_KEYS] = { NULL, "leases",
		"redeliver", "delayed", "dead" };
	char *keys[INSPECT_KEYS];
	char *prefix;
	struct script script;
	const struct redis_reply *reply;
	struct span args[INSPECT_KEYS + 2];
	int result;

	*out = (struct inspect){ .queue = queue };
	if (!key_is_queue(span_of(queue))) {
		return err_usage(err, 0, "'%s' is no name of a queue", queue);
	}
	prefix = key_take(queue, "", NULL);
	for (size_t k = 0; k < INSPECT_KEYS; k++) {
		keys[k] = k == 0 ? mem_text(queue)
				 : key_take(queue, what[k], NULL);
		args[k] = span_of(keys[k]);
	}
	args[INSPECT_KEYS] = span_of(prefix);
	args[INSPECT_KEYS + 1] = span_of(marks_most);
	script_init(&script, SCRIPT_INSPECT);
	redis_append_script(
		r, &script.call, INSPECT_KEYS, INSPECT_KEYS + 2, args);
	result = redis_reply(r, &reply, err);
	if (result == 0) {
		read_reply(reply, out);
	} else {
		(void)err_prefix(err, "cannot ask for '%s'", queue);
	}
	script_release(&script);
	for (size_t k = 0; k < INSPECT_KEYS; k++) {
		mem_free(keys[k]);
	}
	mem_free(prefix);
	return result;
}

void inspect_release(struct inspect *i)
{
	mem_free(i->workers);
	*i = (struct inspect){ 0 };
}

/* --- showing --- */

/* A duration for people: the largest unit that fits; "-" when negative. */
static const char *age_text(char dst[AGE_BYTES], int64_t ms)
{
	int64_t s = ms / MS_PER_S;
	int failed;

	if (ms < 0) {
		failed = fmt_into(dst, AGE_BYTES, "-");
	} else if (s < 10) {
		failed = fmt_into(dst, AGE_BYTES, "%" PRId64 ".%" PRId64 "s", s,
			ms % MS_PER_S / 100);
	} else if (s < 2 * S_PER_MIN) {
		failed = fmt_into(dst, AGE_BYTES, "%" PRId64 "s", s);
	} else if (s < 2 * S_PER_HOUR) {
		failed = fmt_into(
			dst, AGE_BYTES, "%" PRId64 "min", s / S_PER_MIN);
	} else if (s < 2 * S_PER_DAY) {
		failed = fmt_into(
			dst, AGE_BYTES, "%" PRId64 "h", s / S_PER_HOUR);
	} else {
		failed =
			fmt_into(dst, AGE_BYTES, "%" PRId64 "d", s / S_PER_DAY);
	}
	if (failed != 0) {
		BUG("a duration is too long");
	}
	return dst;
}

static void put_workers(const struct inspect *i, struct buf *out)
{
	for (size_t w = 0; w < i->worker_count; w++) {
		const struct inspect_worker *k = &i->workers[w];
		char age[AGE_BYTES];
		char left[AGE_BYTES];

		buf_fmt(out, "%-20s %-20s %9" PRId64 " %7s %9s %s\n", i->queue,
			k->name, k->in_flight, age_text(age, k->oldest_age_ms),
			k->lease_left_ms < 0 ? "run out"
					     : age_text(left, k->lease_left_ms),
			k->is_live ? "yes" : "no");
	}
}

static void put_table(
	const struct inspect *items, size_t count, struct buf *out)
{
	int64_t in_flight = 0;

	buf_fmt(out, "%-20s %9s %7s %9s %9s %9s %7s %7s\n", "QUEUE", "READY",
		"OLDEST", "IN FLIGHT", "REDELIVER", "DELAYED", "NEXT", "DEAD");
	for (size_t n = 0; n < count; n++) {
		const struct inspect *i = &items[n];
		char age[AGE_BYTES];
		char due[AGE_BYTES];

		buf_fmt(out,
			"%-20s %9" PRId64 " %7s %9" PRId64 " %9" PRId64
			" %9" PRId64 " %7s %7" PRId64 "\n",
			i->queue, i->ready, age_text(age, i->oldest_age_ms),
			i->in_flight, i->redeliver, i->delayed,
			i->overdue > 0 ? "due" : age_text(due, i->next_due_ms),
			i->dead);
		in_flight += i->in_flight;
	}
	if (in_flight > 0) {
		buf_fmt(out, "\n%-20s %-20s %9s %7s %9s %s\n", "QUEUE",
			"WORKER", "IN FLIGHT", "OLDEST", "LEASE", "LIVE");
	}
	for (size_t n = 0; n < count; n++) {
		put_workers(&items[n], out);
	}
}

static void put_number(struct buf *out, const char *name, int64_t n)
{
	json_put_name(out, name);
	if (n < 0) {
		buf_text(out, "null");
	} else {
		buf_i64(out, n);
	}
}

static void put_json(const struct inspect *i, struct buf *out)
{
	buf_putc(out, '{');
	json_put_member(out, "queue", span_of(i->queue));
	put_number(out, "ready", i->ready);
	put_number(out, "oldest_age_ms", i->oldest_age_ms);
	put_number(out, "in_flight", i->in_flight);
	put_number(out, "redeliver", i->redeliver);
	put_number(out, "delayed", i->delayed);
	put_number(out, "overdue", i->overdue);
	put_number(out, "next_due_ms", i->next_due_ms);
	put_number(out, "dead", i->dead);
	json_put_name(out, "workers");
	buf_putc(out, '[');
	for (size_t w = 0; w < i->worker_count; w++) {
		const struct inspect_worker *k = &i->workers[w];

		buf_text(out, w == 0 ? "{" : ",{");
		json_put_member(out, "worker", span_of(k->name));
		put_number(out, "in_flight", k->in_flight);
		put_number(out, "oldest_age_ms", k->oldest_age_ms);
		json_put_int(out, "lease_left_ms", k->lease_left_ms);
		json_put_name(out, "is_live");
		buf_text(out, k->is_live ? "true}" : "false}");
	}
	buf_text(out, "]}\n");
}

int inspect_show(struct redis *r, const char *const *queues, size_t count,
	bool is_json, struct buf *out, struct err *err)
{
	struct inspect *items = mem_array(count + 1, sizeof(*items));
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		result = inspect_queue(r, queues[i], &items[i], err);
		if (result == 0 && is_json) {
			put_json(&items[i], out);
		}
	}
	if (result == 0 && !is_json) {
		put_table(items, count, out);
	}
	for (size_t i = 0; i < count; i++) {
		inspect_release(&items[i]);
	}
	mem_free(items);
	return result;
}
