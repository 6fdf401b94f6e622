/*
 * What Sentry's documents ask of an envelope, and nothing more forgiving: the
 * real one passes over what it does not understand, which helps nobody who
 * misspells a member.
 *
 * Source: develop.sentry.dev, "Envelopes", "Event Payloads", "Authentication",
 * "Rate Limiting", read 2026-11.
 */
#include "sentry.h"

#include <string.h>

#include "base/mem.h"
#include "record/json.h"

enum {
	ID_LEN = 32,
	TAG_NAME_MAX_LEN = 32,
	TAG_MAX_LEN = 200,
	RELEASE_MAX_LEN = 250,
	LOGGER_MAX_LEN = 64,
	ENVIRONMENT_MAX_LEN = 64,
	NOT_FOUND = 404,
};

struct sentry {
	const struct credentials *credentials;
	const struct control *control;
};

/* --- who sends --- */

/* The value of `name' in "Sentry name=value, name=value". */
static struct span auth_member(struct span auth, const char *name)
{
	const char *at = auth.ptr;
	const char *end = auth.ptr + auth.len;
	const size_t len = strlen(name);

	while (at < end) {
		const char *stop = memchr(at, ',', (size_t)(end - at));

		stop = stop == NULL ? end : stop;
		while (at < stop && *at == ' ') {
			at++;
		}
		if ((size_t)(stop - at) > len && at[len] == '=' &&
			memcmp(at, name, len) == 0) {
			at += len + 1;
			return (struct span){ at, (size_t)(stop - at) };
		}
		at = stop + 1;
	}
	return (struct span){ NULL, 0 };
}

/* Refuses what is not from whom we know; true: it is. */
static bool check_sender(const struct sentry *s, struct exchange *x)
{
	struct span auth = exchange_field(x, FIELD_SENTRY_AUTH);
	struct span path = exchange_field(x, FIELD_PATH);
	const struct sentry_key *key;
	struct span client;
	struct buf want;
	bool is_there;

	if (!starts_with(auth, "Sentry ")) {
		exchange_refuse(x, 401, "no X-Sentry-Auth");
		return false;
	}
	auth.ptr += strlen("Sentry ");
	auth.len -= strlen("Sentry ");
	if (!span_is(auth_member(auth, "sentry_version"), "7")) {
		exchange_refuse(x, 401, "sentry_version is not 7");
		return false;
	}
	client = auth_member(auth, "sentry_client");
	if (client.ptr == NULL || memchr(client.ptr, '/', client.len) == NULL) {
		exchange_refuse(x, 401, "sentry_client is not NAME/VERSION");
		return false;
	}
	key = credentials_sentry(
		s->credentials, auth_member(auth, "sentry_key"));
	if (key == NULL) {
		exchange_refuse(x, 403, "unknown sentry_key");
		return false;
	}
	buf_init(&want, HEAD_MAX_BYTES);
	buf_fmt(&want, "/api/%s/envelope/", key->project);
	is_there = span_is(path, buf_string(&want));
	buf_release(&want);
	if (!is_there) {
		exchange_refuse(x, NOT_FOUND, "no such project or endpoint");
		return false;
	}
	x->verdict.topic = span_of(key->project);
	return true;
}

/* --- the event --- */

static bool is_id(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
			return false;
		}
	}
	return s.len == ID_LEN;
}

/* 2026-11-20T12:31:58Z or with a fraction. */
static bool is_moment(struct span s)
{
	static const char form[] = "0000-00-00T00:00:00";
	size_t i = 0;

	for (; i < sizeof(form) - 1; i++) {
		if (i >= s.len ||
			(form[i] == '0' ? s.ptr[i] < '0' || s.ptr[i] > '9'
					: s.ptr[i] != form[i])) {
			return false;
		}
	}
	return s.ptr[s.len - 1] == 'Z';
}

static bool is_text(const struct json *v, size_t max_len)
{
	struct span s = json_text(v);

	return s.ptr != NULL && s.len > 0 && s.len <= max_len &&
	       memchr(s.ptr, '\n', s.len) == NULL;
}

static bool is_one_of(const struct json *v, const char *const *names)
{
	while (*names != NULL && !json_is_text(v, *names)) {
		names++;
	}
	return *names != NULL;
}

