/* JSON, three lines of it. */
#include "sentry/envelope.h"

#include <time.h>
#include <unistd.h>

#include "base/digest.h"

enum {
	EVENT_MAX_BYTES = 64 * 1024,
	TEXT_MAX_BYTES = 8000, /* what Sentry keeps of a message */
	ID_BYTES = 33,
	LIMIT_DEFAULT_MS = 60 * 1000, /* of a bare 429 */
	LIMIT_MAX_S = 24 * 3600,
	MS_PER_S = 1000,
};

static void make_id(const struct envelope *e, char id[ID_BYTES])
{
	pid_t pid = getpid();
	struct digest digest = digest_of_parts(
		(struct digest_part[]){ { e->server, strlen(e->server) },
			{ &pid, sizeof(pid) },
			{ &e->serial, sizeof(e->serial) },
			{ &e->now_unix_ms, sizeof(e->now_unix_ms) } },
		4);

	digest_hex(&digest, DIGEST_BYTES, id);
}

/* Our levels' names in Sentry's. */
static const char *level_of(const struct json *line)
{
	struct span text = json_text(json_get(line, "text"));

	if (text.len > 6 && memcmp(text.ptr, "fatal:", 6) == 0) {
		return "fatal";
	}
	return json_is_text(json_get(line, "level"), "error") ? "error"
							      : "warning";
}

static void put_event(const struct envelope *e, const char *id, struct buf *out)
{
	struct span program = json_text(json_get(e->line, "program"));
	struct span node = json_text(json_get(e->line, "node"));
	struct span text = json_text(json_get(e->line, "text"));
	int64_t time_ms = e->now_unix_ms;
	int64_t pid = 0;

	if (text.len > TEXT_MAX_BYTES) {
		text.len = TEXT_MAX_BYTES;
	}
	if (json_int(json_get(e->line, "time_ms"), &time_ms) != 0 ||
		json_int(json_get(e->line, "pid"), &pid) != 0) {
		pid = 0;
	}
	buf_putc(out, '{');
	json_put_member(out, "event_id", span_of(id));
	buf_fmt(out, ",\"timestamp\":%lld.%03d",
		(long long)(time_ms / MS_PER_S), (int)(time_ms % MS_PER_S));
	json_put_member(out, "platform", span_of("native"));
	json_put_member(out, "level", span_of(level_of(e->line)));
	json_put_member(out, "logger", program);
	json_put_member(out, "server_name", span_of(e->server));
	json_put_member(out, "release", span_of("pushpipe@" PUSH_VERSION));
	if (e->environment != NULL) {
		json_put_member(out, "environment", span_of(e->environment));
	}
	buf_text(out, ",\"tags\":{");
	json_put_member(out, "program", program);
	if (node.ptr != NULL) {
		json_put_member(out, "node", node);
	}
	buf_text(out, "},\"fingerprint\":[");
	json_put_span(out, program);
	buf_putc(out, ',');
	json_put_text(out, e->group, strlen(e->group));
	buf_text(out, "],\"logentry\":{");
	json_put_member(out, "formatted", text);
	/* Or Sentry's lists would have a title without the program, and its
	 * development server nothing at all. */
	buf_text(out, "},\"exception\":{\"values\":[{");
	json_put_member(out, "type", program);
	json_put_member(out, "value", text);
	buf_fmt(out, "}]},\"extra\":{\"pid\":%lld,\"more_like_this\":%llu}}",
		(long long)pid, (unsigned long long)e->held);
}

void envelope_put(const struct envelope *e, struct buf *out)
{
	time_t seconds = (time_t)(e->now_unix_ms / MS_PER_S);
	char id[ID_BYTES];
	struct buf event;
	struct tm parts;

	make_id(e, id);
	buf_init(&event, EVENT_MAX_BYTES);
	put_event(e, id, &event);
	buf_fmt(out, "{\"event_id\":\"%s\"", id);
	if (gmtime_r(&seconds, &parts) != NULL) {
		buf_fmt(out, ",\"sent_at\":\"%04d-%02d-%02dT%02d:%02d:%02dZ\"",
			parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
			parts.tm_hour, parts.tm_min, parts.tm_sec);
	}
	buf_fmt(out, "}\n{\"type\":\"event\",\"length\":%zu}\n", event.len);
	buf_put(out, event.data, event.len);
	buf_putc(out, '\n');
	buf_release(&event);
}

/* Whether the categories of one limit, "error;default:...", include errors; none
 * means all. */
static bool is_for_errors(const char *at, const char *end)
{
	if (at == end) {
		return true;
	}
	while (at < end) {
		const char *stop = memchr(at, ';', (size_t)(end - at));
		size_t len = (size_t)((stop == NULL ? end : stop) - at);

		if (len == 5 && memcmp(at, "error", 5) == 0) {
			return true;
		}
		at += len + 1;
	}
	return false;
}

/* "60:error;transaction:key:reason, 2700:default:organization" */
static int64_t limits_ms(struct span limits)
{
	const char *at = limits.ptr;
	const char *end = limits.ptr + limits.len;
	int64_t longest_s = 0;

	while (at < end) {
		const char *stop = memchr(at, ',', (size_t)(end - at));
		int64_t seconds = 0;
		const char *from;
		const char *to;

		stop = stop == NULL ? end : stop;
		while (at < stop && *at == ' ') {
			at++;
		}
		for (; at < stop && *at >= '0' && *at <= '9'; at++) {
			seconds = seconds < LIMIT_MAX_S
					  ? seconds * 10 + (*at - '0')
					  : LIMIT_MAX_S;
		}
		from = at < stop && *at == ':' ? at + 1 : stop;
		to = memchr(from, ':', (size_t)(stop - from));
		if (is_for_errors(from, to == NULL ? stop : to) &&
			seconds > longest_s) {
			longest_s = seconds;
		}
		at = stop + 1;
	}
	return (longest_s < LIMIT_MAX_S ? longest_s : LIMIT_MAX_S) * MS_PER_S;
}

int64_t envelope_hold_ms(
	int status, struct span rate_limits, int64_t retry_after_ms)
{
	if (rate_limits.ptr != NULL) {
		return limits_ms(rate_limits);
	}
	if (status != 429) {
		return 0;
	}
	return retry_after_ms > 0 ? retry_after_ms : LIMIT_DEFAULT_MS;
}
