/*
 * Metrics in text form.  Every family has its HELP and TYPE even while it has no
 * sample, so that a dashboard can be written before the first record.
 */
#include "stats/expose.h"

enum { HEAD_BYTES = 256 };

/* Seconds with all six digits of a microsecond count. */
static void put_seconds(struct buf *out, int64_t us)
{
	buf_fmt(out, "%lld.%06lld", (long long)(us / 1000000),
		(long long)(us % 1000000));
}

/* A label's value: the three characters the format asks to escape. */
static void put_label(struct buf *out, const char *name, const char *value)
{
	if (out->len > 0 && out->data[out->len - 1] != '{') {
		buf_putc(out, ',');
	}
	buf_text(out, name);
	buf_text(out, "=\"");
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"') {
			buf_putc(out, '\\');
		}
		if (*value == '\n') {
			buf_text(out, "\\n");
		} else {
			buf_putc(out, *value);
		}
	}
	buf_putc(out, '"');
}

static void family(
	struct buf *out, const char *name, const char *type, const char *help)
{
	buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void sample_end(struct buf *out, uint64_t n)
{
	buf_text(out, "} ");
	buf_u64(out, n);
	buf_putc(out, '\n');
}

static void plain(struct buf *out, const char *name, uint64_t n)
{
	buf_text(out, name);
	buf_putc(out, ' ');
	buf_u64(out, n);
	buf_putc(out, '\n');
}

/* The samples of one histogram; `labels' is what they have in common. */
static void put_hist(struct buf *out, const char *name, const char *labels,
	const struct hist *h)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= HIST_LIMIT_COUNT; i++) {
		sum += h->within[i];
		buf_fmt(out, "%s_bucket{%s,le=\"", name, labels);
		if (i == HIST_LIMIT_COUNT) {
			buf_text(out, "+Inf");
		} else {
			buf_fmt(out, "%g", (double)hist_limit_us(i) / 1e6);
		}
		buf_putc(out, '"');
		sample_end(out, sum);
	}
	buf_fmt(out, "%s_sum{%s} ", name, labels);
	put_seconds(out, h->sum_us);
	buf_fmt(out, "\n%s_count{%s", name, labels);
	sample_end(out, h->count);
}

/* Puts together the labels of one class of records. */
static const char *class_labels(struct buf *labels, const char *first,
	const char *first_value, size_t class)
{
	buf_reset(labels);
	buf_putc(labels, '{'); /* so that put_label() knows the beginning */
	if (first != NULL) {
		put_label(labels, first, first_value);
	}
	put_label(labels, "priority",
		priority_name((enum priority)(class / KIND_COUNT)));
	put_label(labels, "kind", kind_name((enum kind)(class % KIND_COUNT)));
	return buf_string(labels) + 1;
}

static void put_latencies(const struct stats *s, struct buf *out)
{
	static const struct {
		const char *name;
		const char *help;
		size_t offset;
	} families[] = {
		{ "push_node_wait_seconds",
			"Time from leaving the node before to being read here.",
			offsetof(struct stats_cell, wait) },
		{ "push_node_service_seconds",
			"Time from being read to leaving this node.",
			offsetof(struct stats_cell, service) },
		{ "push_node_latency_seconds",
			"Time from leaving the node before to leaving this one.",
			offsetof(struct stats_cell, total) },
	};
	struct buf labels;

	buf_init(&labels, HEAD_BYTES);
	for (size_t f = 0; f < sizeof(families) / sizeof(*families); f++) {
		family(out, families[f].name, "histogram", families[f].help);
		for (size_t i = 0;
			i < s->node_count * PRIORITY_COUNT * KIND_COUNT; i++) {
			size_t class = i % (PRIORITY_COUNT * KIND_COUNT);
			const struct stats_node *node =
				&s->nodes[i / (PRIORITY_COUNT * KIND_COUNT)];
			const struct stats_cell *cell =
				&node->cells[class / KIND_COUNT]
					    [class % KIND_COUNT];
			const struct hist *h =
				(const struct hist *)((const char *)cell +
						      families[f].offset);

			if (h->count > 0) {
				put_hist(out, families[f].name,
					class_labels(&labels, "node",
						node->name.text, class),
					h);
			}
		}
	}
	buf_release(&labels);
}

