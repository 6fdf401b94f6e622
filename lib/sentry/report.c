/* From a line of the log to an event, or to none. */
#include "sentry/report.h"

#include "record/json.h"
#include "sentry/envelope.h"

static bool wants(const struct report *r, const struct json *line)
{
	const struct json *level = json_get(line, "level");

	return (json_is_text(level, "error") ||
		       (r->has_warnings && json_is_text(level, "warn"))) &&
	       json_text(json_get(line, "program")).ptr != NULL &&
	       json_text(json_get(line, "text")).ptr != NULL;
}

static bool put(struct report *r, struct envelope *e, int64_t now_mono_ms,
	struct buf *out)
{
	const struct group *group = grouping_take(&r->grouping,
		json_text(json_get(e->line, "program")),
		json_text(json_get(e->line, "text")), r->every_ms, now_mono_ms,
		&e->held);

	if (group == NULL) {
		return false;
	}
	e->group = group->text;
	e->serial = r->serial++;
	envelope_put(e, out);
	return true;
}

bool report_line(struct report *r, struct span line, int64_t now_unix_ms,
	int64_t now_mono_ms, struct buf *out)
{
	struct json_doc *doc = NULL;
	bool is_put = false;

	if (line.len > 0) {
		doc = json_parse(line.ptr, line.len, JSON_STRICT, NULL);
	}
	if (doc != NULL && wants(r, json_root(doc))) {
		struct envelope e = { .line = json_root(doc),
			.server = r->server,
			.environment = r->environment,
			.now_unix_ms = now_unix_ms };

		is_put = put(r, &e, now_mono_ms, out);
	}
	json_free(doc);
	return is_put;
}
