/*
 * Does the file say what the table has?  If not: where, and what was meant.
 */
#include "record/conf_check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

enum { PATH_BYTES = 256 };

/* --- names --- */

/* How many letters differ, for names up to 40 letters; else a lot. */
static size_t distance(struct span a, struct span b)
{
	size_t row[41];

	if (a.len > 40 || b.len > 40) {
		return 99;
	}
	for (size_t j = 0; j <= b.len; j++) {
		row[j] = j;
	}
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t change = diagonal +
					(a.ptr[i - 1] != b.ptr[j - 1] ? 1 : 0);
			size_t other =
				(row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < other ? change : other;
		}
	}
	return row[b.len];
}

/* The known member of the object at `path' whose name is nearest. */
static struct span nearest(const char *path, struct span name)
{
	struct span best = { NULL, 0 };
	size_t least = 4;
	size_t len = strlen(path);

	for (const struct conf_row *row = conf_table(); row->path != NULL;
		row++) {
		struct span known = span_of(row->path);

		if (known.len <= len || strncmp(row->path, path, len) != 0) {
			continue;
		}
		if (len > 0) {
			if (known.ptr[len] != '.') {
				continue;
			}
			known = span_of(row->path + len + 1);
		}
		if (memchr(known.ptr, '.', known.len) == NULL &&
			memchr(known.ptr, '[', known.len) == NULL &&
			distance(name, known) < least) {
			least = distance(name, known);
			best = known;
		}
	}
	return best;
}

/* --- values --- */

static bool is_choice(const char *choices, struct span text)
{
	while (*choices != '\0') {
		size_t len = strcspn(choices, "|");

		if (text.len == len && memcmp(text.ptr, choices, len) == 0) {
			return true;
		}
		choices += len + (choices[len] == '|' ? 1 : 0);
	}
	return false;
}

/* Does the URL begin like one of a place that we know?  What is behind is
 * judged by who opens it. */
static bool is_place(const char *type, struct span url)
{
	static const char *const starts[] = { "redis://", "rediss://", "redis+",
		"unix:", "none", "lmdb:", "memory:" };
	size_t count = strcmp(type, "redis") == 0 ? 5 : 7;

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(starts[i]);

		if (url.len >= len && memcmp(url.ptr, starts[i], len) == 0) {
			return true;
		}
	}
	return false;
}

/* What was wanted, or NULL when the value fits the row. */
static const char *misfit(const struct conf_row *row, const struct json *v)
{
	enum json_type type = json_type(v);
	int64_t n;

	if (strcmp(row->type, "any") == 0) {
		return NULL;
	}
	if (strcmp(row->type, "object") == 0 || strcmp(row->type, "map") == 0) {
		return type == JSON_OBJECT ? NULL : "an object";
	}
	if (strcmp(row->type, "list") == 0) {
		return type == JSON_ARRAY ? NULL : "a list";
	}
	if (strcmp(row->type, "redis") == 0) {
		return is_place(row->type, json_text(v))
			       ? NULL
			       : "a URL such as \"redis://host:6379\" or "
				 "\"unix:///path\"";
	}
	if (strcmp(row->type, "store") == 0) {
		return is_place(row->type, json_text(v))
			       ? NULL
			       : "a URL such as \"redis://host:6379\", "
				 "\"lmdb:PATH\" or \"memory:\"";
	}
	if (strcmp(row->type, "text") == 0 || strcmp(row->type, "file") == 0) {
		return type == JSON_TEXT && json_text(v).len > 0 ? NULL
								 : "a text";
	}
	if (strcmp(row->type, "bool") == 0) {
		return type == JSON_BOOL ? NULL : "true or false";
	}
	if (strcmp(row->type, "int") == 0) {
		return json_int(v, &n) == 0 && n >= 0 ? NULL : "a whole number";
	}
	if (strcmp(row->type, "duration") == 0) {
		return type == JSON_TEXT && num_parse_duration(
						    json_text(v).ptr, &n) == 0
			       ? NULL
			       : "a duration such as \"30s\"";
	}
	return type == JSON_TEXT && is_choice(row->type, json_text(v))
		       ? NULL
		       : row->type;
}

/* --- the descent --- */

struct place {
	char pattern[PATH_BYTES];   /* as the table has it */
	char shown[PATH_BYTES];     /* as the file has it */
	const struct conf_row *row; /* of the pattern; NULL: it has none */
};

/* The place of a member or element below `p'; -1: its name is too long.  The
 * pattern of an element is looked up for the first of them, of which there may
 * be thousands. */
