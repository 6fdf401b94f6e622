/* What is stopped, as people say and read it. */
#include "store/stops.h"

#include <time.h>

#include "base/clock.h"
#include "record/json.h"

enum { MS_PER_S = 1000, TIME_BYTES = 32 };

static void put_json(const struct stops *stops, struct buf *out)
{
	for (size_t i = 0; i < stops->count; i++) {
		const struct stop *s = &stops->items[i];

		buf_putc(out, '{');
		json_put_member(out, "kind", span_of(stop_kind_name(s->kind)));
		json_put_member(out, "name", s->name);
		if (s->since_unix_ms > 0) {
			json_put_int(out, "since_ms", s->since_unix_ms);
		}
		if (s->note.len > 0) {
			json_put_member(out, "note", s->note);
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

static void put_table(const struct stops *stops, struct buf *out)
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

int stops_show(struct redis *r, bool is_json, struct buf *out, struct err *err)
{
	struct stops stops = { 0 };

	if (stops_list(r, &stops, err) != 0) {
		return -1;
	}
	if (is_json) {
		put_json(&stops, out);
	} else {
		put_table(&stops, out);
	}
	stops_release(&stops);
	return 0;
}

int stops_say(struct redis *r, const struct stops_words *words, struct buf *out,
	struct err *err)
{
	struct stop stop = { .since_unix_ms = clock_unix_ms(),
		.name = span_of(words->name),
		.note = span_of(words->note) };
	bool was_there = false;

	if (words->name == NULL ||
		stop_kind_parse(span_of(words->kind), &stop.kind) != 0) {
		return err_usage(err, 0,
			"%s wants campaign, app, category or id, and a name",
			words->is_stop ? "stop" : "resume");
	}
	if (words->is_stop) {
		if (stops_add(r, &stop, err) != 0) {
			return -1;
		}
		buf_text(out, "stopped\n");
		return 0;
	}
	if (stops_remove(r, stop.kind, stop.name, &was_there, err) != 0) {
		return -1;
	}
	buf_text(out, was_there ? "goes on\n" : "was not stopped\n");
	return 0;
}
