/*
 * Metrics in text form.  Every family has its HELP and TYPE even while it has no
 * sample, so that a dashboard can be written before the first record.
 */
#include "stats/expose.h"

#include "stats/sample.h"

enum { HEAD_BYTES = 256 };

/* Puts together the labels of one class of records. */
static const char *class_labels(struct buf *labels, const char *first,
	const char *first_value, size_t class)
{
	buf_reset(labels);
	buf_putc(labels, '{'); /* so that sample_label() knows the beginning */
	if (first != NULL) {
		sample_label(labels, first, first_value);
	}
	sample_label(labels, "priority",
		priority_name((enum priority)(class / KIND_COUNT)));
	sample_label(
		labels, "kind", kind_name((enum kind)(class % KIND_COUNT)));
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
		sample_family(
			out, families[f].name, "histogram", families[f].help);
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
				sample_hist(out, families[f].name,
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
	sample_family(out, "push_queue_wait_seconds", "histogram",
		"Time from created_ms to the claim.");
	for (size_t i = 0; i < CLASSES; i++) {
		const struct hist *h =
			&s->queue_wait[i / KIND_COUNT][i % KIND_COUNT];

		if (h->count > 0) {
			sample_hist(out, "push_queue_wait_seconds",
				class_labels(&labels, NULL, "", i), h);
		}
	}
	sample_family(out, "push_end_to_end_seconds", "histogram",
		"Time from created_ms, or the claim, to the vendor's answer, "
		"or to the last node.");
	for (size_t i = 0; i < (size_t)CLASSES * OUTCOME_COUNT; i++) {
		size_t class = i % CLASSES;
		size_t o = i / CLASSES;
		const struct hist *h = &s->end_to_end[class / KIND_COUNT]
						     [class % KIND_COUNT][o];

		if (h->count > 0) {
			sample_hist(out, "push_end_to_end_seconds",
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
	sample_family(out, "push_records_total", "counter",
		"Records that reached the end of the chain.");
	for (size_t o = 0; o < OUTCOME_COUNT; o++) {
		for (int r = 0; r < REASON_COUNT; r++) {
			const struct reason_row *row =
				reason_row((enum reason)r);

			if (s->decided[o][r] == 0 && row->outcome != o) {
				continue;
			}
			buf_text(out, "push_records_total{");
			sample_label(
				out, "outcome", outcome_name((enum outcome)o));
			sample_label(out, "reason", row->name);
			sample_end(out, s->decided[o][r]);
		}
	}
	sample_family(out, "push_app_records_total", "counter",
		"Records that reached the end of the chain, by app.");
	for (size_t i = 0; i <= STATS_APPS_MAX; i++) {
		const struct stats_app *app = &s->senders.apps[i];

		if (app->records > 0) {
			buf_text(out, "push_app_records_total{");
			sample_label(out, "app", app->name.text);
			sample_end(out, app->records);
		}
	}
	sample_family(out, "push_redelivered_records_total", "counter",
		"Records in a second or later attempt.");
	sample_plain(out, "push_redelivered_records_total", s->redelivered);
	sample_family(out, "push_unreadable_lines_total", "counter",
		"Lines that push-stats could not read.");
	sample_plain(out, "push_unreadable_lines_total", s->unreadable);
	sample_family(out, "push_untimed_stamps_total", "counter",
		"Stamps whose times make no sense.");
	sample_plain(out, "push_untimed_stamps_total", s->untimed);
	sample_family(out, "push_clamped_differences_total", "counter",
		"Negative time differences, which were taken as 0.");
	sample_plain(out, "push_clamped_differences_total", s->clamped);
}

/* Requested users, an estimate that only grows. */
static void put_senders(const struct senders *s, struct buf *out)
{
	sample_family(out, "push_app_users", "gauge",
		"Different users an app has asked for since the start.");
	for (size_t i = 0; i <= STATS_APPS_MAX; i++) {
		if (s->apps[i].users.registers != NULL) {
			buf_text(out, "push_app_users{");
			sample_label(out, "app", s->apps[i].name.text);
			sample_end(out, distinct_count(&s->apps[i].users));
		}
	}
	sample_family(out, "push_campaign_users", "gauge",
		"Different users a campaign has asked for since the start.");
	for (size_t i = 0; i <= STATS_CAMPAIGNS_MAX; i++) {
		const struct stats_campaign *c = &s->campaigns[i];

		if (c->users.registers != NULL) {
			buf_text(out, "push_campaign_users{");
			sample_label(out, "app", c->app.text);
			sample_label(out, "campaign", c->name.text);
			sample_end(out, distinct_count(&c->users));
		}
	}
	sample_family(out, "push_campaign_records_total", "counter",
		"Records of a campaign, all and accepted ones.");
	for (size_t i = 0; i < 2 * (STATS_CAMPAIGNS_MAX + 1); i++) {
		const struct stats_campaign *c = &s->campaigns[i / 2];

		if (c->records > 0) {
			buf_text(out, "push_campaign_records_total{");
			sample_label(out, "app", c->app.text);
			sample_label(out, "campaign", c->name.text);
			sample_label(
				out, "what", i % 2 == 0 ? "all" : "accepted");
			sample_end(out, i % 2 == 0 ? c->records : c->accepted);
		}
	}
}

/* Whose fault it was, and of how many. */
static const char *fault_name(enum reason reason)
{
	if (reason_row(reason)->outcome == OUTCOME_ACCEPTED) {
		return "accepted";
	}
	return reason_at_fault(reason) ? "at-fault" : "refused";
}

static void put_vendor_app(struct buf *out, const struct stats_vendor *v,
	const struct stats_app *app, const struct stats_asked *asked)
{
	for (int r = 0; r < REASON_COUNT; r++) {
		enum reason reason = (enum reason)r;

		/* An app at zero must be seen as zero, not as nothing. */
		if (asked->reasons[r] > 0 ||
			(reason == REASON_OK && asked->latency.count > 0)) {
			buf_text(out, "push_vendor_app_records_total{");
			sample_label(out, "vendor", v->name.text);
			sample_label(out, "app", app->name.text);
			sample_label(out, "what", fault_name(reason));
			sample_label(out, "reason", reason_row(reason)->name);
			sample_end(out, asked->reasons[r]);
		}
	}
}

static void put_vendor_apps(const struct stats *s, struct buf *out)
{
	enum { APPS = STATS_APPS_MAX + 1 };
	struct buf labels;

	sample_family(out, "push_vendor_app_records_total", "counter",
		"Records a vendor was asked to deliver, by app: accepted, the "
		"vendor at fault, refused for good.");
	for (size_t i = 0; i < s->vendor_count * APPS; i++) {
		const struct stats_app *app = &s->senders.apps[i % APPS];

		put_vendor_app(out, &s->vendors[i / APPS], app,
			&app->vendors[i / APPS]);
	}
	buf_init(&labels, HEAD_BYTES);
	sample_family(out, "push_vendor_latency_seconds", "histogram",
		"Time from reading a record to the vendor's answer, by app.");
	for (size_t i = 0; i < s->vendor_count * APPS; i++) {
		const struct stats_app *app = &s->senders.apps[i % APPS];
		const struct hist *h = &app->vendors[i / APPS].latency;

		if (h->count > 0) {
			buf_reset(&labels);
			buf_putc(&labels, '{');
			sample_label(&labels, "vendor",
				s->vendors[i / APPS].name.text);
			sample_label(&labels, "app", app->name.text);
			sample_hist(out, "push_vendor_latency_seconds",
				buf_string(&labels) + 1, h);
		}
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
	sample_family(out, "push_sla_limit_seconds", "gauge",
		"How long a node, the queue wait and the whole way may take.");
	for (size_t of = 0; of < SLA_OF_COUNT; of++) {
		for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
			buf_fmt(out, "push_sla_limit_seconds{of=\"%s\",%s} ",
				sla_of_name((enum sla_of)of),
				class_labels(labels, NULL, "", i));
			sample_seconds(out, sla->limits_us[of][i / KIND_COUNT]
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
	sample_family(out, "push_sla_records_total", "counter",
		"Records that were held against a limit.");
	put_held(s, false, &labels, out);
	sample_family(out, "push_sla_late_records_total", "counter",
		"Records that took longer than the limit.");
	put_held(s, true, &labels, out);
	buf_release(&labels);
}

/* What may become of a record that a vendor was asked to deliver. */
static bool is_vendors(const struct reason_row *row)
{
	return (row->outcome == OUTCOME_ACCEPTED ||
		       row->outcome == OUTCOME_FAILED ||
		       row->outcome == OUTCOME_RETRY) &&
	       (row->ack & ACK_WAIT) == 0;
}

static void put_vendors(const struct stats *s, struct buf *out)
{
	sample_family(out, "push_vendor_records_total", "counter",
		"Records a vendor was asked to deliver, by what became of "
		"them.");
	for (size_t i = 0; i < s->vendor_count * REASON_COUNT; i++) {
		const struct stats_vendor *v = &s->vendors[i / REASON_COUNT];
		size_t r = i % REASON_COUNT;
		const struct reason_row *row = reason_row((enum reason)r);

		/* The first of a kind must be seen as a rise from zero. */
		if (v->asked.reasons[r] == 0 && !is_vendors(row)) {
			continue;
		}
		buf_text(out, "push_vendor_records_total{");
		sample_label(out, "vendor", v->name.text);
		sample_label(out, "outcome", outcome_name(row->outcome));
		sample_label(out, "reason", row->name);
		sample_end(out, v->asked.reasons[r]);
	}
	sample_family(out, "push_vendor_answers_total", "counter",
		"Answers of a vendor, in its own words.");
	for (size_t i = 0; i < s->vendor_count; i++) {
		const struct stats_vendor *v = &s->vendors[i];

		for (size_t a = 0; a < v->answer_count; a++) {
			buf_text(out, "push_vendor_answers_total{");
			sample_label(out, "vendor", v->name.text);
			buf_fmt(out, ",status=\"%lld\"",
				(long long)v->answers[a].status);
			sample_label(out, "answer", v->answers[a].text.text);
			sample_end(out, v->answers[a].count);
		}
	}
}

void expose(const struct expose_from *from, struct buf *out)
{
	const struct stats *s = from->stats;

	sample_family(
		out, "push_build_info", "gauge", "The version, as a label.");
	buf_text(out, "push_build_info{");
	sample_label(out, "version", PUSH_VERSION);
	sample_end(out, 1);
	sample_family(out, "push_start_time_seconds", "gauge",
		"When push-stats was started, Unix time.");
	buf_text(out, "push_start_time_seconds ");
	sample_seconds(out, from->started_unix_ms * 1000);
	buf_putc(out, '\n');
	put_outcomes(s, out);
	put_senders(&s->senders, out);
	put_vendors(s, out);
	put_vendor_apps(s, out);
	put_ends(s, out);
	put_latencies(s, out);
	put_sla(s, out);
	if (from->live != NULL) {
		expose_live(from->live, out);
	}
	if (from->depths != NULL) {
		expose_depths(from->depths, out);
	}
}
