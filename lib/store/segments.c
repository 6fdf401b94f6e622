/* Memberships in and out of JSON, and the way to where they are kept. */
#include "store/segments.h"

#include <string.h>

#include "base/mem.h"
#include "store/segments_backend.h"

struct segments {
	const struct segments_backend *backend;
	void *self;
	struct devices_sink page;
};

/* --- memberships --- */

static int check_text(
	const char *name, struct span s, size_t max_bytes, struct err *err)
{
	if (s.len > max_bytes) {
		return err_usage(err, 0, "'%s' is longer than %zu bytes", name,
			max_bytes);
	}
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f) {
			return err_usage(
				err, 0, "'%s' holds control characters", name);
		}
	}
	return json_is_utf8(s.ptr, s.len)
		       ? 0
		       : err_usage(err, 0, "'%s' is not UTF-8", name);
}

int membership_check(const struct membership *m, struct err *err)
{
	if (m->segment.len == 0) {
		return err_usage(err, 0, "'segment' is missing or empty");
	}
	if (m->user.len == 0) {
		return err_usage(err, 0, "'user' is missing or empty");
	}
	return check_text("app", m->app, DEVICE_APP_MAX_BYTES, err) != 0 ||
			       check_text("segment", m->segment,
				       SEGMENT_NAME_MAX_BYTES, err) != 0 ||
			       check_text("user", m->user,
				       DEVICE_USER_MAX_BYTES, err) != 0
		       ? -1
		       : 0;
}

int membership_parse(
	struct membership *out, const struct json *v, struct err *err)
{
	const struct json *app = json_get(v, "app");

	*out = (struct membership){ json_text(app),
		json_text(json_get(v, "segment")),
		json_text(json_get(v, "user")) };
	if (app != NULL && out->app.ptr == NULL) {
		return err_usage(err, 0, "'app' is no text");
	}
	return membership_check(out, err);
}

void membership_write(const struct membership *m, struct buf *out)
{
	buf_putc(out, '{');
	if (m->app.len > 0) {
		json_put_member(out, "app", m->app);
	}
	json_put_member(out, "segment", m->segment);
	json_put_member(out, "user", m->user);
	buf_putc(out, '}');
}

/* --- where they are kept --- */

int segments_open(struct segments **out, const char *url, struct err *err)
{
	void *self = NULL;
	const struct segments_backend *backend =
		strncmp(url, "lmdb:", 5) == 0
			? segments_embedded_open(&self, url, err)
			: segments_redis_open(&self, url, err);

	if (backend == NULL) {
		return -1;
	}
	*out = mem_array(1, sizeof(**out));
	(*out)->backend = backend;
	(*out)->self = self;
	buf_init(&(*out)->page.bytes, SIZE_MAX);
	return 0;
}

void segments_close(struct segments *s)
{
	if (s != NULL) {
		s->backend->close(s->self);
		buf_release(&s->page.bytes);
		mem_free(s->page.ends);
		mem_free(s);
	}
}

int segments_put(struct segments *s, const struct membership *list,
	size_t count, uint64_t *added, struct err *err)
{
	if (count > SEGMENTS_BATCH_MAX) {
		BUG("%zu memberships at once", count);
	}
	return count == 0 ? 0
			  : s->backend->put(s->self, list, count, added, err);
}

int segments_remove(struct segments *s, const struct membership *which,
	uint64_t *removed, struct err *err)
{
	if (which->segment.len == 0) {
		return err_usage(err, 0, "no segment named");
	}
	return s->backend->remove(s->self, which, removed, err);
}

int segments_page(struct segments *s, const struct membership *after,
	size_t max, size_t *count, struct err *err)
{
	devices_sink_reset(&s->page);
	if (s->backend->page(s->self, after, max, &s->page, err) != 0) {
		return -1;
	}
	*count = s->page.count;
	return 0;
}

struct span segments_user(const struct segments *s, size_t place)
{
	return devices_sink_at(&s->page, place);
}

/* The page's users, each as exported; *last becomes the last one's name. */
static bool show_page(struct segments *s, const struct membership *which,
	struct buf *last, devices_cb *cb, void *self)
{
	struct membership m = *which;
	bool goes_on = true;
	struct buf line;

	buf_init(&line, SIZE_MAX);
	for (size_t i = 0; goes_on && i < s->page.count; i++) {
		m.user = segments_user(s, i);
		buf_reset(&line);
		membership_write(&m, &line);
		goes_on = cb(self, (struct span){ line.data, line.len });
	}
	buf_release(&line);
	if (s->page.count > 0) {
		m.user = segments_user(s, s->page.count - 1);
		buf_reset(last);
		buf_put(last, m.user.ptr, m.user.len);
	}
	return goes_on;
}

int segments_each_of(struct segments *s, const struct membership *which,
	devices_cb *cb, void *self, struct err *err)
{
	enum { PAGE = 1000 };
	struct membership after = *which;
	struct buf last;
	size_t count = PAGE;
	int result = 0;

	buf_init(&last, DEVICE_USER_MAX_BYTES);
	while (result == 0 && count == PAGE) {
		result = segments_page(s, &after, PAGE, &count, err);
		if (result != 0 || !show_page(s, which, &last, cb, self)) {
			break;
		}
		after.user = (struct span){ last.data, last.len };
	}
	buf_release(&last);
	return result;
}

int segments_each(
	struct segments *s, devices_cb *cb, void *self, struct err *err)
{
	return s->backend->each(s->self, cb, self, err);
}