static int below(const struct place *p, const struct json_iter *it, size_t n,
	struct place *child)
{
	const char *dot = p->pattern[0] == '\0' ? "" : ".";
	bool is_map = strcmp(p->row->type, "map") == 0;
	int failed;

	if (!it->is_object) {
		failed = fmt_into(
			child->shown, PATH_BYTES, "%s[%zu]", p->shown, n);
		if (failed != 0 || n > 0) {
			return failed;
		}
		failed = fmt_into(
			child->pattern, PATH_BYTES, "%s[]", p->pattern);
	} else {
		failed =
			fmt_into(child->shown, PATH_BYTES, "%s%s%.*s", p->shown,
				dot, (int)it->name.len, it->name.ptr) |
			(is_map ? fmt_into(child->pattern, PATH_BYTES, "%s.*",
					  p->pattern)
				: fmt_into(child->pattern, PATH_BYTES,
					  "%s%s%.*s", p->pattern, dot,
					  (int)it->name.len, it->name.ptr));
	}
	child->row = conf_row(child->pattern);
	return failed;
}

/* A walk through the file. */
struct walk {
	const struct conf *conf;
	bool has_files;
	conf_told *told; /* or NULL: the first mistake ends the walk */
	void *self;
	struct err *err; /* the last mistake, when there was one */
	bool is_wrong;
};

/* Room for the next mistake: who is told hears of the one before. */
static struct err *mistake(struct walk *w)
{
	if (w->is_wrong) {
		w->told(w->self, w->err->text);
	}
	w->is_wrong = true;
	return w->err;
}

/* After a mistake: does the walk end here? */
static bool is_over(struct walk *w)
{
	conf_place(w->conf, w->err);
	return w->told == NULL;
}

static bool is_file_there(struct walk *w, const char *shown, const char *name)
{
	char *path = conf_file_take(w->conf, name);
	bool is_there = access(path, R_OK) == 0;

	if (!is_there) {
		int reason = errno;

		(void)err_usage(mistake(w), reason, "'%s' names a file, '%s'",
			shown, path);
	}
	mem_free(path);
	return is_there;
}

/* A member of an object must be one of the table's, and once. */
static bool is_known(const struct json *object, const struct json_iter *it,
	const struct json *item, const struct place *p,
	const struct place *child, struct walk *w)
{
	struct span near = { NULL, 0 };

	if (child->row != NULL &&
		(!it->is_object || json_named(object, it->name) == item)) {
		return true;
	}
	if (child->row != NULL) {
		(void)err_usage(
			mistake(w), 0, "'%s' stands twice", child->shown);
		return false;
	}
	near = nearest(p->pattern, it->name);
	if (near.ptr == NULL) {
		(void)err_usage(
			mistake(w), 0, "unknown member '%s'", child->shown);
	} else {
		(void)err_usage(mistake(w), 0,
			"unknown member '%s'; did you mean '%.*s'?",
			child->shown, (int)near.len, near.ptr);
	}
	return false;
}

/* Depth is bounded by the table, which ends the descent at what it does not
 * know.  -1: the walk is over. */
static int check(const struct json *v, const struct place *p, struct walk *w)
{
	const struct conf_row *row = p->row;
	const char *wanted = misfit(row, v);
	struct json_iter it = json_iter(v);
	const struct json *item;
	struct place child;

	if (wanted != NULL) {
		(void)err_usage(mistake(w), 0, "'%s' must be %s",
			p->shown[0] == '\0' ? "the file" : p->shown, wanted);
		return is_over(w) ? -1 : 0;
	}
	if (strcmp(row->type, "any") == 0) {
		return 0;
	}
	if (w->has_files && strcmp(row->type, "file") == 0) {
		return is_file_there(w, p->shown, json_text(v).ptr) ||
				       !is_over(w)
			       ? 0
			       : -1;
	}
	for (size_t n = 0; (item = json_next(&it)) != NULL; n++) {
		bool is_right = true;

		if (below(p, &it, n, &child) != 0) {
			(void)err_usage(mistake(w), 0,
				"a name in '%s' is too long", p->shown);
			is_right = false;
		} else {
			is_right = is_known(v, &it, item, p, &child, w);
		}
		if (is_right ? check(item, &child, w) != 0 : is_over(w)) {
			return -1;
		}
	}
	return 0;
}

int conf_check(const struct conf *c, bool has_files, conf_told *told,
	void *self, struct err *err)
{
	struct place top = { "", "", conf_row("") };
	struct walk w = { c, has_files, told, self, err, false };

	(void)check(conf_root(c), &top, &w); /* is_wrong tells */
	return w.is_wrong ? -1 : 0;
}
