/*
 * JSON, read-only, and the few ways we write it.
 *
 * The only door to the JSON library.  Values are borrowed from their document
 * and live as long as it does.  Every reader accepts NULL and a value of the
 * wrong type and then answers "absent", so that paths can be chained.
 */
#ifndef PUSH_RECORD_JSON_H
#define PUSH_RECORD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct json_doc;
struct json; /* one value */

enum json_type {
	JSON_ABSENT,
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_TEXT,
	JSON_ARRAY,
	JSON_OBJECT,
};

enum {
	JSON_STRICT = 0,
	JSON_COMMENTS = 1, /* also allow comments and trailing commas */
};

/* Parses the whole text; NULL with `err' set (line and what was wrong) when
 * it is not one JSON value.  The text may go away afterwards. */
struct json_doc *json_parse(
	const char *text, size_t len, unsigned flags, struct err *err);
void json_free(struct json_doc *doc); /* accepts NULL */
const struct json *json_root(const struct json_doc *doc);

/*
 * Parses a line in memory that is used again for the next one: `text' has room
 * for JSON_PADDING_BYTES behind `len', its strings are unescaped where they
 * stand and values point into it.  NULL when it is not one JSON value.  The
 * arena is owned by the caller ({ 0 } at first, mem_free(a->mem) at last) and
 * holds one document at a time.
 */
enum { JSON_PADDING_BYTES = 8 };
struct json_arena {
	void *mem;
	size_t cap;
};
const struct json *json_parse_in_place(
	struct json_arena *a, char *text, size_t len);

enum json_type json_type(const struct json *v);
const char *json_type_name(enum json_type type);

/* Member of an object, by name; NULL when there is none. */
const struct json *json_named(const struct json *object, struct span name);
/* How often the name stands in the object. */
size_t json_count_named(const struct json *object, struct span name);
static inline const struct json *json_get(
	const struct json *object, const char *name)
{
	return json_named(object, span_of(name));
}
/* Member by a path of names: "apns.payload.aps". */
const struct json *json_path(const struct json *object, const char *path);
/* Element of an array, NULL past the end. */
const struct json *json_at(const struct json *array, size_t index);
/* Members of an object or elements of an array, else 0. */
size_t json_count(const struct json *v);

/* The text of a string; { NULL, 0 } for anything else.  NUL-terminated, but
 * may hold NULs. */
struct span json_text(const struct json *v);
/* True when `v' is this string. */
bool json_is_text(const struct json *v, const char *text);
/* 0 and *out for a whole number that fits, else -1. */
int json_int(const struct json *v, int64_t *out) MUST_CHECK;
bool json_bool(const struct json *v, bool fallback);

/* Walks an array or object:
 *   struct json_iter it = json_iter(v);
 *   while ((item = json_next(&it)) != NULL) ... it.name is the member's name */
struct json_iter {
	struct span name; /* of the member returned last; absent in arrays */
	const struct json *next;
	size_t left;
	bool is_object;
};
struct json_iter json_iter(const struct json *v);
const struct json *json_next(struct json_iter *it);

/* Appends the value, minified. */
void json_write(struct buf *b, const struct json *v);
/* Appends a quoted, escaped string.  Bytes that are not UTF-8 become U+FFFD. */
void json_put_text(struct buf *b, const char *ptr, size_t len);
void json_put_span(struct buf *b, struct span s);
/* Appends the bytes as a quoted string of base64; `len' below 1 GiB. */
void json_put_base64(struct buf *b, const char *ptr, size_t len);
/* Appends `"name":', with a comma before it unless it follows '{' or '['. */
void json_put_name(struct buf *b, const char *name);
/* The same with the value. */
void json_put_member(struct buf *b, const char *name, struct span text);
void json_put_int(struct buf *b, const char *name, int64_t n);

/* True when the bytes are UTF-8 (RFC 3629). */
bool json_is_utf8(const char *ptr, size_t len);

#endif
