/* Rings of seconds, one for all records and one a node and a vendor. */
#include "stats/history.h"

#include "base/mem.h"
#include "record/json.h"

enum { TRACKS_MAX = 1 + STATS_NODES_MAX + STATS_VENDORS_MAX };

enum track_kind { TRACK_ALL, TRACK_NODE, TRACK_VENDOR };

/* What a second brought; the meaning of `extra' is the kind's. */
struct second {
	uint32_t records;
	uint32_t extra; /* all, vendor: accepted; node: backlog */
	uint32_t p99_us;
};

struct track {
	enum track_kind kind;
	struct stats_label name;
	/* As they were at the last tick. */
	uint64_t records;
	uint64_t accepted;
	uint64_t within[HIST_LIMIT_COUNT + 1];
	struct second seconds[HISTORY_S];
};

struct history {
	uint64_t ticks;
	struct track tracks[TRACKS_MAX];
	size_t count;
};

struct history *history_new(void)
{
	return mem_array(1, sizeof(struct history));
}

void history_free(struct history *h)
{
	mem_free(h);
}

static struct track *track_of(
	struct history *h, enum track_kind kind, struct span name)
{
	struct track *t = h->tracks;

	for (; t < h->tracks + h->count; t++) {
		if (t->kind == kind && label_is(&t->name, name)) {
			return t;
		}
	}
	if (h->count == TRACKS_MAX) {
		BUG("more names than %d", TRACKS_MAX);
	}
	h->count++;
	t->kind = kind;
	label_set(&t->name, name);
	return t;
}

static uint32_t cut(uint64_t n)
{
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* The difference to the last tick, which becomes this one. */
static uint32_t advance(uint64_t *last, uint64_t now)
{
	uint64_t before = *last;

	*last = now;
	return cut(now > before ? now - before : 0);
}

/* The 99th percentile of what came since the last tick, between the limits
 * of its bucket in proportion; 0: nothing came. */
static uint32_t advance_p99(
	uint64_t last[HIST_LIMIT_COUNT + 1], const struct hist *h)
{
	uint64_t fresh[HIST_LIMIT_COUNT + 1];
	uint64_t count = 0;
	uint64_t below = 0;

	for (size_t i = 0; i <= HIST_LIMIT_COUNT; i++) {
		fresh[i] = h->within[i] - last[i];
		last[i] = h->within[i];
		count += fresh[i];
	}
	for (size_t i = 0; i < HIST_LIMIT_COUNT && count > 0; i++) {
		double rank = 0.99 * (double)count - (double)below;
		double low = i > 0 ? (double)hist_limit_us(i - 1) : 0;
		double high = (double)hist_limit_us(i);

		if (rank <= (double)fresh[i]) {
			return (uint32_t)(low + (high - low) * rank /
							(double)fresh[i]);
		}
		below += fresh[i];
	}
	return count > 0 ? cut((uint64_t)hist_limit_us(HIST_LIMIT_COUNT - 1))
			 : 0;
}

static uint32_t backlog_of(const struct live *live, const char *node)
{
	for (size_t i = 0; live != NULL && i < live_count(live); i++) {
		if (strcmp(live_at(live, i)->name, node) == 0) {
			struct live_now now = live_now(live, i);

			return cut(now.pipe + now.inside);
		}
	}
	return 0;
}

void history_tick(
	struct history *h, const struct stats *s, const struct live *live)
{
	size_t slot = h->ticks % HISTORY_S;
	struct track *t = track_of(h, TRACK_ALL, span_of(""));
	uint64_t accepted = s->decided[OUTCOME_ACCEPTED][REASON_OK];

	t->seconds[slot].records = advance(&t->records, s->records);
	t->seconds[slot].extra = advance(&t->accepted, accepted);
	for (size_t i = 0; i < s->node_count; i++) {
		const char *name = s->nodes[i].name.text;
		struct stats_cell sum = stats_node_sum(&s->nodes[i]);

		t = track_of(h, TRACK_NODE, span_of(name));
		t->seconds[slot] = (struct second){
			.records = advance(&t->records, sum.total.count),
			.p99_us = advance_p99(t->within, &sum.total),
			.extra = backlog_of(live, name),
		};
		stats_cell_release(&sum);
	}
	for (size_t i = 0; i < s->vendor_count; i++) {
		struct stats_success sum = asked_success(&s->vendors[i].asked);

		t = track_of(h, TRACK_VENDOR, span_of(s->vendors[i].name.text));
		t->seconds[slot] = (struct second){
			.records = advance(&t->records, sum.records),
			.p99_us = advance_p99(
				t->within, &s->vendors[i].asked.latency),
			.extra = advance(&t->accepted, sum.accepted),
		};
	}
	h->ticks++;
}

/* One member of each second, oldest first. */
static void put_series(const struct history *h, const struct track *t,
	const char *name, size_t offset, struct buf *out)
{
	uint64_t first = h->ticks > HISTORY_S ? h->ticks - HISTORY_S : 0;

	json_put_name(out, name);
	buf_putc(out, '[');
	for (uint64_t i = first; i < h->ticks; i++) {
		const struct second *second = &t->seconds[i % HISTORY_S];

		buf_text(out, i > first ? "," : "");
		buf_u64(out,
			*(const uint32_t *)(const void *)((const char *)second +
							  offset));
	}
	buf_putc(out, ']');
}

static void put_track(
	const struct history *h, const struct track *t, struct buf *out)
{
	put_series(h, t, "records", offsetof(struct second, records), out);
	put_series(h, t, t->kind == TRACK_NODE ? "backlog" : "accepted",
		offsetof(struct second, extra), out);
	if (t->kind != TRACK_ALL) {
		put_series(
			h, t, "p99_us", offsetof(struct second, p99_us), out);
	}
}

static void put_tracks(const struct history *h, enum track_kind kind,
	const char *list, const char *name, struct buf *out)
{
	bool is_first = true;

	json_put_name(out, list);
	buf_putc(out, '[');
	for (size_t i = 0; i < h->count; i++) {
		if (h->tracks[i].kind == kind) {
			buf_text(out, is_first ? "{" : ",{");
			is_first = false;
			json_put_name(out, name);
			json_put_text(out, h->tracks[i].name.text,
				h->tracks[i].name.len);
			put_track(h, &h->tracks[i], out);
			buf_putc(out, '}');
		}
	}
	buf_putc(out, ']');
}

void history_json(const struct history *h, struct buf *out)
{
	buf_text(out, "{\"all\":{");
	if (h->count > 0) {
		put_track(h, &h->tracks[0], out);
	}
	buf_putc(out, '}');
	put_tracks(h, TRACK_NODE, "nodes", "node", out);
	put_tracks(h, TRACK_VENDOR, "vendors", "vendor", out);
	buf_putc(out, '}');
}
