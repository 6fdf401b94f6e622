/* The numbers as one JSON object.  Every list is an array of objects, so that
 * `jq' needs no knowledge of names to walk it. */
#include "stats/report.h"

static void put_u64(struct buf *out, const char *name, uint64_t n)
{
	json_put_name(out, name);
	buf_u64(out, n);
}

static void put_text(struct buf *out, const char *name, const char *text)
{
	json_put_member(out, name, span_of(text));
}

static void put_ratio(
	struct buf *out, const char *name, uint64_t part, uint64_t whole)
{
	json_put_name(out, name);
	if (whole == 0) {
		buf_text(out, "null");
	} else {
		buf_fmt(out, "%.6f", (double)part / (double)whole);
	}
}

static void put_hist_members(struct buf *out, const struct hist *h)
{
	put_u64(out, "count", h->count);
	json_put_int(out, "sum_us", h->sum_us);
	json_put_name(out, "mean_us");
	buf_fmt(out, "%.3f", hist_mean_us(h));
	json_put_int(out, "min_us", h->min_us);
	json_put_int(out, "max_us", h->max_us);
	json_put_int(out, "p50_us", hist_quantile_us(h, 500));
	json_put_int(out, "p95_us", hist_quantile_us(h, 950));
	json_put_int(out, "p99_us", hist_quantile_us(h, 990));
}

static void put_hist(struct buf *out, const char *name, const struct hist *h)
{
	json_put_name(out, name);
	buf_putc(out, '{');
	put_hist_members(out, h);
	buf_putc(out, '}');
}

/* How many were at most each of limits_us, and over the one before. */
static void put_within(struct buf *out, const struct hist *h)
{
	json_put_name(out, "within");
	buf_putc(out, '[');
	for (size_t i = 0; i <= HIST_LIMIT_COUNT; i++) {
		buf_text(out, i > 0 ? "," : "");
		buf_u64(out, h->within[i]);
	}
	buf_putc(out, ']');
}

static void put_cell_members(struct buf *out, const struct stats_cell *cell)
{
	put_hist(out, "wait", &cell->wait);
	put_hist(out, "service", &cell->service);
	put_hist(out, "total", &cell->total);
}

/* Begins an object in an array. */
static void begin(struct buf *out)
{
	if (out->len > 0 && out->data[out->len - 1] != '[') {
		buf_putc(out, ',');
	}
	buf_putc(out, '{');
}

static void put_class(struct buf *out, size_t priority, size_t kind)
{
	put_text(out, "priority", priority_name((enum priority)priority));
	put_text(out, "kind", kind_name((enum kind)kind));
}

static void put_node(struct buf *out, const struct stats_node *node)
{
	struct stats_cell sum = stats_node_sum(node);

	begin(out);
	put_text(out, "node", node->name.text);
	put_cell_members(out, &sum);
	put_within(out, &sum.total);
	stats_cell_release(&sum);
	if (node->backlog.changes != NULL) {
		struct backlog_peak peak;

		backlog_peak(&node->backlog, &peak);
		json_put_name(out, "backlog");
		buf_putc(out, '{');
		json_put_int(out, "max", peak.max);
		json_put_int(out, "at_unix_us", peak.at_unix_us);
		json_put_name(out, "mean");
		buf_fmt(out, "%.6f", peak.mean);
		json_put_int(out, "from_unix_us", peak.from_unix_us);
		json_put_int(out, "to_unix_us", peak.to_unix_us);
		json_put_int(out, "step_us", peak.step_us);
		buf_putc(out, '}');
	}
	json_put_name(out, "classes");
	buf_putc(out, '[');
	for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
		size_t p = i / KIND_COUNT;
		size_t k = i % KIND_COUNT;

		if (node->cells[p][k].total.count > 0) {
			begin(out);
			put_class(out, p, k);
			put_cell_members(out, &node->cells[p][k]);
			buf_putc(out, '}');
		}
	}
	buf_text(out, "]}");
}

