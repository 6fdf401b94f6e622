/* The live table, from what /api/stats and /api/history say. */
#include "stats/watch.h"

#include <time.h>

#include "base/clock.h"
#include "stats/table.h"

enum { SECONDS_LOOKED_AT = 10, SENDERS_SHOWN = 8 };

/* The element of `list' whose `member' is `name'; NULL: none. */
static const struct json *find(
	const struct json *list, const char *member, struct span name)
{
	struct json_iter it = json_iter(list);
	const struct json *item;

	while ((item = json_next(&it)) != NULL) {
		if (span_equal(json_text(json_get(item, member)), name)) {
			return item;
		}
	}
	return NULL;
}

/* Sum and greatest of the last seconds of a series. */
static size_t last_of(const struct json *series, int64_t *sum, int64_t *most)
{
	size_t count = json_count(series);
	size_t from = count > SECONDS_LOOKED_AT ? count - SECONDS_LOOKED_AT : 0;

	*sum = *most = 0;
	for (size_t i = from; i < count; i++) {
		int64_t n = 0;

		if (json_int(json_at(series, i), &n) == 0) {
			*sum += n;
			*most = n > *most ? n : *most;
		}
	}
	return count - from;
}

static void put_rate(struct table *t, const struct json *series)
{
	int64_t sum;
	int64_t most;
	size_t seconds = last_of(series, &sum, &most);
	char text[32];

	if (seconds == 0 || fmt_into(text, sizeof(text), "%.1f",
				    (double)sum / (double)seconds) != 0) {
		table_text(t, "-");
		return;
	}
	table_text(t, text);
}

static void put_greatest_ms(struct table *t, const struct json *series)
{
	int64_t sum;
	int64_t most;

	if (last_of(series, &sum, &most) == 0 || most == 0) {
		table_text(t, "-");
	} else {
		table_ms(t, most);
	}
}

static void put_number(struct table *t, const struct json *n)
{
	int64_t value;

	if (json_int(n, &value) == 0 && value >= 0) {
		table_u64(t, (uint64_t)value);
	} else {
		table_text(t, "-");
	}
}

static void put_us(struct table *t, const struct json *us)
{
	int64_t value;

	if (json_int(us, &value) == 0 && value > 0) {
		table_ms(t, value);
	} else {
		table_text(t, "-");
	}
}

static void put_name(struct table *t, struct span name)
{
	table_text(t, name.ptr == NULL ? "-" : name.ptr);
}

/* Ends a table with an empty line. */
static void end(struct table *t, struct buf *out)
{
	if (t->count > t->columns) {
		table_write(t, out);
		buf_putc(out, '\n');
	}
	table_release(t);
}

static void put_node(struct table *t, struct span name,
	const struct json *stats, const struct json *history)
{
	const struct json *live = find(json_get(stats, "live"), "node", name);
	const struct json *sum = find(json_get(stats, "nodes"), "node", name);
	const struct json *track =
		find(json_get(history, "nodes"), "node", name);
	const struct json *records = json_get(track, "records");

	if (span_is(name, "stats")) {
		records = json_path(history, "all.records");
	}
	put_name(t, name);
	put_rate(t, records);
	put_number(t, json_get(live, "pipe"));
	put_number(t, json_get(live, "inside"));
	put_greatest_ms(t, json_get(track, "p99_us"));
	put_us(t, json_path(sum, "total.p50_us"));
	put_us(t, json_path(sum, "total.p99_us"));
	put_us(t, json_path(sum, "wait.p99_us"));
	put_number(t, json_get(live, "processes"));
}

static void put_nodes(
	const struct json *stats, const struct json *history, struct buf *out)
{
	static const char *const heads[] = { "node", "/s", "pipe", "inside",
		"p99 10s, ms", "p50", "p99", "wait p99", "programs", NULL };
	const struct json *live = json_get(stats, "live");
	struct json_iter it = json_iter(live);
	const struct json *item;
	struct table t;

	table_init_heads(&t, heads);
	while ((item = json_next(&it)) != NULL) {
		put_node(&t, json_text(json_get(item, "node")), stats, history);
	}
	it = json_iter(json_get(stats, "nodes"));
	while ((item = json_next(&it)) != NULL) {
		struct span name = json_text(json_get(item, "node"));

		if (find(live, "node", name) == NULL) {
			put_node(&t, name, stats, history);
		}
	}
	end(&t, out);
}

static void put_queues(const struct json *stats, struct buf *out)
{
	static const char *const heads[] = { "queue", "ready", "oldest, ms",
		"redeliver", "delayed", "overdue", "dead", NULL };
	static const char *const members[] = { "ready", "oldest_age_ms",
		"redeliver", "delayed", "overdue", "dead" };
	struct json_iter it = json_iter(json_get(stats, "queues"));
	const struct json *item;
	struct table t;

	table_init_heads(&t, heads);
	while ((item = json_next(&it)) != NULL) {
		put_name(&t, json_text(json_get(item, "queue")));
		for (size_t i = 0; i < sizeof(members) / sizeof(*members);
			i++) {
			put_number(&t, json_get(item, members[i]));
		}
	}
	end(&t, out);
}

