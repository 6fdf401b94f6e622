/* Takes a DSN apart. */
#include "sentry/dsn.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum { URL_MAX_BYTES = 2048, DSN_MAX_BYTES = 4096 };

int dsn_parse(struct dsn *out, const char *text, struct err *err)
{
	const char *scheme_end = strstr(text, "://");
	const char *key = scheme_end == NULL ? NULL : scheme_end + 3;
	const char *at = key == NULL ? NULL : strchr(key, '@');
	const char *project = at == NULL ? NULL : strrchr(at, '/');
	size_t key_len = at == NULL ? 0 : strcspn(key, ":@");
	struct buf url;

	*out = (struct dsn){ NULL, NULL };
	if (project == NULL || project == at + 1 || project[1] == '\0' ||
		key_len == 0 ||
		strspn(project + 1, "0123456789") != strlen(project + 1) ||
		(strncmp(text, "https://", 8) != 0 &&
			strncmp(text, "http://", 7) != 0)) {
		return err_usage(err, 0,
			"the DSN wants the form "
			"https://KEY@HOST[:PORT][/PATH]/PROJECT");
	}
	if (key_len > DSN_KEY_MAX_BYTES) {
		return err_usage(err, 0, "the DSN's key is too long");
	}
	buf_init(&url, URL_MAX_BYTES);
	buf_put(&url, text, (size_t)(scheme_end - text));
	buf_text(&url, "://");
	buf_put(&url, at + 1, (size_t)(project - at - 1));
	buf_fmt(&url, "/api/%s/envelope/", project + 1);
	if (buf_is_over(&url)) {
		buf_release(&url);
		return err_usage(err, 0, "the DSN is longer than %d bytes",
			URL_MAX_BYTES);
	}
	out->url = mem_dup(url.data, url.len);
	out->key = mem_dup(key, key_len);
	buf_release(&url);
	return 0;
}

int dsn_load(struct dsn *out, const char *file, struct err *err)
{
	struct buf text;
	int result = -1;

	if (file == NULL) {
		return err_usage(err, 0, "--dsn-file is missing");
	}
	buf_init(&text, DSN_MAX_BYTES);
	if (buf_read_file(&text, file, err) == 0) {
		buf_cut(&text, strcspn(buf_string(&text), " \t\r\n"));
		result = dsn_parse(out, buf_string(&text), err);
	}
	if (result != 0) {
		(void)err_prefix(err, "'%s'", file);
	}
	buf_release(&text);
	return result;
}

void dsn_release(struct dsn *d)
{
	mem_free(d->url);
	mem_free(d->key);
	*d = (struct dsn){ NULL, NULL };
}
