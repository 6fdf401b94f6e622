/*
 * push.conf: one file for the whole chain, JSON with comments.
 *
 * Loading checks the file against the table in conf_table.c: a member that the table
 * does not know, or of another type, is refused with its path and the nearest
 * known name.  push.conf(5) is compared with that table.
 */
#ifndef PUSH_RECORD_CONF_H
#define PUSH_RECORD_CONF_H

#include <stdint.h>

#include "base/err.h"
#include "record/json.h"

struct conf;

/* 0 and *out, or -1 with a text that names file, line or member and what was
 * expected.  `path' NULL gives an empty configuration. */
int conf_load(struct conf **out, const char *path, struct err *err) MUST_CHECK;

/* Told of a mistake, as conf_load() would tell it. */
typedef void conf_told(void *self, const char *text);

/* The same, and all mistakes: `told' hears of those before the last one. */
int conf_load_telling(struct conf **out, const char *path, conf_told *told,
	void *self, struct err *err) MUST_CHECK;

/* The same from memory; relative file names start at the working folder. */
int conf_parse(struct conf **out, const char *text, size_t len,
	struct err *err) MUST_CHECK;
void conf_free(struct conf *c); /* accepts NULL */

/* -1 and a usage failure for the first file named in it that cannot be read; with
 * `told' (or NULL) for the last one, and `told' has heard of those before. */
int conf_check_files(const struct conf *c, conf_told *told, void *self,
	struct err *err) MUST_CHECK;

/* Puts file and line before a usage failure whose text begins with a member's
 * path, or quotes one, or quotes the name of an app; leaves others alone, and
 * those that have them. */
void conf_place(const struct conf *c, struct err *err);

/* Names the member at `path' in a usage failure about `value', if that is the
 * member's: it may be a command line's as well.  Without `value': if the failure
 * quotes the member, or an element of it. */
void conf_blame(const struct conf *c, const char *path, const char *value,
	struct err *err);

/* The file's root object; borrowed from `c'. */
const struct json *conf_root(const struct conf *c);

/* A member by path ("dedupe.window"), NULL when absent. */
const struct json *conf_at(const struct conf *c, const char *path);

/* Text by path, or `fallback'; borrowed from `c'. */
const char *conf_text(
	const struct conf *c, const char *path, const char *fallback);

/* Values whose type the table has checked. */
int64_t conf_int(const struct json *v, int64_t fallback);
int64_t conf_duration_ms(const struct json *v, int64_t fallback_ms);

/* The settings of an app, NULL when it is not known. */
const struct json *conf_app(const struct conf *c, struct span app);

/* A file named in the configuration; relative names start at the folder of
 * the configuration file.  The caller frees it. */
char *conf_file_take(const struct conf *c, const char *name);

/* One row of the table: path ("*" stands for any name), type, one sentence. */
struct conf_row {
	const char *path;
	const char *type;
	const char *help;
};

/* The table, ended by a row of NULLs. */
const struct conf_row *conf_table(void);

/* Its row for a path; NULL: it has none. */
const struct conf_row *conf_row(const char *path);

#endif
