/*
 * The program that gnuplot runs: the numbers as blocks of data, then three
 * panels.  Source: gnuplot 5.4 manual, "datablocks", "set xtics time",
 * "terminal svg", "terminal pngcairo", read 2026-11.
 */
#include "stats/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stats/gnuplot.h"

enum {
	SCRIPT_MAX_BYTES = 16 * 1024 * 1024,
	FILE_NAME_MAX_BYTES = 4096,
	POINTS = 300, /* of a backlog over time */
	US_PER_S = 1000000,
	SHORTEST_US = 1000, /* that an axis can show */
	SHORT_S = 20,       /* with milliseconds at the time axis */
	LONG_S = 2 * 86400, /* with the day */
};

static bool ends_in(const char *path, const char *ending)
{
	size_t len = strlen(path);
	size_t n = strlen(ending);

	return len > n && strcmp(path + len - n, ending) == 0;
}

/* --- the program --- */

/* In single quotes, where only these themselves are special. */
static void put_quoted(struct buf *out, const char *text)
{
	buf_putc(out, '\'');
	for (; *text != '\0'; text++) {
		buf_put(out, text, 1);
		if (*text == '\'') {
			buf_putc(out, '\'');
		}
	}
	buf_putc(out, '\'');
}

/* In double quotes, as a datum. */
static void put_datum(struct buf *out, const char *text)
{
	buf_putc(out, '"');
	for (; *text != '\0'; text++) {
		buf_put(out, *text == '"' || *text == '\\' ? "'" : text, 1);
	}
	buf_putc(out, '"');
}

/* What a logarithmic axis must hold. */
struct range {
	int64_t least_us;
	int64_t most_us;
};

static void put_us_as_ms(struct buf *out, struct range *range, int64_t us)
{
	us = us > 1 ? us : 1; /* there is no 0 on that axis */
	range->least_us = us < range->least_us ? us : range->least_us;
	range->most_us = us > range->most_us ? us : range->most_us;
	buf_fmt(out, " %.3f", (double)us / 1e3);
}

static void put_us_as_s(struct buf *out, int64_t us)
{
	buf_fmt(out, "%lld.%06lld", (long long)(us / US_PER_S),
		(long long)(us % US_PER_S));
}

static void put_nodes(
	const struct stats *s, struct range *range, struct buf *out)
{
	buf_text(out, "$nodes << END\n");
	for (size_t i = 0; i < s->node_count; i++) {
		struct stats_cell sum = stats_node_sum(&s->nodes[i]);

		put_datum(out, s->nodes[i].name.text);
		put_us_as_ms(out, range, hist_quantile_us(&sum.total, 500));
		put_us_as_ms(out, range, hist_quantile_us(&sum.total, 950));
		put_us_as_ms(out, range, hist_quantile_us(&sum.total, 990));
		buf_putc(out, '\n');
		stats_cell_release(&sum);
	}
	buf_text(out, "END\n");
}

/* Time in the middle of each slice that has something, and its p99. */
static void put_timeline(const struct timeline *t, size_t number,
	struct range *range, struct buf *out)
{
	buf_fmt(out, "$time%zu << END\n", number);
	for (int64_t i = t->low; t->slices != NULL && i <= t->high; i++) {
		const struct hist *h = timeline_at(t, i);

		if (h->count > 0) {
			put_us_as_s(out,
				(i << t->shift) + ((int64_t)1 << t->shift) / 2);
			put_us_as_ms(out, range, hist_quantile_us(h, 990));
			buf_putc(out, '\n');
		}
	}
	buf_text(out, "END\n");
}

/* Whole decades around the range. */
static void put_range(const struct range *range, struct buf *out)
{
	int64_t low = 1;
	int64_t high;

	while (low * 10 <= range->least_us) {
		low *= 10;
	}
	for (high = low * 10; high < range->most_us; high *= 10) {
	}
	buf_fmt(out, "set yrange [%.3f:%.3f]\n", (double)low / 1e3,
		(double)high / 1e3);
}

/* What the captured time is: that of all nodes together. */
struct period {
	int64_t from_unix_us;
	int64_t to_unix_us;
};

static struct period period_of(const struct stats *s)
{
	struct period all = { INT64_MAX, 0 };

