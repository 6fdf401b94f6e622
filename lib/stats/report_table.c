/* The numbers as tables for a person, the widest first. */
#include "stats/report.h"

#include <time.h>

#include "stats/table.h"

/* Appends the table under its title, unless it has nothing but headings. */
static void end(struct table *t, const char *title, struct buf *out)
{
	if (t->count > t->columns) {
		buf_fmt(out, "\n%s\n", title);
		table_write(t, out);
	}
	table_release(t);
}

/* A moment as UTC with milliseconds. */
static void put_moment(struct table *t, int64_t unix_us)
{
	char text[40];
	time_t seconds = (time_t)(unix_us / 1000000);
	struct tm parts;

	if (gmtime_r(&seconds, &parts) == NULL ||
		fmt_into(text, sizeof(text), "%02d:%02d:%02d.%03d",
			parts.tm_hour, parts.tm_min, parts.tm_sec,
			(int)(unix_us / 1000 % 1000)) != 0) {
		table_text(t, "?");
		return;
	}
	table_text(t, text);
}

static void put_double(struct table *t, double n, const char *unit)
{
	char text[64];

	if (fmt_into(text, sizeof(text), "%.2f%s", n, unit) != 0) {
		table_text(t, "?");
		return;
	}
	table_text(t, text);
}

static void put_ratio(struct table *t, uint64_t part, uint64_t whole)
{
	if (whole == 0) {
		table_text(t, "-");
	} else {
		put_double(t, 100.0 * (double)part / (double)whole, "%");
	}
}

static void put_quantile(
	struct table *t, const struct hist *h, unsigned per_mille)
{
	if (h->count == 0) {
		table_text(t, "-");
	} else {
		table_ms(t, hist_quantile_us(h, per_mille));
	}
}

static void put_latency(const struct stats *s, struct buf *out)
{
	static const char *const names[] = { "node", "records", "wait p50",
		"wait p99", "service p50", "service p99", "total p50",
		"total p95", "total p99", "total max", NULL };
	struct table t;

	table_init_heads(&t, names);
	for (size_t i = 0; i < s->node_count; i++) {
		struct stats_cell sum = stats_node_sum(&s->nodes[i]);

		table_text(&t, s->nodes[i].name.text);
		table_u64(&t, sum.total.count);
		put_quantile(&t, &sum.wait, 500);
		put_quantile(&t, &sum.wait, 990);
		put_quantile(&t, &sum.service, 500);
		put_quantile(&t, &sum.service, 990);
		put_quantile(&t, &sum.total, 500);
		put_quantile(&t, &sum.total, 950);
		put_quantile(&t, &sum.total, 990);
		put_quantile(&t, &sum.total, 1000);
		stats_cell_release(&sum);
	}
	end(&t, "latency by node, ms (total = wait in the pipe + service)",
		out);
}

static void put_backlog(const struct stats *s, struct buf *out)
{
	static const char *const names[] = { "node", "max", "at (UTC)", "mean",
		"step, ms", NULL };
	struct table t;

	table_init_heads(&t, names);
	for (size_t i = 0; i < s->node_count; i++) {
		struct backlog_peak peak;

		backlog_peak(&s->nodes[i].backlog, &peak);
		table_text(&t, s->nodes[i].name.text);
		table_u64(&t, (uint64_t)peak.max);
		if (peak.max > 0) {
			put_moment(&t, peak.at_unix_us);
		} else {
			table_text(&t, "-");
		}
		put_double(&t, peak.mean, "");
		table_ms(&t, peak.step_us);
	}
	end(&t, "backlog by node, records", out);
}

/* "high single", in a cell of its own. */
static void put_class(struct table *t, size_t priority, size_t kind)
{
	char text[32];

	if (fmt_into(text, sizeof(text), "%s %s",
		    priority_name((enum priority)priority),
		    kind_name((enum kind)kind)) != 0) {
		BUG("a class name is longer than %zu", sizeof(text));
	}
	table_text(t, text);
}

/* Which priorities and kinds there are; their number. */
static size_t find_classes(
	const struct stats *s, bool is_used[PRIORITY_COUNT * KIND_COUNT])
{
	size_t count = 0;

	for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
		is_used[i] = false;
		for (size_t n = 0; n < s->node_count; n++) {
			const struct stats_cell *cell =
				&s->nodes[n]
					 .cells[i / KIND_COUNT][i % KIND_COUNT];

			is_used[i] = is_used[i] || cell->total.count > 0;
		}
		count += is_used[i];
	}
	return count;
}