static bool is_event_id(const struct json *v)
{
	return is_id(json_text(v));
}

static bool is_timestamp(const struct json *v)
{
	return json_type(v) == JSON_NUMBER || is_moment(json_text(v));
}

static bool is_platform(const struct json *v)
{
	static const char *const names[] = { "native", "c", "other", NULL };

	return is_one_of(v, names);
}

static bool is_level(const struct json *v)
{
	static const char *const names[] = { "fatal", "error", "warning",
		"info", "debug", NULL };

	return is_one_of(v, names);
}

static bool is_logger(const struct json *v)
{
	return is_text(v, LOGGER_MAX_LEN);
}

static bool is_name(const struct json *v)
{
	return is_text(v, RELEASE_MAX_LEN);
}

/* "must not contain newlines, spaces or forward slashes". */
static bool is_environment(const struct json *v)
{
	struct span s = json_text(v);

	return is_text(v, ENVIRONMENT_MAX_LEN) &&
	       memchr(s.ptr, ' ', s.len) == NULL &&
	       memchr(s.ptr, '/', s.len) == NULL;
}

static bool is_tags(const struct json *v)
{
	struct json_iter it = json_iter(v);
	const struct json *tag;

	while ((tag = json_next(&it)) != NULL) {
		if (it.name.len > TAG_NAME_MAX_LEN ||
			!is_text(tag, TAG_MAX_LEN)) {
			return false;
		}
	}
	return json_type(v) == JSON_OBJECT;
}

static bool is_fingerprint(const struct json *v)
{
	struct json_iter it = json_iter(v);
	const struct json *part;

	while ((part = json_next(&it)) != NULL) {
		if (json_type(part) != JSON_TEXT) {
			return false;
		}
	}
	return json_type(v) == JSON_ARRAY && json_count(v) > 0;
}

static bool is_logentry(const struct json *v)
{
	struct span text = json_text(json_get(v, "formatted"));

	return text.ptr != NULL && text.len > 0 && text.len <= 8192;
}

static bool is_exception(const struct json *v)
{
	struct json_iter it = json_iter(json_get(v, "values"));
	const struct json *one;

	while ((one = json_next(&it)) != NULL) {
		if (json_text(json_get(one, "type")).ptr == NULL ||
			json_text(json_get(one, "value")).ptr == NULL) {
			return false;
		}
	}
	return json_count(json_get(v, "values")) > 0;
}

static bool is_object(const struct json *v)
{
	return json_type(v) == JSON_OBJECT;
}

/* The members we know; `is_needed' ones must be there. */
static const struct row {
	const char *name;
	bool is_needed;
	bool (*is_good)(const struct json *v);
	const char *why;
} MEMBERS[] = {
	{ "event_id", true, is_event_id, "event_id is not 32 hex digits" },
	{ "timestamp", true, is_timestamp, "timestamp is no time" },
	{ "platform", true, is_platform, "platform is unknown" },
	{ "level", false, is_level, "level is unknown" },
	{ "logger", false, is_logger, "logger is no short text" },
	{ "server_name", false, is_name, "server_name is no short text" },
	{ "release", false, is_name, "release is no short text" },
	{ "environment", false, is_environment, "environment is no name" },
	{ "tags", false, is_tags, "tags are no short texts" },
	{ "fingerprint", false, is_fingerprint, "fingerprint is no list" },
	{ "logentry", false, is_logentry, "logentry has no text" },
	{ "exception", false, is_exception, "exception has no values" },
	{ "extra", false, is_object, "extra is no object" },
	{ NULL, false, NULL, NULL },
};

/* What is wrong with it; NULL: nothing. */
static const char *event_problem(const struct json *event)
{
	struct json_iter it = json_iter(event);
	const struct row *row;

	if (json_type(event) != JSON_OBJECT) {
		return "the event is no JSON object";
	}
	while (json_next(&it) != NULL) {
		for (row = MEMBERS; row->name != NULL; row++) {
			if (span_is(it.name, row->name)) {
				break;
			}
		}
		if (row->name == NULL) {
			return "the event has a member that nobody knows";
		}
	}
	for (row = MEMBERS; row->name != NULL; row++) {
		const struct json *v = json_get(event, row->name);

		if (v == NULL ? row->is_needed : !row->is_good(v)) {
			return row->why;
		}
	}
	return NULL;
}

