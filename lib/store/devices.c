/* Registrations in and out of JSON, and the way to where they are kept. */
#include "store/devices.h"

#include <string.h>

#include "base/mem.h"
#include "store/devices_backend.h"

enum { IOS_TOKEN_MIN = 8 };

struct devices {
	const struct devices_backend *backend;
	void *self;
	struct devices_sink sink;
};

/* --- registrations --- */

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f) {
			return false;
		}
	}
	return json_is_utf8(s.ptr, s.len);
}

static int check_text(
	const char *name, struct span s, size_t max_bytes, struct err *err)
{
	if (s.ptr != NULL && (s.len == 0 || s.len > max_bytes)) {
		return err_usage(err, 0, "'%s' is not 1 to %zu bytes long",
			name, max_bytes);
	}
	return is_printable(s) ? 0
			       : err_usage(err, 0,
					 "'%s' holds control characters or is "
					 "not UTF-8",
					 name);
}

/* APNs tokens are bytes in hexadecimal, of a length that Apple does not
 * promise.  FCM's are opaque, without blanks. */
static int check_token(const struct device *d, struct err *err)
{
	static const char hex[] = "0123456789abcdefABCDEF";

	if (d->token.len == 0 || d->token.len > DEVICE_TOKEN_MAX_BYTES) {
		return err_usage(err, 0, "'token' is not 1 to %d bytes long",
			DEVICE_TOKEN_MAX_BYTES);
	}
	for (size_t i = 0; i < d->token.len; i++) {
		char c = d->token.ptr[i];

		if (d->platform == PLATFORM_IOS
				? c == '\0' || strchr(hex, c) == NULL
				: c <= ' ' || c > '~') {
			return err_usage(err, 0,
				d->platform == PLATFORM_IOS
					? "'token' is not hexadecimal"
					: "'token' holds characters that no "
					  "token has");
		}
	}
	if (d->platform == PLATFORM_IOS && d->token.len % 2 != 0) {
		return err_usage(err, 0,
			"'token' is no whole number of bytes in hexadecimal");
	}
	if (d->platform == PLATFORM_IOS && d->token.len < IOS_TOKEN_MIN) {
		return err_usage(err, 0,
			"'token' is shorter than %d hexadecimal digits",
			IOS_TOKEN_MIN);
	}
	return 0;
}

int device_check(const struct device *d, struct err *err)
{
	if (d->platform == PLATFORM_NONE) {
		return err_usage(err, 0, "'platform' is not ios or android");
	}
	if (d->user.ptr == NULL) {
		return err_usage(err, 0, "'user' is missing");
	}
	if (d->environment.ptr != NULL &&
		!span_is(d->environment, "production") &&
		!span_is(d->environment, "sandbox")) {
		return err_usage(
			err, 0, "'environment' is not production or sandbox");
	}
	if (d->registered_unix_ms < 0) {
		return err_usage(err, 0, "'registered_ms' is negative");
	}
	if (check_token(d, err) != 0 ||
		check_text("app", d->app, DEVICE_APP_MAX_BYTES, err) != 0 ||
		check_text("user", d->user, DEVICE_USER_MAX_BYTES, err) != 0 ||
		check_text("locale", d->locale, DEVICE_LABEL_MAX_BYTES, err) !=
			0) {
		return -1;
	}
	return check_text(
		"time_zone", d->time_zone, DEVICE_LABEL_MAX_BYTES, err);
}

/* A text member that may be absent, but not of another type. */
static int read_text(struct span *out, const struct json *v, const char *name,
	struct err *err)
{
	const struct json *member = json_get(v, name);

	*out = json_text(member);
	return member == NULL || out->ptr != NULL
		       ? 0
		       : err_usage(err, 0, "'%s' is no text", name);
}

int device_parse(struct device *out, const struct json *v, int64_t now_unix_ms,
	struct err *err)
{
	const struct json *time = json_get(v, "registered_ms");
	struct span platform;