static void put_classes(const struct stats *s, struct buf *out)
{
	json_put_name(out, "queue_wait");
	buf_putc(out, '[');
	for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
		const struct hist *h =
			&s->queue_wait[i / KIND_COUNT][i % KIND_COUNT];

		if (h->count > 0) {
			begin(out);
			put_class(out, i / KIND_COUNT, i % KIND_COUNT);
			put_hist_members(out, h);
			buf_putc(out, '}');
		}
	}
	buf_putc(out, ']');
	json_put_name(out, "end_to_end");
	buf_putc(out, '[');
	for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT * OUTCOME_COUNT;
		i++) {
		size_t class = i / OUTCOME_COUNT;
		size_t p = class / KIND_COUNT;
		size_t k = class % KIND_COUNT;
		const struct hist *h = &s->end_to_end[p][k][i % OUTCOME_COUNT];

		if (h->count > 0) {
			begin(out);
			put_class(out, p, k);
			put_text(out, "outcome",
				outcome_name(
					(enum outcome)(i % OUTCOME_COUNT)));
			put_hist_members(out, h);
			buf_putc(out, '}');
		}
	}
	buf_putc(out, ']');
}

static void put_outcomes(const struct stats *s, struct buf *out)
{
	json_put_name(out, "outcomes");
	buf_putc(out, '[');
	for (size_t o = 0; o < OUTCOME_COUNT; o++) {
		for (int r = 0; r < REASON_COUNT; r++) {
			if (s->decided[o][r] == 0) {
				continue;
			}
			begin(out);
			put_text(out, "outcome", outcome_name((enum outcome)o));
			put_text(out, "reason",
				reason_row((enum reason)r)->name);
			put_u64(out, "records", s->decided[o][r]);
			buf_putc(out, '}');
		}
	}
	buf_putc(out, ']');
}

/* What was asked of a vendor, and what became of it. */
static void put_asked(struct buf *out, const struct stats_asked *asked)
{
	struct stats_success sum = asked_success(asked);

	put_u64(out, "records", sum.records);
	put_u64(out, "accepted", sum.accepted);
	put_u64(out, "at_fault", sum.at_fault);
	put_ratio(out, "success", sum.accepted, sum.accepted + sum.at_fault);
	put_ratio(out, "success_of_all", sum.accepted, sum.records);
	put_hist(out, "latency", &asked->latency);
	json_put_name(out, "reasons");
	buf_putc(out, '[');
	for (int r = 0; r < REASON_COUNT; r++) {
		if (asked->reasons[r] > 0) {
			begin(out);
			put_text(out, "reason",
				reason_row((enum reason)r)->name);
			put_u64(out, "records", asked->reasons[r]);
			buf_putc(out, '}');
		}
	}
	buf_putc(out, ']');
}

static void put_vendor(struct buf *out, const struct stats_vendor *v)
{
	begin(out);
	put_text(out, "vendor", v->name.text);
	put_asked(out, &v->asked);
	json_put_name(out, "answers");
	buf_putc(out, '[');
	for (size_t i = 0; i < v->answer_count; i++) {
		begin(out);
		json_put_int(out, "status", v->answers[i].status);
		put_text(out, "answer", v->answers[i].text.text);
		put_u64(out, "records", v->answers[i].count);
		buf_putc(out, '}');
	}
	buf_text(out, "]}");
}