/* --- the envelope --- */

struct envelope {
	struct json_doc *head; /* all owned */
	struct json_doc *item;
	struct json_doc *event;
};

/* Parses up to the newline, which must be there. */
static struct json_doc *take_line(struct span *rest)
{
	const char *stop =
		rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);
	struct json_doc *doc;
	size_t len;

	if (stop == NULL) {
		return NULL;
	}
	len = (size_t)(stop - rest->ptr);
	doc = json_parse(rest->ptr, len, JSON_STRICT, NULL);
	rest->ptr += len + 1;
	rest->len -= len + 1;
	return doc;
}

/* What is wrong with it; NULL: nothing. */
static const char *read_envelope(struct envelope *e, struct span body)
{
	int64_t length;

	e->head = take_line(&body);
	if (!is_event_id(json_get(json_root(e->head), "event_id")) ||
		!is_moment(
			json_text(json_get(json_root(e->head), "sent_at")))) {
		return "the envelope has no good first line";
	}
	e->item = take_line(&body);
	if (!json_is_text(json_get(json_root(e->item), "type"), "event") ||
		json_int(json_get(json_root(e->item), "length"), &length) !=
			0) {
		return "the item is no event with a length";
	}
	if (length <= 0 || (size_t)length + 1 != body.len ||
		body.ptr[length] != '\n') {
		return "the item is not as long as it says";
	}
	e->event = json_parse(body.ptr, (size_t)length, JSON_STRICT, NULL);
	if (!span_equal(json_text(json_get(json_root(e->event), "event_id")),
		    json_text(json_get(json_root(e->head), "event_id")))) {
		return "the event has another event_id than its envelope";
	}
	return event_problem(json_root(e->event));
}

static void judge(void *self, struct exchange *x)
{
	const struct sentry *s = self;
	const struct orders *orders = &s->control->of[VENDOR_SENTRY];
	struct envelope e = { .head = NULL };
	struct span id;
	const char *problem;

	if (!span_is(exchange_field(x, FIELD_METHOD), "POST")) {
		exchange_refuse(x, 405, "not a POST");
		return;
	}
	if (!check_sender(s, x)) {
		return;
	}
	if (!span_is(exchange_field(x, FIELD_CONTENT_TYPE),
		    "application/x-sentry-envelope")) {
		exchange_refuse(x, 415, "not an envelope");
		return;
	}
	if (buf_is_over(&x->body)) {
		exchange_refuse(x, 413, "too large");
		return;
	}
	problem = read_envelope(
		&e, (struct span){
			    x->body.len > 0 ? x->body.data : "", x->body.len });
	if (problem != NULL) {
		exchange_refuse(x, 400, problem);
	} else {
		id = json_text(json_get(json_root(e.head), "event_id"));
		x->verdict.status = 200;
		x->verdict.id = exchange_note(x, id.ptr, id.len);
		x->verdict.identity = x->verdict.id;
	}
	if (orders->rate_limits[0] != '\0') {
		x->verdict.rate_limits = span_of(orders->rate_limits);
	}
	json_free(e.head);
	json_free(e.item);
	json_free(e.event);
}

static void format(void *self, struct exchange *x)
{
	const struct verdict *v = &x->verdict;
	struct buf *b = &x->answer;

	(void)self;
	x->answer_type = "application/json";
	buf_putc(b, '{');
	if (v->status == 200) {
		json_put_member(b, "id", v->id);
	} else {
		json_put_name(b, "detail");
		json_put_span(
			b, span_of(v->reason == NULL ? "refused" : v->reason));
	}
	buf_putc(b, '}');
}

struct sentry *sentry_new(
	const struct credentials *credentials, const struct control *control)
{
	struct sentry *s = mem_array(1, sizeof(*s));

	s->credentials = credentials;
	s->control = control;
	return s;
}

void sentry_free(struct sentry *s)
{
	mem_free(s);
}

struct vendor sentry_vendor(struct sentry *s)
{
	return (struct vendor){
		.id = VENDOR_SENTRY,
		.hosts = " sentry.io ",
		.self = s,
		.stream_limit = 100,
		.tells_date = true,
		.speaks_plain = true,
		.judge = judge,
		.format = format,
	};
}
