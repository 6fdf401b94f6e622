/*
 * The JSON library's own values, for the files of this folder that look at all
 * members of every record: walking them costs no call each.
 */
#ifndef PUSH_RECORD_JSON_INNER_H
#define PUSH_RECORD_JSON_INNER_H

#include <yyjson.h>

#include "record/json.h"

/* A value is the library's own, under our name. */
static inline yyjson_val *json_val(const struct json *v)
{
	return (yyjson_val *)(uintptr_t)v;
}

static inline const struct json *json_ours(const yyjson_val *v)
{
	return (const struct json *)(const void *)v;
}

/* One member of an object. */
struct json_member {
	struct span name;
	const struct json *value; /* never NULL, unlike others */
};

/* Walks the members of an object; anything else has none.
 *   struct json_walk walk = json_walk(v);
 *   while (json_walk_next(&walk, &member)) ... */
struct json_walk {
	yyjson_val *at;
	size_t left;
};

static inline struct json_walk json_walk(const struct json *v)
{
	struct json_walk w = { NULL, 0 };

	if (yyjson_is_obj(json_val(v))) {
		w.left = unsafe_yyjson_get_len(json_val(v));
		w.at = unsafe_yyjson_get_first(json_val(v));
	}
	return w;
}

static inline bool json_walk_next(struct json_walk *w, struct json_member *m)
{
	yyjson_val *name = w->at;

	if (w->left == 0) {
		return false;
	}
	w->left--;
	m->name.ptr = unsafe_yyjson_get_str(name);
	m->name.len = unsafe_yyjson_get_len(name);
	m->value = json_ours(name + 1); /* stands right behind its name */
	w->at = unsafe_yyjson_get_next(name + 1);
	return true;
}

/* json_text() and the like, of a value that is there. */
static inline struct span json_member_text(const struct json_member *m)
{
	yyjson_val *v = json_val(m->value);

	if (!unsafe_yyjson_is_str(v)) {
		return (struct span){ NULL, 0 };
	}
	return (struct span){ unsafe_yyjson_get_str(v),
		unsafe_yyjson_get_len(v) };
}

static inline bool json_member_is_object(const struct json_member *m)
{
	return unsafe_yyjson_is_obj(json_val(m->value));
}

static inline bool json_member_is_array(const struct json_member *m)
{
	return unsafe_yyjson_is_arr(json_val(m->value));
}

#endif