static void put_latency_by_class(const struct stats *s, struct buf *out)
{
	bool is_used[PRIORITY_COUNT * KIND_COUNT];
	size_t classes = find_classes(s, is_used);
	struct table t;

	if (classes < 2) {
		return;
	}
	table_init(&t, classes + 1);
	table_text(&t, "node");
	for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
		if (is_used[i]) {
			put_class(&t, i / KIND_COUNT, i % KIND_COUNT);
		}
	}
	for (size_t n = 0; n < s->node_count; n++) {
		table_text(&t, s->nodes[n].name.text);
		for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
			if (is_used[i]) {
				put_quantile(&t,
					&s->nodes[n]
						 .cells[i / KIND_COUNT]
						       [i % KIND_COUNT]
						 .total,
					990);
			}
		}
	}
	end(&t, "total p99 by node, priority and kind, ms", out);
}

static void put_hist_row(
	struct table *t, const char *what, const struct hist *h)
{
	table_text(t, what);
	table_u64(t, h->count);
	put_quantile(t, h, 500);
	put_quantile(t, h, 950);
	put_quantile(t, h, 990);
	put_quantile(t, h, 1000);
}

static void put_classes(const struct stats *s, struct buf *out)
{
	static const char *const names[] = { "priority, kind", "<outcome",
		"records", "p50", "p95", "p99", "max", NULL };
	struct table t;

	table_init_heads(&t, names);
	for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
		size_t p = i / KIND_COUNT;
		size_t k = i % KIND_COUNT;

		if (s->queue_wait[p][k].count > 0) {
			put_class(&t, p, k);
			put_hist_row(&t, "(queue wait)", &s->queue_wait[p][k]);
		}
		for (size_t o = 0; o < OUTCOME_COUNT; o++) {
			if (s->end_to_end[p][k][o].count > 0) {
				put_class(&t, p, k);
				put_hist_row(&t, outcome_name((enum outcome)o),
					&s->end_to_end[p][k][o]);
			}
		}
	}
	end(&t, "end to end and queue wait, ms", out);
}

static void put_outcomes(const struct stats *s, struct buf *out)
{
	static const char *const names[] = { "<outcome", "<reason", "records",
		"share", NULL };
	struct table t;

	table_init_heads(&t, names);
	for (size_t o = 0; o < OUTCOME_COUNT; o++) {
		for (int r = 0; r < REASON_COUNT; r++) {
			if (s->decided[o][r] == 0) {
				continue;
			}
			table_text(&t, outcome_name((enum outcome)o));
			table_text(&t, reason_row((enum reason)r)->name);
			table_u64(&t, s->decided[o][r]);
			put_ratio(&t, s->decided[o][r], s->records);
		}
	}
	end(&t, "outcomes", out);
}

static void put_vendors(const struct stats *s, struct buf *out)
{
	static const char *const names[] = { "vendor", "records", "accepted",
		"at fault", "success", "of all", NULL };
	static const char *const answer_names[] = { "vendor", "status",
		"<answer", "records", NULL };
	struct table t;

	if (s->vendor_count == 0) {
		return;
	}
	table_init_heads(&t, names);
	for (size_t i = 0; i < s->vendor_count; i++) {
		const struct stats_vendor *v = &s->vendors[i];
		struct stats_success sum = asked_success(&v->asked);

		table_text(&t, v->name.text);
		table_u64(&t, sum.records);
		table_u64(&t, sum.accepted);
		table_u64(&t, sum.at_fault);
		put_ratio(&t, sum.accepted, sum.accepted + sum.at_fault);
		put_ratio(&t, sum.accepted, sum.records);
	}
	end(&t, "vendors (success = accepted / (accepted + vendor at fault))",
		out);
	table_init_heads(&t, answer_names);
	for (size_t i = 0; i < s->vendor_count; i++) {
		const struct stats_vendor *v = &s->vendors[i];

		for (size_t a = 0; a < v->answer_count; a++) {
			table_text(&t, v->name.text);
			table_u64(&t, (uint64_t)v->answers[a].status);
			table_text(&t, v->answers[a].text.text);
			table_u64(&t, v->answers[a].count);
		}
	}
	end(&t, "vendors' answers", out);
}

static void put_held(struct table *t, const char *what,
	const struct stats_kept *kept, size_t class, int64_t limit_us)
{
	if (kept->records == 0) {
		return;
	}
	table_text(t, what);
	put_class(t, class / KIND_COUNT, class % KIND_COUNT);
	table_ms(t, limit_us);
	table_u64(t, kept->records);
	table_u64(t, kept->late);
	put_ratio(t, kept->records - kept->late, kept->records);
}

