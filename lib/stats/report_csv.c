/* The numbers as rows for a spreadsheet: RFC 4180, lines end with a newline. */
#include "stats/report.h"

/* Quoted where the format asks for it. */
static void put_text(struct buf *out, const char *text)
{
	if (strpbrk(text, ",\"\r\n") == NULL) {
		buf_text(out, text);
		return;
	}
	buf_putc(out, '"');
	for (; *text != '\0'; text++) {
		buf_text(out, *text == '"' ? "\"" : "");
		buf_putc(out, *text);
	}
	buf_putc(out, '"');
}

struct row {
	const char *what;
	const char *node;
	const char *outcome;
	size_t class;
};

static void put_row(
	struct buf *out, const struct row *row, const struct hist *h)
{
	static const unsigned per_mille[] = { 500, 900, 950, 990, 999 };

	if (h->count == 0) {
		return;
	}
	buf_text(out, row->what);
	buf_putc(out, ',');
	put_text(out, row->node);
	buf_fmt(out, ",%s,%s,%s,%llu,%.3f,%lld",
		priority_name((enum priority)(row->class / KIND_COUNT)),
		kind_name((enum kind)(row->class % KIND_COUNT)), row->outcome,
		(unsigned long long)h->count, hist_mean_us(h),
		(long long)h->min_us);
	for (size_t i = 0; i < sizeof(per_mille) / sizeof(*per_mille); i++) {
		buf_putc(out, ',');
		buf_i64(out, hist_quantile_us(h, per_mille[i]));
	}
	buf_fmt(out, ",%lld\n", (long long)h->max_us);
}

void report_csv(const struct stats *s, struct buf *out)
{
	enum { CLASSES = PRIORITY_COUNT * KIND_COUNT };

	buf_text(out, "what,node,priority,kind,outcome,records,mean_us,min_us,"
		      "p50_us,p90_us,p95_us,p99_us,p999_us,max_us\n");
	for (size_t i = 0; i < s->node_count * CLASSES; i++) {
		const struct stats_node *node = &s->nodes[i / CLASSES];
		size_t class = i % CLASSES;
		const struct stats_cell *cell =
			&node->cells[class / KIND_COUNT][class % KIND_COUNT];
		struct row row = { "wait", node->name.text, "", class };

		put_row(out, &row, &cell->wait);
		row.what = "service";
		put_row(out, &row, &cell->service);
		row.what = "latency";
		put_row(out, &row, &cell->total);
	}
	for (size_t class = 0; class < CLASSES; class ++) {
		size_t p = class / KIND_COUNT;
		size_t k = class % KIND_COUNT;
		struct row row = { "queue-wait", "", "", class };

		put_row(out, &row, &s->queue_wait[p][k]);
		row.what = "end-to-end";
		for (size_t o = 0; o < OUTCOME_COUNT; o++) {
			row.outcome = outcome_name((enum outcome)o);
			put_row(out, &row, &s->end_to_end[p][k][o]);
		}
	}
}