	*out = (struct device){ .registered_unix_ms = now_unix_ms };
	if (json_type(v) != JSON_OBJECT) {
		return err_usage(err, 0, "not an object");
	}
	if (time != NULL && json_int(time, &out->registered_unix_ms) != 0) {
		return err_usage(err, 0, "'registered_ms' is no whole number");
	}
	if (read_text(&out->app, v, "app", err) != 0 ||
		read_text(&out->user, v, "user", err) != 0 ||
		read_text(&platform, v, "platform", err) != 0 ||
		read_text(&out->token, v, "token", err) != 0 ||
		read_text(&out->environment, v, "environment", err) != 0 ||
		read_text(&out->locale, v, "locale", err) != 0 ||
		read_text(&out->time_zone, v, "time_zone", err) != 0) {
		return -1;
	}
	out->platform = platform_parse(platform);
	return device_check(out, err);
}

static void put_text(struct buf *out, const char *name, struct span s)
{
	if (s.ptr != NULL) {
		json_put_member(out, name, s);
	}
}

void device_write(const struct device *d, struct buf *out)
{
	buf_putc(out, '{');
	put_text(out, "platform", span_of(platform_name(d->platform)));
	put_text(out, "token", d->token);
	put_text(out, "environment", d->environment);
	put_text(out, "locale", d->locale);
	put_text(out, "time_zone", d->time_zone);
	json_put_name(out, "registered_ms");
	buf_i64(out, d->registered_unix_ms);
	buf_putc(out, '}');
}

void device_write_whole(
	struct span app, struct span user, struct span json, struct buf *out)
{
	buf_putc(out, '{');
	put_text(out, "app", app.len == 0 ? (struct span){ NULL, 0 } : app);
	put_text(out, "user", user);
	if (json.len > 2) {
		buf_putc(out, ',');
		buf_put(out, json.ptr + 1, json.len - 2);
	}
	buf_putc(out, '}');
}