/* Of the nodes only those that were late: all of them would be a long list. */
static void put_sla(const struct stats *s, struct buf *out)
{
	enum { CLASSES = PRIORITY_COUNT * KIND_COUNT };
	static const char *const names[] = { "what", "<priority, kind", "limit",
		"records", "late", "in time", NULL };
	struct table t;

	table_init_heads(&t, names);
	for (size_t i = 0; i < CLASSES; i++) {
		size_t p = i / KIND_COUNT;
		size_t k = i % KIND_COUNT;
		const struct stats_kept wait = { s->queue_wait[p][k].count,
			s->queue_late[p][k] };

		put_held(&t, "(end to end)", &s->delivery[p][k], i,
			s->sla.limits_us[SLA_END_TO_END][p][k]);
		put_held(&t, "(queue wait)", &wait, i,
			s->sla.limits_us[SLA_QUEUE_WAIT][p][k]);
	}
	for (size_t i = 0; i < s->node_count * CLASSES; i++) {
		size_t p = i % CLASSES / KIND_COUNT;
		size_t k = i % KIND_COUNT;
		const struct stats_cell *cell =
			&s->nodes[i / CLASSES].cells[p][k];
		const struct stats_kept kept = { cell->total.count,
			cell->late };

		if (kept.late > 0) {
			put_held(&t, s->nodes[i / CLASSES].name.text, &kept,
				i % CLASSES, s->sla.limits_us[SLA_NODE][p][k]);
		}
	}
	end(&t, "within the limits of stats.sla, ms", out);
}

static void put_campaigns(const struct stats *s, struct buf *out)
{
	static const char *const names[] = { "app", "<campaign", "records",
		"accepted", "users", NULL };
	struct table t;

	table_init_heads(&t, names);
	for (size_t i = 0; i <= STATS_CAMPAIGNS_MAX; i++) {
		const struct stats_campaign *c = &s->senders.campaigns[i];

		if (c->records > 0) {
			table_text(&t, c->app.text);
			table_text(&t, c->name.text);
			table_u64(&t, c->records);
			table_u64(&t, c->accepted);
			table_u64(&t, distinct_count(&c->users));
		}
	}
	end(&t, "records by campaign", out);
}

static void put_vendor_apps(const struct stats *s, struct buf *out)
{
	enum { APPS = STATS_APPS_MAX + 1 };
	static const char *const names[] = { "vendor", "<app", "records",
		"success", "of all", "p50, ms", "p99", NULL };
	struct table t;

	table_init_heads(&t, names);
	for (size_t i = 0; i < s->vendor_count * APPS; i++) {
		const struct stats_app *app = &s->senders.apps[i % APPS];
		const struct stats_asked *asked = &app->vendors[i / APPS];
		const struct stats_success sum = asked_success(asked);

		if (sum.records > 0) {
			table_text(&t, s->vendors[i / APPS].name.text);
			table_text(&t, app->name.text);
			table_u64(&t, sum.records);
			put_ratio(
				&t, sum.accepted, sum.accepted + sum.at_fault);
			put_ratio(&t, sum.accepted, sum.records);
			put_quantile(&t, &asked->latency, 500);
			put_quantile(&t, &asked->latency, 990);
		}
	}
	end(&t, "vendors by app", out);
}

static void put_apps(const struct stats *s, struct buf *out)
{
	static const char *const names[] = { "app", "records", "users", NULL };
	struct table t;

	table_init_heads(&t, names);
	for (size_t i = 0; i <= STATS_APPS_MAX; i++) {
		const struct stats_app *app = &s->senders.apps[i];

		if (app->records > 0) {
			table_text(&t, app->name.text);
			table_u64(&t, app->records);
			table_u64(&t, distinct_count(&app->users));
		}
	}
	end(&t, "records by app", out);
}

void report_table(const struct stats *s, struct buf *out)
{
	buf_fmt(out,
		"records %llu   unreadable lines %llu   untimed stamps %llu   "
		"clamped differences %llu\n",
		(unsigned long long)s->records,
		(unsigned long long)s->unreadable,
		(unsigned long long)s->untimed, (unsigned long long)s->clamped);
	put_latency(s, out);
	put_latency_by_class(s, out);
	if (s->has_backlog) {
		put_backlog(s, out);
	}
	put_classes(s, out);
	put_sla(s, out);
	put_outcomes(s, out);
	put_vendors(s, out);
	put_vendor_apps(s, out);
	put_apps(s, out);
	put_campaigns(s, out);
}