static void put_ends(const struct stats *s, struct buf *out)
{
	enum { CLASSES = PRIORITY_COUNT * KIND_COUNT };
	struct buf labels;

	buf_init(&labels, HEAD_BYTES);
	family(out, "push_queue_wait_seconds", "histogram",
		"Time from created_ms to the claim.");
	for (size_t i = 0; i < CLASSES; i++) {
		const struct hist *h =
			&s->queue_wait[i / KIND_COUNT][i % KIND_COUNT];

		if (h->count > 0) {
			put_hist(out, "push_queue_wait_seconds",
				class_labels(&labels, NULL, "", i), h);
		}
	}
	family(out, "push_end_to_end_seconds", "histogram",
		"Time from created_ms, or the claim, to the vendor's answer, "
		"or to the last node.");
	for (size_t i = 0; i < (size_t)CLASSES * OUTCOME_COUNT; i++) {
		size_t class = i % CLASSES;
		size_t o = i / CLASSES;
		const struct hist *h = &s->end_to_end[class / KIND_COUNT]
						     [class % KIND_COUNT][o];

		if (h->count > 0) {
			put_hist(out, "push_end_to_end_seconds",
				class_labels(&labels, "outcome",
					outcome_name((enum outcome)o), class),
				h);
		}
	}
	buf_release(&labels);
}

/* Reasons that belong to an outcome are there from the start, as 0, so that a
 * rate over the first one is seen. */
static void put_outcomes(const struct stats *s, struct buf *out)
{
	family(out, "push_records_total", "counter",
		"Records that reached the end of the chain.");
	for (size_t o = 0; o < OUTCOME_COUNT; o++) {
		for (int r = 0; r < REASON_COUNT; r++) {
			const struct reason_row *row =
				reason_row((enum reason)r);

			if (s->decided[o][r] == 0 && row->outcome != o) {
				continue;
			}
			buf_text(out, "push_records_total{");
			put_label(
				out, "outcome", outcome_name((enum outcome)o));
			put_label(out, "reason", row->name);
			sample_end(out, s->decided[o][r]);
		}
	}
	family(out, "push_app_records_total", "counter",
		"Records that reached the end of the chain, by app.");
	for (size_t i = 0; i <= STATS_APPS_MAX; i++) {
		const struct stats_app *app = &s->senders.apps[i];

		if (app->records > 0) {
			buf_text(out, "push_app_records_total{");
			put_label(out, "app", app->name.text);
			sample_end(out, app->records);
		}
	}
	family(out, "push_redelivered_records_total", "counter",
		"Records in a second or later attempt.");
	plain(out, "push_redelivered_records_total", s->redelivered);
	family(out, "push_unreadable_lines_total", "counter",
		"Lines that push-stats could not read.");
	plain(out, "push_unreadable_lines_total", s->unreadable);
	family(out, "push_untimed_stamps_total", "counter",
		"Stamps whose times make no sense.");
	plain(out, "push_untimed_stamps_total", s->untimed);
	family(out, "push_clamped_differences_total", "counter",
		"Negative time differences, which were taken as 0.");
	plain(out, "push_clamped_differences_total", s->clamped);
}

/* Requested users, an estimate that only grows. */
static void put_senders(const struct senders *s, struct buf *out)
{
	family(out, "push_app_users", "gauge",
		"Different users an app has asked for since the start.");
	for (size_t i = 0; i <= STATS_APPS_MAX; i++) {
		if (s->apps[i].users.registers != NULL) {
			buf_text(out, "push_app_users{");
			put_label(out, "app", s->apps[i].name.text);
			sample_end(out, distinct_count(&s->apps[i].users));
		}
	}
	family(out, "push_campaign_users", "gauge",
		"Different users a campaign has asked for since the start.");
	for (size_t i = 0; i <= STATS_CAMPAIGNS_MAX; i++) {
		const struct stats_campaign *c = &s->campaigns[i];

		if (c->users.registers != NULL) {
			buf_text(out, "push_campaign_users{");
			put_label(out, "app", c->app.text);
			put_label(out, "campaign", c->name.text);
			sample_end(out, distinct_count(&c->users));
		}
	}
	family(out, "push_campaign_records_total", "counter",
		"Records of a campaign, all and accepted ones.");
	for (size_t i = 0; i < 2 * (STATS_CAMPAIGNS_MAX + 1); i++) {
		const struct stats_campaign *c = &s->campaigns[i / 2];

		if (c->records > 0) {
			buf_text(out, "push_campaign_records_total{");
			put_label(out, "app", c->app.text);
			put_label(out, "campaign", c->name.text);
			put_label(out, "what", i % 2 == 0 ? "all" : "accepted");
			sample_end(out, i % 2 == 0 ? c->records : c->accepted);
		}
	}
}

