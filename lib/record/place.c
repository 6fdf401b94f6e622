/*
 * Skims JSON that was parsed before, so nothing here tells what is wrong: it
 * only stays inside the text.
 */
#include "record/place.h"

#include <stdbool.h>
#include <string.h>

#include "base/num.h"

struct skim {
	const char *at;
	const char *end;
};

static bool is_at(const struct skim *s, char c)
{
	return s->at < s->end && *s->at == c;
}

/* Blanks and comments. */
static void skip_blank(struct skim *s)
{
	while (s->at < s->end) {
		size_t left = (size_t)(s->end - s->at);
		const char *stop;

		if (memchr(" \t\r\n", *s->at, 4) != NULL) {
			s->at++;
		} else if (left >= 2 && memcmp(s->at, "//", 2) == 0) {
			stop = memchr(s->at, '\n', left);
			s->at = stop == NULL ? s->end : stop;
		} else if (left >= 2 && memcmp(s->at, "/*", 2) == 0) {
			s->at += 2;
			while (s->at < s->end &&
				!(is_at(s, '/') && s->at[-1] == '*')) {
				s->at++;
			}
			s->at += s->at < s->end ? 1 : 0;
		} else {
			return;
		}
	}
}

/* A string; what is between its quotes, as it stands. */
static struct span skip_string(struct skim *s)
{
	struct span inside = { ++s->at, 0 };

	while (s->at < s->end && *s->at != '"') {
		s->at += *s->at == '\\' && s->at + 1 < s->end ? 2 : 1;
	}
	inside.len = (size_t)(s->at - inside.ptr);
	s->at += s->at < s->end ? 1 : 0;
	return inside;
}

static void skip_value(struct skim *s)
{
	size_t depth = 0;

	do {
		skip_blank(s);
		if (s->at == s->end) {
			return;
		}
		if (*s->at == '"') {
			(void)skip_string(s);
			continue;
		}
		if (*s->at == '{' || *s->at == '[') {
			depth++;
		} else if ((*s->at == '}' || *s->at == ']') && depth > 0) {
			depth--;
		}
		/* Always goes on, whatever stands there. */
		do {
			s->at++;
		} while (s->at < s->end &&
			 memchr(",:{}[]\"/ \t\r\n", *s->at, 12) == NULL);
	} while (depth > 0);
}

/* Takes the name from the front of `path', with the dot behind it. */
static bool take_name(struct span *path, struct span name)
{
	size_t rest = name.len;

	if (path->len < name.len ||
		memcmp(path->ptr, name.ptr, name.len) != 0) {
		return false;
	}
	if (rest < path->len && path->ptr[rest] == '.') {
		rest++;
	} else if (rest < path->len && path->ptr[rest] != '[') {
		return false;
	}
	path->ptr += rest;
	path->len -= rest;
	return true;
}

/* Takes "[n]" from the front, with the dot behind it. */
static bool take_index(struct span *path, int64_t *n)
{
	const char *close =
		path->len > 0 ? memchr(path->ptr, ']', path->len) : NULL;
	char digits[20];
	size_t len = close == NULL ? 0 : (size_t)(close - path->ptr);

	if (len < 2 || path->ptr[0] != '[' || len > sizeof(digits)) {
		return false;
	}
	memcpy(digits, path->ptr + 1, len - 1);
	digits[len - 1] = '\0';
	if (num_parse(digits, 0, INT64_MAX, n) != 0) {
		return false;
	}
	len += len + 1 < path->len && close[1] == '.' ? 2 : 1;
	path->ptr += len;
	path->len -= len;
	return true;
}

/* Goes to the member that `path' begins with; NULL when there is none, else
 * where it begins, with `s' at its value. */
static const char *enter_object(struct skim *s, struct span *path)
{
	s->at++;
	for (;;) {
		const char *begin;
		struct span name;

		skip_blank(s);
		if (!is_at(s, '"')) {
			return NULL;
		}
		begin = s->at;
		name = skip_string(s);
		skip_blank(s);
		s->at += is_at(s, ':') ? 1 : 0;
		skip_blank(s);
		if (take_name(path, name)) {
			return begin;
		}
		skip_value(s);
		skip_blank(s);
		s->at += is_at(s, ',') ? 1 : 0;
	}
}

static const char *enter_array(struct skim *s, struct span *path)
{
	int64_t n;

	s->at++;
	if (!take_index(path, &n)) {
		return NULL;
	}
	for (;;) {
		skip_blank(s);
		if (s->at == s->end || is_at(s, ']')) {
			return NULL;
		}
		if (n-- == 0) {
			return s->at;
		}
		skip_value(s);
		skip_blank(s);
		s->at += is_at(s, ',') ? 1 : 0;
	}
}

size_t place_line(struct span text, struct span path)
{
	struct skim s = { text.ptr, text.ptr + text.len };
	const char *found = NULL;
	size_t line = 1;

	while (path.len > 0) {
		const char *next = NULL;

		skip_blank(&s);
		if (is_at(&s, '{')) {
			next = enter_object(&s, &path);
		} else if (is_at(&s, '[')) {
			next = enter_array(&s, &path);
		}
		if (next == NULL) {
			break;
		}
		found = next;
	}
	if (found == NULL) {
		return 0;
	}
	for (const char *c = text.ptr; c < found; c++) {
		line += *c == '\n' ? 1 : 0;
	}
	return line;
}
