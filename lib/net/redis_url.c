/*
 * Reads Redis URLs.
 *
 * Schemes for Sentinel, Cluster and TLS are recognised and refused by name, so
 * that nobody is left to wonder what was wrong with the URL.
 */
#include "net/redis_url.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/span.h"

enum {
	DEFAULT_PORT = 6379,
	PORT_MAX = 65535,
	DB_MAX = 16383,
	PART_MAX_BYTES = 4096,
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return -1;
}

/* The part with its percent-encoding undone, or NULL when that is broken or
 * hides a NUL.  The caller frees it. */
static char *decode_take(struct span part)
{
	char *text = mem_dup(part.ptr, part.len);
	size_t len = 0;

	for (size_t i = 0; i < part.len; i++) {
		int c = (unsigned char)part.ptr[i];

		if (c == '%') {
			int high = i + 2 < part.len ? hex_digit(part.ptr[i + 1])
						    : -1;
			int low = high >= 0 ? hex_digit(part.ptr[i + 2]) : -1;

			if (high < 0 || low < 0) {
				mem_free(text);
				return NULL;
			}
			c = high * 16 + low;
			i += 2;
		}
		if (c == 0) {
			mem_free(text);
			return NULL;
		}
		text[len++] = (char)c;
	}
	text[len] = '\0';
	return text;
}

/* Cuts `*rest' at the first `stop'; true when it was there. */
static bool cut_at(struct span *rest, char stop, struct span *head)
{
	const char *at =
		rest->len == 0 ? NULL : memchr(rest->ptr, stop, rest->len);

	if (at == NULL) {
		*head = *rest;
		*rest = (struct span){ rest->ptr + rest->len, 0 };
		return false;
	}
	*head = (struct span){ rest->ptr, (size_t)(at - rest->ptr) };
	*rest = (struct span){ at + 1, rest->len - head->len - 1 };
	return true;
}

/* The last `stop' instead: passwords may hold an '@'. */
static bool cut_at_last(struct span *rest, char stop, struct span *head)
{
	for (size_t i = rest->len; i > 0; i--) {
		if (rest->ptr[i - 1] == stop) {
			*head = (struct span){ rest->ptr, i - 1 };
			*rest = (struct span){ rest->ptr + i, rest->len - i };
			return true;
		}
	}
	return false;
}

static int take_db(struct redis_url *u, struct span text, struct err *err)
{
	char *number = mem_dup(text.ptr, text.len);
	int failed = num_parse(number, 0, DB_MAX, &u->db);

	mem_free(number);
	if (failed != 0) {
		return err_usage(err, 0,
			"redis URL: the database is no number from 0 to %d",
			DB_MAX);
	}
	return 0;
}

static int take_part(
	char **dst, struct span text, const char *what, struct err *err)
{
	mem_free(*dst);
	*dst = decode_take(text);
	if (*dst == NULL || **dst == '\0') {
		return err_usage(err, 0,
			"redis URL: the %s is empty or badly encoded", what);
	}
	return 0;
}

/* "user:password", "user", ":password" */
static int take_credentials(
	struct redis_url *u, struct span text, struct err *err)
{
	struct span user;
	bool has_password = cut_at(&text, ':', &user);

	if (user.len > 0 && take_part(&u->user, user, "user name", err) != 0) {
		return -1;
	}
	if (has_password) {
		return take_part(&u->password, text, "password", err);
	}
	return 0;
}

/* "db=1&user=push&password_file=/run/secrets/redis" */
static int take_query(struct redis_url *u, struct span query, struct err *err)
{
	struct span pair;
	struct span name;

	while (query.len > 0) {
		(void)cut_at(&query, '&', &pair); /* the last has none behind */
		if (!cut_at(&pair, '=', &name)) {
			return err_usage(err, 0,
				"redis URL: a setting behind '?' has no value");
		}
		int failed;
		if (span_is(name, "db")) {
			failed = take_db(u, pair, err);
		} else if (span_is(name, "user")) {
			failed = take_part(&u->user, pair, "user name", err);
		} else if (span_is(name, "password_file")) {
			failed = take_part(
				&u->password_file, pair, "password file", err);
		} else {
			failed = err_usage(err, 0,
				"redis URL: unknown setting '%.*s' behind '?' "
				"(db, user and password_file are known)",
				(int)name.len, name.ptr);
		}
		if (failed != 0) {
			return -1;
		}
	}
	return 0;
}