static void put_vendor_app(struct buf *out, const struct stats_vendor *v,
	const struct stats_app *app, size_t place)
{
	const struct stats_success *sum = &app->vendors[place];
	const struct {
		const char *what;
		uint64_t records;
	} parts[] = {
		{ "accepted", sum->accepted },
		{ "at-fault", sum->at_fault },
		{ "refused", sum->records - sum->accepted - sum->at_fault },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (sum->records > 0) {
			buf_text(out, "push_vendor_app_records_total{");
			put_label(out, "vendor", v->name.text);
			put_label(out, "app", app->name.text);
			put_label(out, "what", parts[i].what);
			sample_end(out, parts[i].records);
		}
	}
}

static void put_vendor_apps(const struct stats *s, struct buf *out)
{
	struct buf labels;

	family(out, "push_vendor_app_records_total", "counter",
		"Records a vendor was asked to deliver, by app: accepted, the "
		"vendor at fault, refused for good.");
	for (size_t v = 0; v < s->vendor_count; v++) {
		for (size_t i = 0; i <= STATS_APPS_MAX; i++) {
			put_vendor_app(
				out, &s->vendors[v], &s->senders.apps[i], v);
		}
	}
	buf_init(&labels, HEAD_BYTES);
	family(out, "push_vendor_latency_seconds", "histogram",
		"Time from reading a record to the vendor's answer.");
	for (size_t v = 0; v < s->vendor_count; v++) {
		buf_reset(&labels);
		buf_putc(&labels, '{');
		put_label(&labels, "vendor", s->vendors[v].name.text);
		put_hist(out, "push_vendor_latency_seconds",
			buf_string(&labels) + 1, &s->vendors[v].latency);
	}
	buf_release(&labels);
}

static void put_kept(struct buf *out, const char *name, const char *of,
	const char *labels, uint64_t n)
{
	buf_fmt(out, "%s{of=\"%s\",%s", name, of, labels);
	sample_end(out, n);
}

static void put_limits(
	const struct sla *sla, struct buf *labels, struct buf *out)
{
	family(out, "push_sla_limit_seconds", "gauge",
		"How long a node, the queue wait and the whole way may take.");
	for (size_t of = 0; of < SLA_OF_COUNT; of++) {
		for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
			buf_fmt(out, "push_sla_limit_seconds{of=\"%s\",%s} ",
				sla_of_name((enum sla_of)of),
				class_labels(labels, NULL, "", i));
			put_seconds(out, sla->limits_us[of][i / KIND_COUNT]
						       [i % KIND_COUNT]);
			buf_putc(out, '\n');
		}
	}
}

/* `is_late': those over the limit, else all that were held against it. */
static void put_held(const struct stats *s, bool is_late, struct buf *labels,
	struct buf *out)
{
	enum { CLASSES = PRIORITY_COUNT * KIND_COUNT };
	const char *name = is_late ? "push_sla_late_records_total"
				   : "push_sla_records_total";

	for (size_t i = 0; i < s->node_count * CLASSES; i++) {
		const struct stats_node *node = &s->nodes[i / CLASSES];
		const struct stats_cell *cell =
			&node->cells[i % CLASSES / KIND_COUNT][i % KIND_COUNT];

		if (cell->total.count > 0) {
			put_kept(out, name, sla_of_name(SLA_NODE),
				class_labels(labels, "node", node->name.text,
					i % CLASSES),
				is_late ? cell->late : cell->total.count);
		}
	}
	for (size_t i = 0; i < CLASSES; i++) {
		size_t p = i / KIND_COUNT;
		size_t k = i % KIND_COUNT;
		const struct stats_kept *kept = &s->delivery[p][k];
		const char *class = class_labels(labels, NULL, "", i);

		if (s->queue_wait[p][k].count > 0) {
			put_kept(out, name, sla_of_name(SLA_QUEUE_WAIT), class,
				is_late ? s->queue_late[p][k]
					: s->queue_wait[p][k].count);
		}
		if (kept->records > 0) {
			put_kept(out, name, sla_of_name(SLA_END_TO_END), class,
				is_late ? kept->late : kept->records);
		}
	}
}

