/* What is stopped, as people read it. */
#include "store/stops.h"

#include <time.h>

#include "record/json.h"

enum { MS_PER_S = 1000, TIME_BYTES = 32 };

void stops_put_json(const struct stops *stops, struct buf *out)
{
	for (size_t i = 0; i < stops->count; i++) {
		const struct stop *s = &stops->items[i];

		buf_putc(out, '{');
		json_put_name(out, "kind");
		json_put_span(out, span_of(stop_kind_name(s->kind)));
		json_put_name(out, "name");
		json_put_span(out, s->name);
		if (s->since_unix_ms > 0) {
			json_put_name(out, "since_ms");
			buf_i64(out, s->since_unix_ms);
		}
		if (s->note.len > 0) {
			json_put_name(out, "note");
			json_put_span(out, s->note);
		}
		buf_text(out, "}\n");
	}
}

static void put_time(struct buf *out, int64_t unix_ms)
{
	time_t s = (time_t)(unix_ms / MS_PER_S);
	char text[TIME_BYTES];
	struct tm tm;

	if (unix_ms <= 0 || gmtime_r(&s, &tm) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
		buf_fmt(out, "%-20s", "-");
	} else {
		buf_fmt(out, "%-20s", text);
	}
}

void stops_put_table(const struct stops *stops, struct buf *out)
{
	buf_fmt(out, "%-8s %-20s %-30s %s\n", "KIND", "SINCE", "NAME", "NOTE");
	for (size_t i = 0; i < stops->count; i++) {
		const struct stop *s = &stops->items[i];

		buf_fmt(out, "%-8s ", stop_kind_name(s->kind));
		put_time(out, s->since_unix_ms);
		buf_fmt(out, " %-30.*s %.*s\n", (int)s->name.len, s->name.ptr,
			(int)s->note.len, s->note.len == 0 ? "" : s->note.ptr);
	}
}