/* "host", "host:port", "[v6]:port" */
static int take_host(struct redis_url *u, struct span text, struct err *err)
{
	struct span host;
	int64_t port = DEFAULT_PORT;

	if (text.len > 0 && text.ptr[0] == '[') {
		text = (struct span){ text.ptr + 1, text.len - 1 };
		if (!cut_at(&text, ']', &host) ||
			(text.len > 0 && text.ptr[0] != ':')) {
			return err_usage(err, 0,
				"redis URL: the address in brackets is "
				"not closed");
		}
		if (text.len > 0) {
			text = (struct span){ text.ptr + 1, text.len - 1 };
		}
	} else {
		(void)cut_at(&text, ':', &host); /* the port may be left out */
	}
	if (text.len > 0) {
		char *number = mem_dup(text.ptr, text.len);
		int failed = num_parse(number, 1, PORT_MAX, &port);

		mem_free(number);
		if (failed != 0) {
			return err_usage(err, 0,
				"redis URL: the port is no number from 1 to %d",
				PORT_MAX);
		}
	}
	u->port = (int)port;
	return take_part(&u->host, host, "host name", err);
}

static int parse_tcp(struct redis_url *u, struct span rest, struct err *err)
{
	struct span place;
	struct span credentials;
	struct span host;

	(void)cut_at(&rest, '?', &place); /* settings are not required */
	/* A password may hold an '@' or a '/', not a '?'. */
	if (cut_at_last(&place, '@', &credentials) &&
		take_credentials(u, credentials, err) != 0) {
		return -1;
	}
	(void)cut_at(&place, '/', &host); /* a database is not required */
	if (take_host(u, host, err) != 0 ||
		(place.len > 0 && take_db(u, place, err) != 0)) {
		return -1;
	}
	return take_query(u, rest, err);
}

static int parse_unix(struct redis_url *u, struct span rest, struct err *err)
{
	struct span path;

	(void)cut_at(&rest, '?', &path); /* settings are not required */
	if (path.len == 0 || path.ptr[0] != '/') {
		return err_usage(err, 0,
			"redis URL: unix:// is followed by an absolute path: "
			"unix:///run/redis.sock");
	}
	if (take_part(&u->path, path, "path", err) != 0) {
		return -1;
	}
	return take_query(u, rest, err);
}

static void name_it(struct redis_url *u)
{
	struct buf name;

	buf_init(&name, PART_MAX_BYTES);
	if (u->path != NULL) {
		buf_fmt(&name, "unix://%s", u->path);
	} else if (strchr(u->host, ':') != NULL) {
		buf_fmt(&name, "redis://[%s]:%d", u->host, u->port);
	} else {
		buf_fmt(&name, "redis://%s:%d", u->host, u->port);
	}
	u->name = mem_text(buf_string(&name));
	buf_release(&name);
}

static bool starts_with(struct span *text, const char *begin)
{
	size_t len = strlen(begin);

	if (text->len < len || memcmp(text->ptr, begin, len) != 0) {
		return false;
	}
	*text = (struct span){ text->ptr + len, text->len - len };
	return true;
}

int redis_url_parse(struct redis_url *u, const char *url, struct err *err)
{
	struct span rest = span_of(url);
	int failed;

	*u = (struct redis_url){ 0 };
	if (rest.len > PART_MAX_BYTES / 2) {
		failed = err_usage(err, 0, "redis URL: longer than %d bytes",
			PART_MAX_BYTES / 2);
	} else if (starts_with(&rest, "redis://")) {
		failed = parse_tcp(u, rest, err);
	} else if (starts_with(&rest, "unix://")) {
		failed = parse_unix(u, rest, err);
	} else if (starts_with(&rest, "rediss://") ||
		   starts_with(&rest, "redis+sentinel://") ||
		   starts_with(&rest, "redis+cluster://")) {
		failed = err_usage(err, 0,
			"redis URL: TLS, Sentinel and Cluster are not "
			"supported by this version");
	} else {
		failed = err_usage(err, 0,
			"redis URL: it begins with neither redis:// nor unix://");
	}
	if (failed != 0) {
		redis_url_release(u);
		return -1;
	}
	name_it(u);
	return 0;
}

void redis_url_release(struct redis_url *u)
{
	mem_free(u->host);
	mem_free(u->path);
	mem_free(u->user);
	mem_free(u->password);
	mem_free(u->password_file);
	mem_free(u->name);
	*u = (struct redis_url){ 0 };
}
