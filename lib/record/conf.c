/*
 * Loading push.conf, and asking what it says.
 */
#include "record/conf.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/conf_check.h"
#include "record/place.h"

enum { CONF_MAX_BYTES = 4 * 1024 * 1024, APP_PATH_BYTES = 256 };

struct conf {
	struct json_doc *doc; /* owned; NULL: empty */
	char *folder;         /* owned; of the file, with its slash, or "" */
	char *path;           /* owned; of the file; NULL: it was none */
	struct buf text;      /* as it was read */
};

/* --- loading --- */

/* The line of the member that a message is about; 0: it names none. */
static size_t line_of(const struct conf *c, const char *message)
{
	struct span text = { c->text.data, c->text.len };
	struct span path = { message, strcspn(message, ": ") };
	const char *at = message;
	char app[APP_PATH_BYTES];
	size_t line = place_line(text, path);

	while (line == 0 && (at = strchr(at, '\'')) != NULL) {
		path = (struct span){ at + 1, strcspn(at + 1, "'") };
		line = place_line(text, path);
		if (line == 0 &&
			fmt_into(app, sizeof(app), "apps.%.*s", (int)path.len,
				path.ptr) == 0 &&
			conf_app(c, path) != NULL) {
			line = place_line(text, span_of(app));
		}
		at = path.ptr + path.len;
		at += *at == '\'' ? 1 : 0;
	}
	return line;
}

static bool is_placed(const struct err *err)
{
	static const char placed[] = "configuration '";

	return strncmp(err->text, placed, strlen(placed)) == 0;
}

void conf_place(const struct conf *c, struct err *err)
{
	size_t line = 0;

	if (c->path != NULL && err->is_usage && !is_placed(err)) {
		line = line_of(c, err->text);
	}
	if (line > 0) {
		(void)err_prefix(
			err, "configuration '%s', line %zu", c->path, line);
	}
}

/* Is it what the failure is about? */
static bool is_blamed(
	const struct json *v, const char *value, const struct err *err)
{
	char quoted[APP_PATH_BYTES];

	if (value != NULL) {
		return json_is_text(v, value);
	}
	return json_type(v) == JSON_TEXT &&
	       fmt_into(quoted, sizeof(quoted), "'%s'", json_text(v).ptr) ==
		       0 &&
	       strstr(err->text, quoted) != NULL;
}

void conf_blame(const struct conf *c, const char *path, const char *value,
	struct err *err)
{
	const struct json *v = conf_at(c, path);
	struct json_iter it = json_iter(v);
	bool is_it = is_blamed(v, value, err);

	while (!is_it && (v = json_next(&it)) != NULL) {
		is_it = is_blamed(v, value, err);
	}
	if (is_it && err->is_usage) {
		(void)err_prefix(err, "'%s'", path);
	}
}

/* Takes the text over. */
static int load(struct conf **out, struct buf *text, const char *path,
	conf_told *told, void *self, struct err *err)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	struct conf *c = mem_array(1, sizeof(*c));

	c->text = *text;
	c->path = mem_text(path);
	c->folder = slash == NULL ? mem_text("")
				  : mem_dup(path, (size_t)(slash + 1 - path));
	c->doc = json_parse(
		buf_string(&c->text), c->text.len, JSON_COMMENTS, err);
	if (c->doc == NULL && path != NULL) {
		(void)err_prefix(err, "configuration '%s'", path);
	}
	if (c->doc == NULL) {
		goto fail;
	}
	if (conf_check(c, false, told, self, err) != 0) {
		if (path != NULL && !is_placed(err)) {
			(void)err_prefix(err, "configuration '%s'", path);
		}
		goto fail;
	}
	*out = c;
	return 0;
fail:
	conf_free(c);
	return -1;
}

int conf_parse(struct conf **out, const char *text, size_t len, struct err *err)
{
	struct buf copy;

	buf_init(&copy, SIZE_MAX);
	buf_put(&copy, text, len);
	return load(out, &copy, NULL, NULL, NULL, err);
}

int conf_load(struct conf **out, const char *path, struct err *err)
{
	return conf_load_telling(out, path, NULL, NULL, err);
}

int conf_load_telling(struct conf **out, const char *path, conf_told *told,
	void *self, struct err *err)
{
	struct buf text;

	if (path == NULL) {
		return conf_parse(out, "{}", 2, err);
	}
	buf_init(&text, CONF_MAX_BYTES);
	if (buf_read_file(&text, path, err) != 0) {
		buf_release(&text);
		return -1;
	}
	return load(out, &text, path, told, self, err);
}

int conf_check_files(
	const struct conf *c, conf_told *told, void *self, struct err *err)
{
	return conf_check(c, true, told, self, err);
}

void conf_free(struct conf *c)
{
	if (c != NULL) {
		json_free(c->doc);
		mem_free(c->folder);
		mem_free(c->path);
		buf_release(&c->text);
		mem_free(c);
	}
}

/* --- asking --- */

const struct json *conf_root(const struct conf *c)
{
	return json_root(c->doc);
}

const struct json *conf_at(const struct conf *c, const char *path)
{
	return json_path(conf_root(c), path);
}

const char *conf_text(
	const struct conf *c, const char *path, const char *fallback)
{
	const char *text = json_text(conf_at(c, path)).ptr;

	return text == NULL ? fallback : text;
}

int64_t conf_int(const struct json *v, int64_t fallback)
{
	int64_t n;

	return json_int(v, &n) == 0 ? n : fallback;
}

int64_t conf_duration_ms(const struct json *v, int64_t fallback_ms)
{
	int64_t ms;

	return num_parse_duration(json_text(v).ptr, &ms) == 0 ? ms
							      : fallback_ms;
}

const struct json *conf_app(const struct conf *c, struct span app)
{
	struct json_iter it = json_iter(conf_at(c, "apps"));
	const struct json *v;

	while (app.ptr != NULL && (v = json_next(&it)) != NULL) {
		if (span_equal(it.name, app)) {
			return v;
		}
	}
	return NULL;
}

char *conf_file_take(const struct conf *c, const char *name)
{
	size_t folder = name[0] == '/' ? 0 : strlen(c->folder);
	size_t len = strlen(name);
	char *path = mem_alloc(folder + len + 1);

	memcpy(path, c->folder, folder);
	memcpy(path + folder, name, len + 1);
	return path;
}
