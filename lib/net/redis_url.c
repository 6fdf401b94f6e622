/*
 * Reads Redis URLs.
 *
 * What this build or this kind of server cannot do is recognised and refused by
 * name, so that nobody is left to wonder what was wrong with the URL.
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
	DEFAULT_SENTINEL_PORT = 26379,
	DEFAULT_TIMEOUT_MS = 2000,
	TIMEOUT_MIN_MS = 50,
	TIMEOUT_MAX_MS = 60 * 1000,
	HOSTS_MAX = 64,
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

static int take_timeout(struct redis_url *u, struct span text, struct err *err)
{
	char *number = mem_dup(text.ptr, text.len);
	int failed = num_parse_duration(number, &u->timeout_ms);

	mem_free(number);
	if (failed != 0 || u->timeout_ms < TIMEOUT_MIN_MS ||
		u->timeout_ms > TIMEOUT_MAX_MS) {
		return err_usage(err, 0,
			"redis URL: the timeout is no time from %dms to %ds",
			TIMEOUT_MIN_MS, TIMEOUT_MAX_MS / 1000);
	}
	return 0;
}

static int take_setting(struct redis_url *u, struct span name,
	struct span value, struct err *err)
{
	const struct {
		const char *name;
		char **dst;
		const char *what;
	} texts[] = {
		{ "user", &u->user, "user name" },
		{ "password_file", &u->password_file, "password file" },
		{ "sentinel_user", &u->sentinel_user, "Sentinels' user name" },
		{ "sentinel_password_file", &u->sentinel_password_file,
			"Sentinels' password file" },
		{ "ca_file", &u->ca_file, "CA file" },
		{ "cert_file", &u->cert_file, "certificate file" },
		{ "key_file", &u->key_file, "key file" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (span_is(name, texts[i].name)) {
			return take_part(
				texts[i].dst, value, texts[i].what, err);
		}
	}
	if (span_is(name, "db")) {
		return take_db(u, value, err);
	}
	if (span_is(name, "timeout")) {
		return take_timeout(u, value, err);
	}
	return err_usage(err, 0,
		"redis URL: unknown setting '%.*s' behind '?' (db, user, "
		"password_file, timeout, ca_file, cert_file, key_file, "
		"sentinel_user and sentinel_password_file are known)",
		(int)name.len, name.ptr);
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
		if (take_setting(u, name, pair, err) != 0) {
			return -1;
		}
	}
	return 0;
}

/* "host", "host:port", "[v6]:port" */
static int take_host(struct redis_url *u, struct span text, struct err *err)
{
	struct span host;
	int64_t port = u->kind == REDIS_SENTINEL ? DEFAULT_SENTINEL_PORT
						 : DEFAULT_PORT;
	struct redis_host *added;

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
	u->hosts = mem_resize(u->hosts, u->host_count + 1, sizeof(*u->hosts));
	added = &u->hosts[u->host_count++];
	*added = (struct redis_host){ .port = (int)port };
	return take_part(&added->name, host, "host name", err);
}

/* "host" or, where there are several, "host,host" */
static int take_hosts(struct redis_url *u, struct span text, struct err *err)
{
	struct span host;
	bool is_more = true;

	if (u->kind == REDIS_SERVER && text.len > 0 &&
		memchr(text.ptr, ',', text.len) != NULL) {
		return err_usage(err, 0,
			"redis URL: several hosts are for redis+sentinel:// "
			"and redis+cluster://");
	}
	while (is_more && u->host_count < HOSTS_MAX) {
		if (u->kind == REDIS_SERVER) {
			return take_host(u, text, err);
		}
		is_more = cut_at(&text, ',', &host);
		if (take_host(u, host, err) != 0) {
			return -1;
		}
	}
	return is_more ? err_usage(err, 0, "redis URL: more than %d hosts",
				 HOSTS_MAX)
		       : 0;
}

/* What is behind the host's '/'. */
static int take_path(struct redis_url *u, struct span text, struct err *err)
{
	if (u->kind == REDIS_SENTINEL) {
		if (text.len == 0) {
			return err_usage(err, 0,
				"redis URL: the primary's name is missing: "
				"redis+sentinel://HOST,HOST/NAME");
		}
		return take_part(&u->primary, text, "primary's name", err);
	}
	return text.len == 0 ? 0 : take_db(u, text, err);
}