	for (size_t i = 0; i < s->node_count; i++) {
		const struct backlog *b = &s->nodes[i].backlog;

		if (b->changes != NULL && b->from_unix_us < all.from_unix_us) {
			all.from_unix_us = b->from_unix_us;
		}
		if (b->changes != NULL && b->to_unix_us > all.to_unix_us) {
			all.to_unix_us = b->to_unix_us;
		}
	}
	if (all.to_unix_us < all.from_unix_us + SHORTEST_US) {
		all.to_unix_us = all.from_unix_us + SHORTEST_US;
	}
	return all;
}

static void put_backlog(const struct backlog *b, const struct period *all,
	size_t number, struct buf *out)
{
	int64_t slice_us = (all->to_unix_us - all->from_unix_us) / POINTS + 1;
	int64_t most[POINTS];

	backlog_series(b, all->from_unix_us, slice_us, POINTS, most);
	buf_fmt(out, "$backlog%zu << END\n", number);
	for (int i = 0; i < POINTS; i++) {
		put_us_as_s(out, all->from_unix_us + i * slice_us);
		buf_fmt(out, " %lld\n", (long long)most[i]);
	}
	buf_text(out, "END\n");
}

/* Written to `fresh', in the form that `path' asks for. */
static void put_head(const char *path, const char *fresh, struct buf *out)
{
	static const char *const colours[] = { "#0072b2", "#e69f00", "#009e73",
		"#cc79a7", "#56b4e9", "#d55e00", "#7f7f00", "#8c564b",
		"#6a3d9a", "#1b9e77", "#e7298a", "#66a61e" };

	buf_fmt(out,
		"set terminal %s size 1200,1150 background '#ffffff' "
		"font 'sans,%d'\n",
		ends_in(path, ".svg") ? "svg" : "pngcairo",
		ends_in(path, ".svg") ? 13 : 10);
	buf_text(out, "set encoding utf8\nset output ");
	put_quoted(out, fresh);
	buf_putc(out, '\n');
	for (size_t i = 0; i < sizeof(colours) / sizeof(*colours); i++) {
		buf_fmt(out,
			"set linetype %zu lc rgb '%s' lw 1.5 pt 7 ps 0.35\n",
			i + 1, colours[i]);
	}
	buf_fmt(out, "set linetype cycle %zu\n",
		sizeof(colours) / sizeof(*colours));
	buf_text(out,
		"set border 3 lc rgb '#667085'\nset tics nomirror textcolor rgb '#1d2330'\n"
		"set grid ytics lc rgb '#dde1e8' lt 1 lw 0.7\n"
		"set key outside right top Left reverse noenhanced width 1\n"
		"set rmargin 22\nset lmargin 12\nset bmargin 3\n"
		"set title offset 0,-0.4\n");
}

/* The lines of one panel: one a node. */
static void put_lines(const struct stats *s, const char *block,
	const char *style, struct buf *out)
{
	for (size_t i = 0; i < s->node_count; i++) {
		buf_fmt(out, "%s$%s%zu using 1:2 with %s lt %zu title ",
			i > 0 ? ", " : "plot ", block, i, style, i + 1);
		put_quoted(out, s->nodes[i].name.text);
	}
}

/* How many records, and from when: of one file among many. */
static void put_title(
	const struct stats *s, const struct period *all, struct buf *out)
{
	time_t from = (time_t)(all->from_unix_us / US_PER_S);
	struct tm day;

	buf_fmt(out, "set multiplot layout 3,1 title '%llu records",
		(unsigned long long)s->records);
	if (gmtime_r(&from, &day) != NULL) {
		buf_fmt(out, ", %04d-%02d-%02d", day.tm_year + 1900,
			day.tm_mon + 1, day.tm_mday);
	}
	buf_text(out, "'");
}

