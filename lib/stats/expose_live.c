/* What programs and Redis say now, as metrics. */
#include "stats/expose.h"
#include "stats/sample.h"

static void put_live(const struct live *live, struct buf *out)
{
	sample_family(out, "push_backlog_records", "gauge",
		"Records now before a node (pipe) and in it (inside).");
	for (size_t i = 0; i < live_count(live); i++) {
		struct live_now now = live_now(live, i);

		if (now.has_pipe) {
			buf_text(out, "push_backlog_records{");
			sample_label(out, "node", live_at(live, i)->name);
			sample_label(out, "place", "pipe");
			sample_end(out, now.pipe);
		}
		if (now.processes > 0) {
			buf_text(out, "push_backlog_records{");
			sample_label(out, "node", live_at(live, i)->name);
			sample_label(out, "place", "inside");
			sample_end(out, now.inside);
		}
	}
	sample_family(out, "push_node_processes", "gauge",
		"Programs that reported within the last seconds.");
	for (size_t i = 0; i < live_count(live); i++) {
		buf_text(out, "push_node_processes{");
		sample_label(out, "node", live_at(live, i)->name);
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

		sample_family(
			out, families[t].name, "counter", families[t].help);
		for (size_t i = 0; i < live_count(live); i++) {
			buf_fmt(out, "%s{", families[t].name);
			sample_label(out, "node", live_at(live, i)->name);
			sample_end(out, live_at(live, i)->totals[t]);
		}
	}
}

static void put_fact_family(const struct fact *fact, struct buf *out)
{
	if (fact->help != NULL) {
		sample_family(out, fact->metric,
			fact->sort == FACT_TOTAL ? "counter" : "gauge",
			fact->help);
	}
}

static void put_facts(const struct live *live, struct buf *out)
{
	for (size_t f = 0; node_facts[f].name != NULL; f++) {
		const struct fact *fact = &node_facts[f];

		put_fact_family(fact, out);
		for (size_t i = 0; i < live_count(live); i++) {
			int64_t n =
				fact->sort == FACT_TOTAL
					? (int64_t)live_at(live, i)->facts[f]
					: live_gauge(live, i, f);

			if (!live_at(live, i)->has_fact[f] || n < 0) {
				continue;
			}
			buf_fmt(out, "%s{", fact->metric);
			sample_label(out, "node", live_at(live, i)->name);
			if (fact->label != NULL) {
				sample_label(out, "what", fact->label);
			}
			sample_end(out, (uint64_t)n);
		}
	}
}

/* One credential's sample, unless nobody has told it. */
static void put_credential(struct buf *out, const char *node,
	const struct credential *c, size_t fact)
{
	if (c->values[fact] >= 0) {
		buf_fmt(out, "%s{", credential_facts[fact].metric);
		sample_label(out, "node", node);
		sample_label(out, "app", c->app.text);
		sample_end(out, (uint64_t)c->values[fact]);
	}
}

static void put_credentials(const struct live *live, struct buf *out)
{
	struct credential_list lists[LIVE_NODES_MAX] = { { 0 } };

	for (size_t i = 0; i < live_count(live); i++) {
		lists[i] = live_credentials(live, i);
	}
	for (size_t f = 0; credential_facts[f].name != NULL; f++) {
		put_fact_family(&credential_facts[f], out);
		for (size_t i = 0; i < live_count(live); i++) {
			for (size_t n = 0; n < lists[i].count; n++) {
				put_credential(out, live_at(live, i)->name,
					&lists[i].items[n], f);
			}
		}
	}
	for (size_t i = 0; i < live_count(live); i++) {
		credential_list_release(&lists[i]);
	}
}

static void put_rules(const struct live *live, struct buf *out)
{
	sample_family(out, "push_risk_rule_records_total", "counter",
		"Records that met a rule of push-risk.");
	for (size_t i = 0; i < live_count(live); i++) {
		const struct live_node *node = live_at(live, i);

		for (size_t n = 0; n < node->rules.count; n++) {
			buf_text(out, "push_risk_rule_records_total{");
			sample_label(out, "node", node->name);
			sample_label(
				out, "rule", node->rules.items[n].name.text);
			sample_end(out, node->rules.items[n].count);
		}
	}
}

static void put_outcomes(const struct live *live, struct buf *out)
{
	sample_family(out, "push_node_outcomes_total", "counter",
		"Records a node has decided.");
	for (size_t i = 0; i < live_count(live); i++) {
		const struct live_node *node = live_at(live, i);

		for (size_t o = OUTCOME_UNDECIDED + 1; o < OUTCOME_COUNT; o++) {
			if (node->outcomes[o] > 0) {
				buf_text(out, "push_node_outcomes_total{");
				sample_label(out, "node", node->name);
				sample_label(out, "outcome",
					outcome_name((enum outcome)o));
				sample_end(out, node->outcomes[o]);
			}
		}
	}
	sample_family(out, "push_bad_datagrams_total", "counter",
		"Reports that were none.");
	sample_plain(out, "push_bad_datagrams_total", live_bad(live));
}

void expose_depths(const struct depths *depths, struct buf *out)
{
	sample_family(out, "push_queue_up", "gauge",
		"Whether Redis has told the queues' depth.");
	sample_plain(out, "push_queue_up", depths->is_known);
	sample_family(out, "push_queue_records", "gauge",
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
			sample_label(out, "queue", d->queue);
			sample_label(out, "state", states[n].state);
			sample_end(out, (uint64_t)states[n].n);
		}
	}
	sample_family(out, "push_queue_oldest_age_seconds", "gauge",
		"Age of the next ready task and of the longest overdue one.");
	for (size_t i = 0; i < 2 * depths->count; i++) {
		const struct depth *d = &depths->items[i / 2];

		buf_text(out, "push_queue_oldest_age_seconds{");
		sample_label(out, "queue", d->queue);
		sample_label(out, "state", i % 2 == 0 ? "ready" : "overdue");
		buf_text(out, "} ");
		sample_seconds(out,
			(i % 2 == 0 ? d->oldest_age_ms : d->overdue_age_ms) *
				1000);
		buf_putc(out, '\n');
	}
}

void expose_live(const struct live *live, struct buf *out)
{
	put_live(live, out);
	put_facts(live, out);
	put_credentials(live, out);
	put_rules(live, out);
	put_outcomes(live, out);
}