static int check(const struct redis_url *u, struct err *err)
{
#ifndef HAVE_HIREDIS_SSL
	if (u->is_tls) {
		return err_usage(err, 0,
			"redis URL: this program was built without TLS for "
			"Redis (hiredis_ssl was not there)");
	}
#endif
	if (u->kind == REDIS_CLUSTER && u->db != 0) {
		return err_usage(
			err, 0, "redis URL: a cluster has no databases but 0");
	}
	if (!u->is_tls && (u->ca_file != NULL || u->cert_file != NULL ||
				  u->key_file != NULL)) {
		return err_usage(err, 0,
			"redis URL: certificates are for rediss:// only");
	}
	if ((u->cert_file == NULL) != (u->key_file == NULL)) {
		return err_usage(err, 0,
			"redis URL: cert_file and key_file go together");
	}
	if (u->kind != REDIS_SENTINEL &&
		(u->sentinel_user != NULL ||
			u->sentinel_password_file != NULL)) {
		return err_usage(err, 0,
			"redis URL: it names no Sentinels to show a password");
	}
	return 0;
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
	if (take_hosts(u, host, err) != 0 || take_path(u, place, err) != 0 ||
		take_query(u, rest, err) != 0) {
		return -1;
	}
	return check(u, err);
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
	return take_query(u, rest, err) != 0 ? -1 : check(u, err);
}

static void name_it(struct redis_url *u)
{
	static const char *const schemes[] = { [REDIS_SERVER] = "",
		[REDIS_SENTINEL] = "+sentinel",
		[REDIS_CLUSTER] = "+cluster" };
	struct buf name;

	buf_init(&name, 2 * PART_MAX_BYTES);
	if (u->path != NULL) {
		buf_fmt(&name, "unix://%s", u->path);
	} else {
		buf_fmt(&name, "redis%s%s://", u->is_tls ? "s" : "",
			schemes[u->kind]);
	}
	for (size_t i = 0; i < u->host_count; i++) {
		const struct redis_host *h = &u->hosts[i];
		bool is_v6 = strchr(h->name, ':') != NULL;

		buf_fmt(&name, "%s%s%s%s:%d", i > 0 ? "," : "",
			is_v6 ? "[" : "", h->name, is_v6 ? "]" : "", h->port);
	}
	if (u->primary != NULL) {
		buf_fmt(&name, "/%s", u->primary);
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

static int parse(struct redis_url *u, struct span url, struct err *err)
{
	static const struct {
		const char *begin;
		enum redis_kind kind;
		bool is_tls;
	} schemes[] = {
		{ "redis://", REDIS_SERVER, false },
		{ "rediss://", REDIS_SERVER, true },
		{ "redis+sentinel://", REDIS_SENTINEL, false },
		{ "rediss+sentinel://", REDIS_SENTINEL, true },
		{ "redis+cluster://", REDIS_CLUSTER, false },
		{ "rediss+cluster://", REDIS_CLUSTER, true },
	};

	if (url.len > PART_MAX_BYTES / 2) {
		return err_usage(err, 0, "redis URL: longer than %d bytes",
			PART_MAX_BYTES / 2);
	}
	if (starts_with(&url, "unix://")) {
		return parse_unix(u, url, err);
	}
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		if (starts_with(&url, schemes[i].begin)) {
			u->kind = schemes[i].kind;
			u->is_tls = schemes[i].is_tls;
			return parse_tcp(u, url, err);
		}
	}
	return err_usage(err, 0,
		"redis URL: it begins with none of redis://, rediss://, "
		"unix://, redis+sentinel:// and redis+cluster://");
}

int redis_url_parse(struct redis_url *u, const char *url, struct err *err)
{
	*u = (struct redis_url){ .timeout_ms = DEFAULT_TIMEOUT_MS };
	if (parse(u, span_of(url), err) != 0) {
		redis_url_release(u);
		return -1;
	}
	name_it(u);
	return 0;
}

void redis_url_release(struct redis_url *u)
{
	for (size_t i = 0; i < u->host_count; i++) {
		mem_free(u->hosts[i].name);
	}
	mem_free(u->hosts);
	mem_free(u->path);
	mem_free(u->primary);
	mem_free(u->user);
	mem_free(u->password);
	mem_free(u->password_file);
	mem_free(u->sentinel_user);
	mem_free(u->sentinel_password_file);
	mem_free(u->ca_file);
	mem_free(u->cert_file);
	mem_free(u->key_file);
	mem_free(u->name);
	*u = (struct redis_url){ 0 };
}

int redis_url_check(const char *url, struct err *err)
{
	struct redis_url u;

	if (redis_url_parse(&u, url, err) != 0) {
		return -1;
	}
	redis_url_release(&u);
	return 0;
}
