/* Families, labels and samples of the text format. */
#include "stats/sample.h"

/* Seconds with all six digits of a microsecond count. */
void sample_seconds(struct buf *out, int64_t us)
{
	buf_fmt(out, "%lld.%06lld", (long long)(us / 1000000),
		(long long)(us % 1000000));
}

/* A label's value: the three characters the format asks to escape. */
void sample_label(struct buf *out, const char *name, const char *value)
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

void sample_family(
	struct buf *out, const char *name, const char *type, const char *help)
{
	buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void sample_end(struct buf *out, uint64_t n)
{
	buf_text(out, "} ");
	buf_u64(out, n);
	buf_putc(out, '\n');
}

void sample_plain(struct buf *out, const char *name, uint64_t n)
{
	buf_text(out, name);
	buf_putc(out, ' ');
	buf_u64(out, n);
	buf_putc(out, '\n');
}

/* The samples of one histogram; `labels' is what they have in common. */
void sample_hist(struct buf *out, const char *name, const char *labels,
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
	sample_seconds(out, h->sum_us);
	buf_fmt(out, "\n%s_count{%s", name, labels);
	sample_end(out, h->count);
}
