/* Conditions of a rule. */
#include "policy/match.h"

#include <string.h>

#include "base/mem.h"

static struct span text_take(const struct json *v)
{
	struct span s = json_text(v);

	if (s.ptr != NULL) {
		s.ptr = mem_dup(s.ptr, s.len);
	}
	return s;
}

int match_parse(struct match *m, const struct json *rule, struct err *err)
{
	struct span priority = json_text(json_get(rule, "priority"));

	*m = (struct match){ .has_priority = false };
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
	mem_free((void *)(uintptr_t)m->app.ptr);
	mem_free((void *)(uintptr_t)m->category.ptr);
	*m = (struct match){ .has_priority = false };
}

static bool is_for(struct span wanted, struct span has)
{
	return wanted.ptr == NULL ||
	       (has.ptr != NULL && span_equal(wanted, has));
}

bool match_fits(const struct match *m, const struct record *r)
{
	return is_for(m->app, r->app) && is_for(m->category, r->category) &&
	       (!m->has_priority || m->priority == r->priority);
}

static bool is_same_text(struct span a, struct span b)
{
	return a.ptr == NULL || b.ptr == NULL ? a.ptr == b.ptr
					      : span_equal(a, b);
}

bool match_is_same(const struct match *a, const struct match *b)
{
	return is_same_text(a->app, b->app) &&
	       is_same_text(a->category, b->category) &&
	       a->has_priority == b->has_priority && a->priority == b->priority;
}

void match_write(const struct match *m, struct buf *out)
{
	if (m->app.ptr != NULL) {
		buf_put(out, m->app.ptr, m->app.len);
		buf_putc(out, ' ');
	}
	if (m->category.ptr != NULL) {
		buf_put(out, m->category.ptr, m->category.len);
		buf_putc(out, ' ');
	}
	if (m->has_priority) {
		buf_fmt(out, "%s ", priority_name(m->priority));
	}
}
