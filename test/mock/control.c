/*
 * The control file: for each vendor, what goes wrong from now on.
 *
 * A table of members, so that a misspelt one is an error and not an order that
 * nobody follows.
 */
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "fault.h"
#include "record/json.h"

enum { CONTROL_MAX_BYTES = 1024 * 1024 };

enum kind { KIND_COUNT, KIND_FLAG, KIND_TEXT, KIND_ERROR };

struct row {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct orders */
};

/* KIND_COUNT members are 64 bits wide, whatever their sign. */
static const struct row ORDERS[] = {
	{ "delay_ms", KIND_COUNT, offsetof(struct orders, delay_ms) },
	{ "goaway_after", KIND_COUNT, offsetof(struct orders, goaway_after) },
	{ "goaway_then_close", KIND_FLAG,
		offsetof(struct orders, is_goaway_hard) },
	{ "goaway_reason", KIND_TEXT, offsetof(struct orders, goaway_reason) },
	{ "refuse_every", KIND_COUNT, offsetof(struct orders, refuse_every) },
	{ "reset_every", KIND_COUNT, offsetof(struct orders, reset_every) },
	{ "close_after", KIND_COUNT, offsetof(struct orders, close_after) },
	{ "stream_limit", KIND_COUNT, offsetof(struct orders, stream_limit) },
	{ "clock_ahead_s", KIND_COUNT, offsetof(struct orders, clock_ahead_s) },
	{ "clock_behind_s", KIND_COUNT,
		offsetof(struct orders, clock_behind_s) },
	{ "early_answer", KIND_FLAG, offsetof(struct orders, is_early) },
	{ "silent", KIND_FLAG, offsetof(struct orders, is_silent) },
	{ "frozen", KIND_FLAG, offsetof(struct orders, is_frozen) },
	{ "down", KIND_FLAG, offsetof(struct orders, is_down) },
	{ "rate_limits", KIND_TEXT, offsetof(struct orders, rate_limits) },
	{ "revoke", KIND_FLAG, offsetof(struct orders, is_revoked) },
	{ "error", KIND_ERROR, 0 },
};

static int read_text(char dst[REASON_MAX_BYTES], const struct json *v,
	const char *name, struct err *err)
{
	struct span text = json_text(v);

	if (text.ptr == NULL || fmt_into(dst, REASON_MAX_BYTES, "%.*s",
					(int)text.len, text.ptr) != 0) {
		return err_usage(err, 0, "'%s' is not a short text", name);
	}
	return 0;
}

static int read_count(
	int64_t *out, const struct json *v, const char *name, struct err *err)
{
	if (json_int(v, out) != 0 || *out < 0) {
		return err_usage(
			err, 0, "'%s' is not a whole number from 0", name);
	}
	return 0;
}

/* A share from 0 to 1, as in "0.25". */
static int read_ratio(double *out, const struct json *v, struct err *err)
{
	struct buf text;
	double ratio = 0.0;
	double unit = 0.0; /* of the next digit; 0: before the point */
	bool is_good = json_type(v) == JSON_NUMBER;

	buf_init(&text, REASON_MAX_BYTES);
	if (is_good) {
		json_write(&text, v);
	}
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (c == '.') {
			unit = 0.1;
		} else if (c < '0' || c > '9') {
			is_good = false;
		} else if (unit > 0.0) {
			ratio += (c - '0') * unit;
			unit /= 10.0;
		} else {
			ratio = ratio * 10.0 + (c - '0');
		}
	}
	buf_release(&text);
	if (!is_good || ratio > 1.0) {
		return err_usage(err, 0, "'ratio' is not a number from 0 to 1");
	}
	*out = ratio;
	return 0;
}

static int read_error_member(struct orders *o, struct span name,
	const struct json *v, struct err *err)
{
	int64_t n = 0;
	char label[REASON_MAX_BYTES];

	if (span_is(name, "reason")) {
		return read_text(o->error_reason, v, "reason", err);
	}
	if (span_is(name, "ratio")) {
		return read_ratio(&o->error_ratio, v, err);
	}
	if (span_is(name, "html")) {
		o->error.is_html = json_bool(v, false);
		return 0;
	}
	if (fmt_into(label, sizeof(label), "error.%.*s", (int)name.len,
		    name.ptr) != 0 ||
		read_count(&n, v, label, err) != 0) {
		return -1;
	}
	if (span_is(name, "status") && n >= 100 && n <= 599) {
		o->error.status = (int)n;
	} else if (span_is(name, "times")) {
		o->error_times = (uint64_t)n;
	} else if (span_is(name, "times_per_token") && n <= INT32_MAX) {
		o->error.first = (unsigned)n;
	} else if (span_is(name, "retry_after_s")) {
		o->error.retry_after_s = n;
	} else if (span_is(name, "timestamp_ms")) {
		o->error.timestamp_ms = n;
	} else {
		return err_usage(
			err, 0, "'%s' is unknown or out of range", label);
	}
	return 0;
}

