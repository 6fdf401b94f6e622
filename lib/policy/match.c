/* Conditions of a rule. */
#include "policy/match.h"

#include <string.h>

#include "base/mem.h"

static char *text_take(const struct json *v)
{
	struct span s = json_text(v);

	return s.ptr == NULL ? NULL : mem_dup(s.ptr, s.len);
}

int match_parse(struct match *m, const struct json *rule, struct err *err)
{
	struct span priority = json_text(json_get(rule, "priority"));

	*m = (struct match){ .app = NULL };
	for (int p = 0; priority.ptr != NULL && p < PRIORITY_COUNT; p++) {
		if (span_is(priority, priority_name((enum priority)p))) {
			m->has_priority = true;
			m->priority = (enum priority)p;
		}
	}
	if (priority.ptr != NULL && !m->has_priority) {
		return err_usage(
			err, 0, "'priority' is not high, normal or low");
	}
	m->app = text_take(json_get(rule, "app"));
	m->category = text_take(json_get(rule, "category"));
	return 0;
}

void match_release(struct match *m)
{
	mem_free(m->app);
	mem_free(m->category);
	*m = (struct match){ .app = NULL };
}

bool match_fits(const struct match *m, const struct record *r)
{
	return (m->app == NULL || span_is(r->app, m->app)) &&
	       (m->category == NULL || span_is(r->category, m->category)) &&
	       (!m->has_priority || m->priority == r->priority);
}

static bool is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool match_is_same(const struct match *a, const struct match *b)
{
	return is_same_text(a->app, b->app) &&
	       is_same_text(a->category, b->category) &&
	       a->has_priority == b->has_priority && a->priority == b->priority;
}

void match_write(const struct match *m, struct buf *out)
{
	if (m->app != NULL) {
		buf_fmt(out, "%s ", m->app);
	}
	if (m->category != NULL) {
		buf_fmt(out, "%s ", m->category);
	}
	if (m->has_priority) {
		buf_fmt(out, "%s ", priority_name(m->priority));
	}
}