static void put_sla(const struct stats *s, struct buf *out)
{
	struct buf labels;

	buf_init(&labels, HEAD_BYTES);
	put_limits(&s->sla, &labels, out);
	family(out, "push_sla_records_total", "counter",
		"Records that were held against a limit.");
	put_held(s, false, &labels, out);
	family(out, "push_sla_late_records_total", "counter",
		"Records that took longer than the limit.");
	put_held(s, true, &labels, out);
	buf_release(&labels);
}

static void put_depths(const struct depths *depths, struct buf *out)
{
	family(out, "push_queue_up", "gauge",
		"Whether Redis has told the queues' depth.");
	plain(out, "push_queue_up", depths->is_known);
	family(out, "push_queue_records", "gauge",
		"Tasks in a queue, by state.");
	for (size_t i = 0; i < depths->count; i++) {
		const struct depth *d = &depths->items[i];
		const struct {
			const char *state;
			int64_t n;
		} states[] = { { "ready", d->ready },
			{ "redeliver", d->redeliver },
			{ "delayed", d->delayed }, { "overdue", d->overdue },
			{ "dead", d->dead } };

		for (size_t n = 0; n < sizeof(states) / sizeof(*states); n++) {
			buf_text(out, "push_queue_records{");
			put_label(out, "queue", d->queue);
			put_label(out, "state", states[n].state);
			sample_end(out, (uint64_t)states[n].n);
		}
	}
	family(out, "push_queue_oldest_age_seconds", "gauge",
		"Age of the next ready task and of the longest overdue one.");
	for (size_t i = 0; i < 2 * depths->count; i++) {
		const struct depth *d = &depths->items[i / 2];

		buf_text(out, "push_queue_oldest_age_seconds{");
		put_label(out, "queue", d->queue);
		put_label(out, "state", i % 2 == 0 ? "ready" : "overdue");
		buf_text(out, "} ");
		put_seconds(out,
			(i % 2 == 0 ? d->oldest_age_ms : d->overdue_age_ms) *
				1000);
		buf_putc(out, '\n');
	}
}

static void put_vendors(const struct stats *s, struct buf *out)
{
	family(out, "push_vendor_records_total", "counter",
		"Records a vendor was asked to deliver, by what became of "
		"them.");
	for (size_t i = 0; i < s->vendor_count * REASON_COUNT; i++) {
		const struct stats_vendor *v = &s->vendors[i / REASON_COUNT];
		size_t r = i % REASON_COUNT;
		const struct reason_row *row = reason_row((enum reason)r);

		/* A vendor at zero must be seen as zero, not as nothing. */
		if (v->reasons[r] == 0 && row->outcome != OUTCOME_ACCEPTED) {
			continue;
		}
		buf_text(out, "push_vendor_records_total{");
		put_label(out, "vendor", v->name.text);
		put_label(out, "outcome", outcome_name(row->outcome));
		put_label(out, "reason", row->name);
		sample_end(out, v->reasons[r]);
	}
	family(out, "push_vendor_answers_total", "counter",
		"Answers of a vendor, in its own words.");
	for (size_t i = 0; i < s->vendor_count; i++) {
		const struct stats_vendor *v = &s->vendors[i];

		for (size_t a = 0; a < v->answer_count; a++) {
			buf_text(out, "push_vendor_answers_total{");
			put_label(out, "vendor", v->name.text);
			buf_fmt(out, ",status=\"%lld\"",
				(long long)v->answers[a].status);
			put_label(out, "answer", v->answers[a].text.text);
			sample_end(out, v->answers[a].count);
		}
	}
}

