/*
 * Adds records up.  Called for every record of the chain, so names are
 * looked for first where they were last time, and nothing is allocated once the
 * histograms have grown to the range of the values.
 */
#include "stats/stats.h"

#include "base/mem.h"

/* Times beyond this (285 years) are nobody's; within it no sum of two or three
 * overflows. */
#define SANE_US (1LL << 53)

/* Makes many records of one task, each with the stamps up to there. */
#define FAN_OUT_NODE "lookup"

/* What is gathered on the way along one trace. */
struct walk {
	int64_t previous_us; /* the `out' of the node before */
	int64_t end_us;      /* the last `out', or the vendor's */
	size_t place;        /* of the node before, plus 1 */
	struct span node;    /* the last, and the one before that */
	struct span node_before;
	bool is_copy; /* these stamps are the task's, and part 0 counts them */
	bool has_answer;
	struct record_stamp vendor; /* node absent: none was met */
};

static bool is_sane(int64_t us)
{
	return us >= -SANE_US && us <= SANE_US;
}

static int64_t clamp(struct stats *s, int64_t us)
{
	if (us < 0) {
		s->clamped++;
		return 0;
	}
	return us;
}

/*
 * The node's place.  A new one is put behind the one before it in this trace,
 * so that nodes end up in the chain's order although records that were decided
 * early do not have them all.
 */
static struct stats_node *node_of(
	struct stats *s, struct span name, struct walk *w)
{
	size_t place = w->place;

	if (place < s->node_count && label_is(&s->nodes[place].name, name)) {
		w->place = place + 1;
		return &s->nodes[place];
	}
	name = label_text(name);
	for (size_t i = 0; i < s->node_count; i++) {
		if (label_is(&s->nodes[i].name, name)) {
			w->place = i + 1;
			return &s->nodes[i];
		}
	}
	if (s->node_count == STATS_NODES_MAX) {
		return NULL;
	}
	memmove(&s->nodes[place + 1], &s->nodes[place],
		(s->node_count - place) * sizeof(*s->nodes));
	s->nodes[place] = (struct stats_node){ 0 };
	label_set(&s->nodes[place].name, name);
	s->node_count++;
	w->place = place + 1;
	return &s->nodes[place];
}

static void take_stamp(struct stats *s, const struct record *r,
	const struct record_stamp *stamp, struct walk *w)
{
	struct stats_node *node;
	struct stats_cell *cell;
	int64_t total;

	if (w->is_copy) {
		w->previous_us = stamp->out_us;
		return;
	}
	node = node_of(s, stamp->node, w);
	if (node == NULL || !is_sane(stamp->in_us) || !is_sane(stamp->out_us)) {
		s->untimed++;
		return;
	}
	cell = &node->cells[r->priority][r->kind];
	hist_add(&cell->wait, clamp(s, stamp->in_us - w->previous_us));
	hist_add(&cell->service, clamp(s, stamp->out_us - stamp->in_us));
	total = clamp(s, stamp->out_us - w->previous_us);
	hist_add(&cell->total, total);
	cell->late += total > s->sla.limits_us[SLA_NODE][r->priority][r->kind];
	if (s->has_backlog) {
		int64_t enter = r->t0_unix_us + w->previous_us;

		backlog_add(&node->backlog, enter, enter + total);
	}
	if (s->has_timelines) {
		timeline_add(
			&node->timeline, r->t0_unix_us + stamp->out_us, total);
	}
	w->previous_us = stamp->out_us;
	if (!w->has_answer) {
		w->end_us = stamp->out_us;
	}
}

/* A vendor is a node that reports an answer, and apns and fcm in any case:
 * a connection that was lost has no answer to report. */