static void put_facts(struct buf *out, const struct live *live, size_t node)
{
	struct credential_list list = live_credentials(live, node);

	json_put_name(out, "facts");
	buf_putc(out, '{');
	for (size_t f = 0; node_facts[f].name != NULL; f++) {
		const struct live_node *n = live_at(live, node);

		if (n->has_fact[f]) {
			json_put_int(out, node_facts[f].name,
				node_facts[f].sort == FACT_TOTAL
					? (int64_t)n->facts[f]
					: live_gauge(live, node, f));
		}
	}
	buf_putc(out, '}');
	json_put_name(out, "credentials");
	buf_putc(out, '[');
	for (size_t i = 0; i < list.count; i++) {
		begin(out);
		put_text(out, "app", list.items[i].app.text);
		for (size_t f = 0; credential_facts[f].name != NULL; f++) {
			if (list.items[i].values[f] >= 0) {
				json_put_int(out, credential_facts[f].name,
					list.items[i].values[f]);
			}
		}
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
	credential_list_release(&list);
}

static void put_held(struct buf *out, const char *node, enum sla_of of,
	size_t class, const struct stats_kept *kept, const struct sla *sla)
{
	size_t p = class / KIND_COUNT;
	size_t k = class % KIND_COUNT;

	if (kept->records == 0) {
		return;
	}
	begin(out);
	put_text(out, "of", sla_of_name(of));
	if (node != NULL) {
		put_text(out, "node", node);
	}
	put_class(out, p, k);
	json_put_int(out, "limit_us", sla->limits_us[of][p][k]);
	put_u64(out, "records", kept->records);
	put_u64(out, "late", kept->late);
	buf_putc(out, '}');
}

static void put_sla(const struct stats *s, struct buf *out)
{
	enum { CLASSES = PRIORITY_COUNT * KIND_COUNT };

	json_put_name(out, "sla");
	buf_putc(out, '[');
	for (size_t i = 0; i < s->node_count * CLASSES; i++) {
		size_t class = i % CLASSES;
		const struct stats_node *node = &s->nodes[i / CLASSES];
		const struct stats_cell *cell =
			&node->cells[class / KIND_COUNT][class % KIND_COUNT];
		struct stats_kept kept = { cell->total.count, cell->late };

		put_held(out, node->name.text, SLA_NODE, class, &kept, &s->sla);
	}
	for (size_t i = 0; i < CLASSES; i++) {
		size_t p = i / KIND_COUNT;
		size_t k = i % KIND_COUNT;
		struct stats_kept wait = { s->queue_wait[p][k].count,
			s->queue_late[p][k] };

		put_held(out, NULL, SLA_QUEUE_WAIT, i, &wait, &s->sla);
		put_held(out, NULL, SLA_END_TO_END, i, &s->delivery[p][k],
			&s->sla);
	}
	buf_putc(out, ']');
}

static void put_app(
	struct buf *out, const struct stats *s, const struct stats_app *app)
{
	begin(out);
	put_text(out, "app", app->name.text);
	put_u64(out, "records", app->records);
	put_u64(out, "users", distinct_count(&app->users));
	json_put_name(out, "vendors");
	buf_putc(out, '[');
	for (size_t v = 0; v < s->vendor_count; v++) {
		if (app->vendors[v].latency.count > 0) {
			begin(out);
			put_text(out, "vendor", s->vendors[v].name.text);
			put_asked(out, &app->vendors[v]);
			buf_putc(out, '}');
		}
	}
	buf_text(out, "]}");
}

static void put_apps(const struct stats *s, struct buf *out)
{
	json_put_name(out, "apps");
	buf_putc(out, '[');
	for (size_t i = 0; i <= STATS_APPS_MAX; i++) {
		if (s->senders.apps[i].records > 0) {
			put_app(out, s, &s->senders.apps[i]);
		}
	}
	buf_putc(out, ']');
}

static void put_campaigns(const struct senders *s, struct buf *out)
{
	json_put_name(out, "campaigns");
	buf_putc(out, '[');
	for (size_t i = 0; i <= STATS_CAMPAIGNS_MAX; i++) {
		const struct stats_campaign *c = &s->campaigns[i];

		if (c->records > 0) {
			begin(out);
			put_text(out, "app", c->app.text);
			put_text(out, "campaign", c->name.text);
			put_u64(out, "records", c->records);
			put_u64(out, "accepted", c->accepted);
			put_u64(out, "users", distinct_count(&c->users));
			buf_putc(out, '}');
		}
	}
	buf_putc(out, ']');
}

static void put_recent(const struct recent *recent, struct buf *out)
{
	const struct recent_one *one;

	json_put_name(out, "recent");
	buf_putc(out, '[');
	for (size_t i = 0; (one = recent_at(recent, i)) != NULL; i++) {
		begin(out);
		json_put_int(out, "at_unix_us", one->at_unix_us);
		put_text(out, "id", one->id.text);
		put_text(out, "app", one->app.text);
		put_text(out, "node", one->node.text);
		put_text(out, "outcome", outcome_name(one->outcome));
		put_text(out, "reason", reason_row(one->reason)->name);
		json_put_int(out, "attempt", one->attempt);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
}

static void put_depths(const struct depths *depths, struct buf *out)
{
	json_put_name(out, "queues_known");
	buf_text(out, depths->is_known ? "true" : "false");
	json_put_name(out, "queues");
	buf_putc(out, '[');
	for (size_t i = 0; i < depths->count; i++) {
		const struct depth *d = &depths->items[i];

		begin(out);
		put_text(out, "queue", d->queue);
		json_put_int(out, "ready", d->ready);
		json_put_int(out, "redeliver", d->redeliver);
		json_put_int(out, "delayed", d->delayed);
		json_put_int(out, "overdue", d->overdue);
		json_put_int(out, "dead", d->dead);
		json_put_int(out, "oldest_age_ms", d->oldest_age_ms);
		json_put_int(out, "overdue_age_ms", d->overdue_age_ms);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
}

static void put_rules(struct buf *out, const struct counted_list *rules)
{
	json_put_name(out, "rules");
	buf_putc(out, '[');
	for (size_t i = 0; i < rules->count; i++) {
		begin(out);
		put_text(out, "rule", rules->items[i].name.text);
		put_u64(out, "records", rules->items[i].count);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
}

static void put_live(const struct live *live, struct buf *out)
{
	json_put_name(out, "live");
	buf_putc(out, '[');
	for (size_t i = 0; i < live_count(live); i++) {
		const struct live_node *node = live_at(live, i);
		struct live_now now = live_now(live, i);

		begin(out);
		put_text(out, "node", node->name);
		put_u64(out, "processes", now.processes);
		json_put_name(out, "pipe");
		if (now.has_pipe) {
			buf_u64(out, now.pipe);
		} else {
			buf_text(out, "null");
		}
		put_u64(out, "inside", now.inside);
		put_facts(out, live, i);
		put_rules(out, &node->rules);
		for (int t = 0; t < LIVE_TOTAL_COUNT; t++) {
			enum live_total total = (enum live_total)t;

			put_u64(out, live_total_name(total), node->totals[t]);
		}
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
	put_u64(out, "bad_datagrams", live_bad(live));
}

void report_json(const struct stats *s, const struct live *live,
	const struct depths *depths, struct buf *out)
{
	buf_putc(out, '{');
	put_u64(out, "records", s->records);
	put_u64(out, "redelivered", s->redelivered);
	put_u64(out, "unreadable", s->unreadable);
	put_u64(out, "untimed", s->untimed);
	put_u64(out, "clamped", s->clamped);
	json_put_name(out, "limits_us");
	buf_putc(out, '[');
	for (size_t i = 0; i < HIST_LIMIT_COUNT; i++) {
		buf_text(out, i > 0 ? "," : "");
		buf_i64(out, hist_limit_us(i));
	}
	buf_putc(out, ']');
	json_put_name(out, "nodes");
	buf_putc(out, '[');
	for (size_t i = 0; i < s->node_count; i++) {
		put_node(out, &s->nodes[i]);
	}
	buf_putc(out, ']');
	put_classes(s, out);
	put_outcomes(s, out);
	json_put_name(out, "vendors");
	buf_putc(out, '[');
	for (size_t i = 0; i < s->vendor_count; i++) {
		put_vendor(out, &s->vendors[i]);
	}
	buf_putc(out, ']');
	put_apps(s, out);
	put_campaigns(&s->senders, out);
	put_sla(s, out);
	put_recent(&s->recent, out);
	if (live != NULL) {
		put_live(live, out);
	}
	if (depths != NULL) {
		put_depths(depths, out);
	}
	buf_putc(out, '}');
}