static int read_error(struct orders *o, const struct json *v, struct err *err)
{
	struct json_iter it = json_iter(v);
	const struct json *member = NULL;

	o->error.kind = FAULT_ANSWER;
	o->error.retry_after_s = -1;
	o->error_ratio = 1.0;
	while ((member = json_next(&it)) != NULL) {
		if (read_error_member(o, it.name, member, err) != 0) {
			return -1;
		}
	}
	if (o->error.status == 0) {
		return err_usage(err, 0, "'error' needs a status");
	}
	return 0;
}

static int read_member(struct orders *o, const struct row *row,
	const struct json *v, struct err *err)
{
	char *at = (char *)o + row->offset;
	int64_t n = 0;
	bool is_on = false;

	switch (row->kind) {
	case KIND_COUNT:
		if (read_count(&n, v, row->name, err) != 0) {
			return -1;
		}
		memcpy(at, &n, sizeof(n));
		return 0;
	case KIND_FLAG:
		if (json_type(v) != JSON_BOOL) {
			return err_usage(
				err, 0, "'%s' is not true or false", row->name);
		}
		is_on = json_bool(v, false);
		memcpy(at, &is_on, sizeof(is_on));
		return 0;
	case KIND_TEXT:
		return read_text(at, v, row->name, err);
	case KIND_ERROR:
		return read_error(o, v, err);
	}
	BUG("no such kind of member");
}

static int read_orders(struct orders *o, const char *vendor,
	const struct json *v, struct err *err)
{
	struct json_iter it = json_iter(v);
	const struct json *member = NULL;

	while ((member = json_next(&it)) != NULL) {
		const struct row *row = ORDERS;
		const struct row *end =
			ORDERS + sizeof(ORDERS) / sizeof(*ORDERS);
		while (row < end && !span_is(it.name, row->name)) {
			row++;
		}
		if (row == end) {
			return err_usage(err, 0, "%s: unknown member '%.*s'",
				vendor, (int)it.name.len, it.name.ptr);
		}
		if (read_member(o, row, member, err) != 0) {
			return err_prefix(err, "%s", vendor);
		}
	}
	return 0;
}

static int read_root(
	struct control *c, const struct json *root, struct err *err)
{
	struct json_iter it = json_iter(root);
	const struct json *member = NULL;

	if (json_type(root) != JSON_OBJECT) {
		return err_usage(err, 0, "not a JSON object");
	}
	while ((member = json_next(&it)) != NULL) {
		int v = 0;
		while (v < VENDOR_COUNT &&
			!span_is(it.name, vendor_name((enum vendor_id)v))) {
			v++;
		}
		if (v < VENDOR_COUNT) {
			if (read_orders(&c->of[v],
				    vendor_name((enum vendor_id)v), member,
				    err) != 0) {
				return -1;
			}
		} else if (span_is(it.name, "markers")) {
			c->has_markers = json_bool(member, true);
		} else {
			return err_usage(err, 0, "unknown member '%.*s'",
				(int)it.name.len, it.name.ptr);
		}
	}
	return 0;
}

int control_read(struct control *c, const char *path, struct err *err)
{
	struct control fresh = { .has_markers = true };
	struct json_doc *doc = NULL;
	struct buf text;
	int rc = -1;

	buf_init(&text, CONTROL_MAX_BYTES);
	if (path != NULL && buf_read_file(&text, path, err) != 0) {
		goto out;
	}
	if (text.len > 0) {
		doc = json_parse(text.data, text.len, JSON_COMMENTS, err);
		if (doc == NULL ||
			read_root(&fresh, json_root(doc), err) != 0) {
			(void)err_prefix(err, "'%s'", path); /* -1 below */
			goto out;
		}
	}
	*c = fresh;
	rc = 0;
out:
	json_free(doc);
	buf_release(&text);
	return rc;
}