static void look_for_vendor(struct walk *w, const struct record_stamp *stamp)
{
	bool has_answer =
		json_type(json_get(stamp->facts, "status")) == JSON_NUMBER ||
		json_type(json_get(stamp->facts, "answer")) == JSON_TEXT;

	if (has_answer || span_is(stamp->node, "apns") ||
		span_is(stamp->node, "fcm")) {
		if (!is_sane(stamp->in_us) || !is_sane(stamp->out_us)) {
			return; /* counted as untimed already */
		}
		w->vendor = *stamp;
		w->has_answer = has_answer;
		w->end_us = stamp->out_us;
	}
}

static struct stats_vendor *vendor_of(struct stats *s, struct span name)
{
	name = label_text(name);
	for (size_t i = 0; i < s->vendor_count; i++) {
		if (label_is(&s->vendors[i].name, name)) {
			return &s->vendors[i];
		}
	}
	if (s->vendor_count == STATS_VENDORS_MAX) {
		return NULL;
	}
	label_set(&s->vendors[s->vendor_count].name, name);
	return &s->vendors[s->vendor_count++];
}

static void count_answer(
	struct stats_vendor *v, int64_t status, struct span text)
{
	struct stats_answer *a = v->answers;

	text = label_text(text);
	for (; a < v->answers + v->answer_count; a++) {
		if (a->status == status && label_is(&a->text, text)) {
			a->count++;
			return;
		}
	}
	if (v->answer_count == STATS_ANSWERS_MAX) {
		a--; /* the last place is for whatever else comes */
		a->status = 0;
		label_set(&a->text, span_of("other"));
	} else {
		v->answer_count++;
		a->status = status;
		label_set(&a->text, text);
	}
	a->count++;
}

static void ask(struct stats_asked *asked, enum reason reason, int64_t took_us)
{
	asked->reasons[reason]++;
	hist_add(&asked->latency, took_us);
}

/* Counts what the vendor was asked, not what a policy or we ourselves held back
 * at its node. */
static void take_vendor(struct stats *s, const struct record *r,
	const struct walk *w, struct stats_app *app)
{
	struct stats_vendor *v;
	int64_t took_us;
	int64_t status = 0;

	if ((r->outcome != OUTCOME_ACCEPTED && r->outcome != OUTCOME_FAILED &&
		    r->outcome != OUTCOME_RETRY) ||
		(reason_row(r->reason)->ack & ACK_WAIT) != 0) {
		return;
	}
	v = vendor_of(s, w->vendor.node);
	if (v == NULL) {
		return;
	}
	took_us = w->vendor.out_us > w->vendor.in_us
			  ? w->vendor.out_us - w->vendor.in_us
			  : 0;
	ask(&v->asked, r->reason, took_us);
	if (app != NULL) {
		ask(&app->vendors[v - s->vendors], r->reason, took_us);
	}
	if (json_int(json_get(w->vendor.facts, "status"), &status) != 0) {
		status = 0;
	}
	if (w->has_answer) {
		count_answer(v, status,
			json_text(json_get(w->vendor.facts, "answer")));
	}
}

struct stats *stats_new(bool has_backlog)
{
	struct stats *s = mem_array(1, sizeof(*s));

	s->has_backlog = has_backlog;
	sla_defaults(&s->sla);
	senders_init(&s->senders);
	return s;
}

void stats_cell_release(struct stats_cell *cell)
{
	hist_release(&cell->wait);
	hist_release(&cell->service);
	hist_release(&cell->total);
}

void stats_free(struct stats *s)
{
	if (s == NULL) {
		return;
	}
	for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
		size_t p = i / KIND_COUNT;
		size_t k = i % KIND_COUNT;

		hist_release(&s->queue_wait[p][k]);
		for (size_t o = 0; o < OUTCOME_COUNT; o++) {
			hist_release(&s->end_to_end[p][k][o]);
		}
		for (size_t n = 0; n < s->node_count; n++) {
			stats_cell_release(&s->nodes[n].cells[p][k]);
		}
	}
	for (size_t n = 0; n < s->node_count; n++) {
		backlog_release(&s->nodes[n].backlog);
		timeline_release(&s->nodes[n].timeline);
	}
	for (size_t v = 0; v < s->vendor_count; v++) {
		hist_release(&s->vendors[v].asked.latency);
	}
	timeline_release(&s->delivered);
	senders_release(&s->senders);
	mem_free(s);
}