static void put_share(
	struct table *t, const struct json *v, const char *of, const char *also)
{
	int64_t accepted = 0;
	int64_t whole = 0;
	int64_t more = 0;
	char text[32];

	if (json_int(json_get(v, "accepted"), &accepted) != 0 ||
		json_int(json_get(v, of), &whole) != 0 ||
		(also != NULL && json_int(json_get(v, also), &more) != 0) ||
		whole + more == 0 ||
		fmt_into(text, sizeof(text), "%.2f%%",
			100.0 * (double)accepted / (double)(whole + more)) !=
			0) {
		table_text(t, "-");
		return;
	}
	table_text(t, text);
}

static void put_vendors(
	const struct json *stats, const struct json *history, struct buf *out)
{
	static const char *const heads[] = { "vendor", "/s", "accepted/s",
		"success", "of all", "p50, ms", "p99", "connections", "streams",
		"breakers open", NULL };
	struct json_iter it = json_iter(json_get(stats, "vendors"));
	const struct json *v;
	struct table t;

	table_init_heads(&t, heads);
	while ((v = json_next(&it)) != NULL) {
		struct span name = json_text(json_get(v, "vendor"));
		const struct json *track =
			find(json_get(history, "vendors"), "vendor", name);
		const struct json *facts = json_get(
			find(json_get(stats, "live"), "node", name), "facts");

		put_name(&t, name);
		put_rate(&t, json_get(track, "records"));
		put_rate(&t, json_get(track, "accepted"));
		put_share(&t, v, "accepted", "at_fault");
		put_share(&t, v, "records", NULL);
		put_us(&t, json_path(v, "latency.p50_us"));
		put_us(&t, json_path(v, "latency.p99_us"));
		put_number(&t, json_get(facts, "connections"));
		put_number(&t, json_get(facts, "streams"));
		put_number(&t, json_get(facts, "breakers_open"));
	}
	end(&t, out);
}

/* Of the whole way and of the queue wait; of the nodes only what was late. */
static void put_sla(const struct json *stats, struct buf *out)
{
	static const char *const heads[] = { "in time", "<priority", "<kind",
		"limit, ms", "records", "late", NULL };
	struct json_iter it = json_iter(json_get(stats, "sla"));
	const struct json *item;
	struct table t;

	table_init_heads(&t, heads);
	while ((item = json_next(&it)) != NULL) {
		struct span node = json_text(json_get(item, "node"));
		int64_t late = 0;

		if (node.ptr != NULL &&
			(json_int(json_get(item, "late"), &late) != 0 ||
				late == 0)) {
			continue;
		}
		put_name(&t, node.ptr != NULL
				     ? node
				     : json_text(json_get(item, "of")));
		put_name(&t, json_text(json_get(item, "priority")));
		put_name(&t, json_text(json_get(item, "kind")));
		put_us(&t, json_get(item, "limit_us"));
		put_number(&t, json_get(item, "records"));
		put_number(&t, json_get(item, "late"));
	}
	end(&t, out);
}

/* The first of each list; the page has them sorted. */
static void put_senders(const struct json *stats, struct buf *out)
{
	static const char *const heads[] = { "app", "<campaign", "records",
		"users", NULL };
	static const char *const lists[] = { "apps", "campaigns" };
	struct table t;

	table_init_heads(&t, heads);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct json_iter it = json_iter(json_get(stats, lists[i]));
		const struct json *item;
		size_t left = SENDERS_SHOWN;

		while (left-- > 0 && (item = json_next(&it)) != NULL) {
			struct span campaign =
				json_text(json_get(item, "campaign"));

			put_name(&t, json_text(json_get(item, "app")));
			table_text(
				&t, campaign.ptr != NULL ? campaign.ptr : "");
			put_number(&t, json_get(item, "records"));
			put_number(&t, json_get(item, "users"));
		}
	}
	end(&t, out);
}

void watch_table(
	const struct json *stats, const struct json *history, struct buf *out)
{
	time_t now = (time_t)(clock_unix_ms() / 1000);
	int64_t records = 0;
	struct tm parts;

	if (json_int(json_get(stats, "records"), &records) != 0) {
		records = 0;
	}
	if (gmtime_r(&now, &parts) != NULL) {
		buf_fmt(out, "%02d:%02d:%02d UTC   ", parts.tm_hour,
			parts.tm_min, parts.tm_sec);
	}
	buf_fmt(out, "%lld records%s\n\n", (long long)records,
		json_bool(json_get(stats, "queues_known"), true)
			? ""
			: "   Redis is not reached");
	put_queues(stats, out);
	put_nodes(stats, history, out);
	put_vendors(stats, history, out);
	put_sla(stats, out);
	put_senders(stats, out);
}