static void put_live(const struct live *live, struct buf *out)
{
	family(out, "push_backlog_records", "gauge",
		"Records now before a node (pipe) and in it (inside).");
	for (size_t i = 0; i < live_count(live); i++) {
		struct live_now now = live_now(live, i);

		if (now.has_pipe) {
			buf_text(out, "push_backlog_records{");
			put_label(out, "node", live_at(live, i)->name);
			put_label(out, "place", "pipe");
			sample_end(out, now.pipe);
		}
		if (now.processes > 0) {
			buf_text(out, "push_backlog_records{");
			put_label(out, "node", live_at(live, i)->name);
			put_label(out, "place", "inside");
			sample_end(out, now.inside);
		}
	}
	family(out, "push_node_processes", "gauge",
		"Programs that reported within the last seconds.");
	for (size_t i = 0; i < live_count(live); i++) {
		buf_text(out, "push_node_processes{");
		put_label(out, "node", live_at(live, i)->name);
		sample_end(out, live_now(live, i).processes);
	}
	for (int t = 0; t < LIVE_TOTAL_COUNT; t++) {
		static const struct {
			const char *name;
			const char *help;
		} families[LIVE_TOTAL_COUNT] = {
			[LIVE_IN] = { "push_node_in_total",
				"Records read by a node." },
			[LIVE_OUT] = { "push_node_out_total",
				"Records written by a node." },
			[LIVE_DROPPED] = { "push_node_dropped_total",
				"Records a node did not pass on to a reader "
				"that was too slow." },
			[LIVE_LOST_DATAGRAMS] = { "push_node_lost_datagrams_total",
				"Reports a node could not send." },
		};

		family(out, families[t].name, "counter", families[t].help);
		for (size_t i = 0; i < live_count(live); i++) {
			buf_fmt(out, "%s{", families[t].name);
			put_label(out, "node", live_at(live, i)->name);
			sample_end(out, live_at(live, i)->totals[t]);
		}
	}
}

static void put_facts(const struct live *live, struct buf *out)
{
	for (size_t f = 0; live_facts[f].name != NULL; f++) {
		const struct live_fact *fact = &live_facts[f];

		if (fact->help != NULL) {
			family(out, fact->metric,
				fact->sort == LIVE_FACT_TOTAL ? "counter"
							      : "gauge",
				fact->help);
		}
		for (size_t i = 0; i < live_count(live); i++) {
			int64_t n =
				fact->sort == LIVE_FACT_TOTAL
					? (int64_t)live_at(live, i)->facts[f]
					: live_gauge(live, i, f);

			if (!live_at(live, i)->has_fact[f] || n < 0) {
				continue;
			}
			buf_fmt(out, "%s{", fact->metric);
			put_label(out, "node", live_at(live, i)->name);
			if (fact->label != NULL) {
				put_label(out, "what", fact->label);
			}
			sample_end(out, (uint64_t)n);
		}
	}
}

static void put_live_outcomes(const struct live *live, struct buf *out)
{
	family(out, "push_node_outcomes_total", "counter",
		"Records a node has decided.");
	for (size_t i = 0; i < live_count(live); i++) {
		const struct live_node *node = live_at(live, i);

		for (size_t o = OUTCOME_UNDECIDED + 1; o < OUTCOME_COUNT; o++) {
			if (node->outcomes[o] > 0) {
				buf_text(out, "push_node_outcomes_total{");
				put_label(out, "node", node->name);
				put_label(out, "outcome",
					outcome_name((enum outcome)o));
				sample_end(out, node->outcomes[o]);
			}
		}
	}
	family(out, "push_bad_datagrams_total", "counter",
		"Reports that were none.");
	plain(out, "push_bad_datagrams_total", live_bad(live));
}

void expose(const struct expose_from *from, struct buf *out)
{
	const struct stats *s = from->stats;

	family(out, "push_build_info", "gauge", "The version, as a label.");
	buf_text(out, "push_build_info{");
	put_label(out, "version", PUSH_VERSION);
	sample_end(out, 1);
	family(out, "push_start_time_seconds", "gauge",
		"When push-stats was started, Unix time.");
	buf_text(out, "push_start_time_seconds ");
	put_seconds(out, from->started_unix_ms * 1000);
	buf_putc(out, '\n');
	put_outcomes(s, out);
	put_senders(&s->senders, out);
	put_vendors(s, out);
	put_vendor_apps(s, out);
	put_ends(s, out);
	put_latencies(s, out);
	put_sla(s, out);
	if (from->live != NULL) {
		put_live(from->live, out);
		put_facts(from->live, out);
		put_live_outcomes(from->live, out);
	}
	if (from->depths != NULL) {
		put_depths(from->depths, out);
	}
}