/* Stamps before the fan-out are the task's; its part 0 counts them. */
static bool is_copy(const struct record *r)
{
	return r->part_n > 0 && record_passed(r, FAN_OUT_NODE);
}

/* Queue wait and end-to-end time. */
static void take_ends(struct stats *s, const struct record *r,
	const struct walk *w, bool has_stamps)
{
	const struct sla *sla = &s->sla;
	enum priority p = r->priority;
	enum kind k = r->kind;
	int64_t begin_us = 0;

	if (r->created_unix_ms > 0 && r->created_unix_ms <= SANE_US / 1000) {
		begin_us = r->created_unix_ms * 1000 - r->t0_unix_us;
		if (!is_copy(r)) {
			int64_t wait_us = clamp(s, -begin_us);

			hist_add(&s->queue_wait[p][k], wait_us);
			s->queue_late[p][k] +=
				wait_us > sla->limits_us[SLA_QUEUE_WAIT][p][k];
		}
	}
	if (has_stamps) {
		int64_t total_us = clamp(s, w->end_us - begin_us);

		hist_add(&s->end_to_end[p][k][r->outcome], total_us);
		if (r->outcome == OUTCOME_ACCEPTED ||
			r->outcome == OUTCOME_FAILED) {
			s->delivery[p][k].records++;
			s->delivery[p][k].late +=
				total_us > sla->limits_us[SLA_END_TO_END][p][k];
			if (s->has_timelines) {
				timeline_add(&s->delivered,
					r->t0_unix_us + w->end_us, total_us);
			}
		}
	}
}

/* The node that decided it is the last one before push-ack. */
static void take_failure(
	struct stats *s, const struct record *r, const struct walk *w)
{
	if (r->outcome != OUTCOME_FAILED && r->outcome != OUTCOME_REJECTED &&
		r->outcome != OUTCOME_RETRY) {
		return;
	}
	recent_add(&s->recent, r,
		span_is(w->node, "ack") ? w->node_before : w->node,
		r->t0_unix_us + w->end_us);
}

void stats_take(struct stats *s, const struct record *r)
{
	struct json_iter it = json_iter(r->trace);
	struct record_stamp stamp;
	struct walk w = { 0 };
	struct stats_app *app;
	size_t stamps = 0;

	if (r->outcome != OUTCOME_UNDECIDED && !r->was_decided) {
		s->unreadable++;
		return;
	}
	s->records++;
	s->decided[r->outcome][r->reason]++;
	s->redelivered += r->attempt > 1;
	app = senders_take(&s->senders, r);
	if (r->trace == NULL) {
		return;
	}
	if (r->t0_unix_us <= 0 || r->t0_unix_us > SANE_US) {
		s->untimed++;
		return;
	}
	w.is_copy = is_copy(r);
	while (record_stamp_next(&it, &stamp)) {
		w.is_copy = w.is_copy && !span_is(stamp.node, FAN_OUT_NODE);
		take_stamp(s, r, &stamp, &w);
		look_for_vendor(&w, &stamp);
		w.node_before = w.node;
		w.node = stamp.node;
		stamps++;
	}
	if (w.vendor.node.ptr != NULL) {
		take_vendor(s, r, &w, app);
	}
	take_ends(s, r, &w, stamps > 0);
	take_failure(s, r, &w);
}

struct stats_cell stats_node_sum(const struct stats_node *node)
{
	struct stats_cell sum = { 0 };

	for (size_t i = 0; i < PRIORITY_COUNT * KIND_COUNT; i++) {
		const struct stats_cell *cell =
			&node->cells[i / KIND_COUNT][i % KIND_COUNT];

		hist_merge(&sum.wait, &cell->wait);
		hist_merge(&sum.service, &cell->service);
		hist_merge(&sum.total, &cell->total);
		sum.late += cell->late;
	}
	return sum;
}