static void put_panels(const struct stats *s, const struct period *all,
	const struct range ranges[2], struct buf *out)
{
	int64_t seconds = (all->to_unix_us - all->from_unix_us) / US_PER_S;

	put_title(s, all, out);
	buf_putc(out, '\n');
	put_range(&ranges[0], out);
	buf_text(out,
		"set logscale y\nset ytics ("
		"'1 µs' 0.001, '10 µs' 0.01, '100 µs' 0.1, '1 ms' 1, "
		"'10 ms' 10, '100 ms' 100, '1 s' 1e3, '10 s' 1e4, '100 s' 1e5, "
		"'1000 s' 1e6)\n"
		"set style data histogram\nset style histogram clustered gap 1\n"
		"set style fill solid 0.9 noborder\nset xtics noenhanced\n"
		"set title 'Latency by node: wait in the pipe and service'\n"
		"plot $nodes using 2:xtic(1) lc rgb '#9ecae1' title 'p50', "
		"'' using 3 lc rgb '#4292c6' title 'p95', "
		"'' using 4 lc rgb '#084594' title 'p99'\n");
	buf_fmt(out, "set xtics time format '%s' autofreq\nset xrange [",
		seconds < SHORT_S   ? "%H:%M:%.3S"
		: seconds >= LONG_S ? "%m-%d %H:%M"
				    : "%H:%M:%S");
	put_us_as_s(out, all->from_unix_us);
	buf_putc(out, ':');
	put_us_as_s(out, all->to_unix_us + 1);
	buf_text(out, "]\nset xlabel 'UTC' offset 0,0.5\n"
		      "set title 'Latency over time, p99'\n");
	put_range(&ranges[1], out);
	put_lines(s, "time", "linespoints", out);
	if (s->delivered.slices != NULL) {
		buf_fmt(out,
			", $time%zu using 1:2 with linespoints lc rgb "
			"'#000000' lw 2 dt 2 pt 7 ps 0.35 title 'end to end'",
			s->node_count);
	}
	buf_text(out,
		"\nunset logscale y\nset yrange [0:1<*]\nset ytics autofreq\n"
		"set format y '%.0f'\n"
		"set title 'Backlog over time: records in the pipe before a node and inside'\n");
	put_lines(s, "backlog", "steps", out);
	buf_text(out, "\nunset multiplot\nunset output\n");
}

static void put_script(const struct stats *s, const char *path,
	const char *fresh, struct buf *out)
{
	const struct period all = period_of(s);
	struct range ranges[2] = { { INT64_MAX, 1 }, { INT64_MAX, 1 } };

	put_head(path, fresh, out);
	put_nodes(s, &ranges[0], out);
	for (size_t i = 0; i < s->node_count; i++) {
		put_timeline(&s->nodes[i].timeline, i, &ranges[1], out);
		put_backlog(&s->nodes[i].backlog, &all, i, out);
	}
	put_timeline(&s->delivered, s->node_count, &ranges[1], out);
	put_panels(s, &all, ranges, out);
}

/* --- the file --- */

int plot_check(const char *path, struct err *err)
{
	if (!ends_in(path, ".svg") && !ends_in(path, ".png")) {
		return err_usage(err, 0,
			"--plot wants a file that ends in .svg or .png, not "
			"'%s'",
			path);
	}
	return gnuplot_check(err);
}

/* Or gnuplot would go on without a file, and write to its standard output. */
static int make_file(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0) {
		return err_set(err, errno, "cannot write '%s'", path);
	}
	(void)close(fd); /* nothing was written */
	return 0;
}

int plot_draw(const struct stats *stats, const char *path, struct err *err)
{
	char fresh[FILE_NAME_MAX_BYTES];
	struct buf script;
	int result = -1;

	if (stats->node_count == 0) {
		return err_usage(
			err, 0, "no record has stamps: nothing to draw");
	}
	if (fmt_into(fresh, sizeof(fresh), "%s.new", path) != 0) {
		return err_usage(err, 0, "the name of '%s' is too long", path);
	}
	if (make_file(fresh, err) != 0) {
		return -1;
	}
	buf_init(&script, SCRIPT_MAX_BYTES);
	put_script(stats, path, fresh, &script);
	if (buf_is_over(&script)) {
		BUG("a plot of %zu nodes is too long", stats->node_count);
	}
	if (gnuplot_run(&script, err) == 0) {
		result = rename(fresh, path) == 0
				 ? 0
				 : err_set(err, errno, "cannot write '%s'",
					   path);
	}
	if (result != 0) {
		(void)unlink(fresh); /* it is of no use */
	}
	buf_release(&script);
	return result;
}