struct span device_token(
	const struct device *d, char dst[DEVICE_TOKEN_MAX_BYTES])
{
	if (d->platform != PLATFORM_IOS ||
		d->token.len > DEVICE_TOKEN_MAX_BYTES) {
		return d->token;
	}
	for (size_t i = 0; i < d->token.len; i++) {
		char c = d->token.ptr[i];

		dst[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	return (struct span){ dst, d->token.len };
}

struct digest device_key(const struct device *d)
{
	char lower[DEVICE_TOKEN_MAX_BYTES];
	struct span token = device_token(d, lower);
	struct span platform = span_of(platform_name(d->platform));
	struct digest_part parts[] = {
		{ d->app.ptr, d->app.len },
		{ platform.ptr, platform.len },
		{ token.ptr, token.len },
	};

	return digest_of_parts(parts, 3);
}

/* --- the registry --- */

int devices_open(struct devices **out, const char *url, struct err *err)
{
	const struct devices_backend *backend;
	void *self = NULL;

	if (strncmp(url, "lmdb:", 5) == 0) {
		backend = devices_embedded_open(&self, url, err);
	} else if (strncmp(url, "redis", 5) == 0 ||
		   strncmp(url, "unix:", 5) == 0) {
		backend = devices_redis_open(&self, url, err);
	} else if (strcmp(url, "memory:") == 0) {
		return err_usage(err, 0,
			"no device registry is named: expected lmdb:PATH, "
			"redis://HOST or unix:///PATH");
	} else {
		/* Not the whole of it: it may hold a password. */
		return err_usage(err, 0,
			"no device registry at '%.*s': expected lmdb:PATH, "
			"redis://HOST or unix:///PATH",
			(int)strcspn(url, ":/?@"), url);
	}
	if (backend == NULL) {
		return -1;
	}
	*out = mem_array(1, sizeof(**out));
	(*out)->backend = backend;
	(*out)->self = self;
	buf_init(&(*out)->sink.bytes, SIZE_MAX);
	return 0;
}

void devices_close(struct devices *d)
{
	if (d != NULL) {
		d->backend->close(d->self);
		buf_release(&d->sink.bytes);
		mem_free(d->sink.ends);
		mem_free(d);
	}
}

int devices_put(struct devices *d, const struct device *list, size_t count,
	struct devices_counts *counts, struct err *err)
{
	if (count > DEVICES_BATCH_MAX) {
		BUG("%zu devices at once", count);
	}
	return count == 0 ? 0
			  : d->backend->put(d->self, list, count, counts, err);
}

int devices_remove(struct devices *d, const struct device *which,
	size_t *removed, struct err *err)
{
	if (which->user.ptr == NULL && which->token.ptr == NULL) {
		return err_usage(err, 0, "neither user nor token to remove");
	}
	if (which->token.ptr != NULL && which->platform == PLATFORM_NONE) {
		return err_usage(err, 0,
			"a token is removed with its platform, ios or android");
	}
	*removed = 0;
	return d->backend->remove(d->self, which, removed, err);
}

int devices_prune(struct devices *d, const struct device *which,
	int64_t dead_unix_ms, bool is_dry, size_t *removed, struct err *err)
{
	*removed = 0;
	return d->backend->prune(
		d->self, which, dead_unix_ms, is_dry, removed, err);
}

int devices_find(struct devices *d, struct devices_query *queries, size_t count,
	struct err *err)
{
	devices_sink_reset(&d->sink);
	return count == 0 ? 0
			  : d->backend->find(
				    d->self, queries, count, &d->sink, err);
}

void devices_queries_add(
	struct devices_queries *list, struct span app, struct span user)
{
	if (list->count == list->cap) {
		list->cap = list->cap == 0 ? 256 : list->cap * 2;
		list->items = mem_resize(
			list->items, list->cap, sizeof(*list->items));
	}
	list->items[list->count++] =
		(struct devices_query){ .app = app, .user = user };
}

void devices_queries_reset(struct devices_queries *list)
{
	list->count = 0;
}

void devices_queries_release(struct devices_queries *list)
{
	mem_free(list->items);
	*list = (struct devices_queries){ 0 };
}

void devices_sink_reset(struct devices_sink *sink)
{
	buf_reset(&sink->bytes);
	sink->count = 0;
}

void devices_sink_add(struct devices_sink *sink, struct span text)
{
	if (sink->count == sink->cap) {
		sink->cap = sink->cap == 0 ? 256 : sink->cap * 2;
		sink->ends =
			mem_resize(sink->ends, sink->cap, sizeof(*sink->ends));
	}
	buf_put(&sink->bytes, text.ptr, text.len);
	sink->ends[sink->count++] = sink->bytes.len;
}

struct span devices_sink_at(const struct devices_sink *sink, size_t place)
{
	size_t begin = place == 0 ? 0 : sink->ends[place - 1];

	if (place >= sink->count) {
		BUG("found %zu, not %zu", sink->count, place + 1);
	}
	return (struct span){ sink->bytes.data + begin,
		sink->ends[place] - begin };
}

struct span devices_found(const struct devices *d, size_t place)
{
	return devices_sink_at(&d->sink, place);
}

int devices_each(struct devices *d, devices_cb *cb, void *self, struct err *err)
{
	return d->backend->each(d->self, cb, self, err);
}

int devices_each_of(struct devices *d, const struct devices_query *user,
	devices_cb *cb, void *self, struct err *err)
{
	struct devices_query q = *user;
	struct buf line;
	bool goes_on = true;

	if (q.user.ptr == NULL) {
		return err_usage(err, 0, "no user given to list devices of");
	}
	if (devices_find(d, &q, 1, err) != 0) {
		return -1;
	}
	buf_init(&line, SIZE_MAX);
	for (size_t i = 0; goes_on && i < q.count; i++) {
		buf_reset(&line);
		device_write_whole(
			q.app, q.user, devices_found(d, q.first + i), &line);
		goes_on = cb(self, (struct span){ line.data, line.len });
	}
	buf_release(&line);
	return 0;
}
