/* Asks for four settings and says what they mean for a queue. */
#include "queue/persistence.h"

#include <string.h>

#include "base/buf.h"
#include "net/redis.h"

enum { VALUE_BYTES = 128, TEXT_BYTES = 600, SETTING_COUNT = 4 };

enum setting { APPENDONLY, APPENDFSYNC, SAVE, POLICY };

static const char *const names[SETTING_COUNT] = { "appendonly", "appendfsync",
	"save", "maxmemory-policy" };

struct found {
	char values[SETTING_COUNT][VALUE_BYTES];
	bool is_known[SETTING_COUNT];
	struct err err; /* why something is not known */
};

static void take(struct found *f, enum setting which, struct span value)
{
	f->is_known[which] = value.ptr != NULL &&
			     fmt_into(f->values[which], VALUE_BYTES, "%.*s",
				     (int)value.len, value.ptr) == 0;
}

static void ask_config(struct redis *r, const char *queue, struct found *f)
{
	const struct redis_reply *reply;

	for (int i = 0; i < SETTING_COUNT; i++) {
		redis_append_near(r, span_of(queue), 3,
			(struct span[]){ span_of("CONFIG"), span_of("GET"),
				span_of(names[i]) });
	}
	for (int i = 0; i < SETTING_COUNT; i++) {
		if (redis_due(r) == 0) {
			return; /* the connection is lost */
		}
		if (redis_reply(r, &reply, &f->err) == 0) {
			take(f, (enum setting)i,
				redis_text(redis_at(reply, 1)));
		}
	}
}

/* The value of "name:value\r\n"; nothing when it is not there. */
static struct span line_of(struct span info, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = info.ptr; at != NULL && *at != '\0';
		at = strchr(at, '\n'), at += at != NULL) {
		if (strncmp(at, name, len) == 0 && at[len] == ':') {
			return (struct span){ at + len + 1,
				strcspn(at + len + 1, "\r\n") };
		}
	}
	return (struct span){ NULL, 0 };
}

/* Less is told there, but more users may ask. */
static void ask_info(struct redis *r, const char *queue, struct found *f)
{
	static const char *const sections[] = { "persistence", "memory" };
	const struct redis_reply *reply;

	for (int i = 0; i < 2; i++) {
		struct span aof;

		redis_append_near(r, span_of(queue), 2,
			(struct span[]){
				span_of("INFO"), span_of(sections[i]) });
		if (redis_reply(r, &reply, &f->err) != 0) {
			return;
		}
		aof = line_of(redis_text(reply), "aof_enabled");
		if (aof.ptr != NULL) {
			take(f, APPENDONLY,
				span_of(span_is(aof, "1") ? "yes" : "no"));
		}
		if (!f->is_known[POLICY]) {
			take(f, POLICY,
				line_of(redis_text(reply), "maxmemory_policy"));
		}
	}
}

static bool is_value(
	const struct found *f, enum setting which, const char *text)
{
	return f->is_known[which] && strcmp(f->values[which], text) == 0;
}

static const char *disk_finding(const struct found *f)
{
	if (is_value(f, APPENDONLY, "no")) {
		return is_value(f, SAVE, "")
			       ? "Redis keeps the queue in memory only "
				 "(appendonly no, no save): what is queued is "
				 "lost when it ends; set appendonly yes"
			       : "Redis writes no append-only file (appendonly "
				 "no): what was queued since its last snapshot "
				 "is lost when it ends; set appendonly yes";
	}
	if (is_value(f, APPENDFSYNC, "no")) {
		return "Redis leaves its append-only file to the system's "
		       "cache (appendfsync no): a crash of the host may take "
		       "half a minute of pushes with it; set appendfsync "
		       "everysec or always";
	}
	return NULL;
}

static const char *eviction_finding(const struct found *f)
{
	if (!f->is_known[POLICY] || is_value(f, POLICY, "noeviction")) {
		return NULL;
	}
	return strncmp(f->values[POLICY], "volatile", 8) == 0
		       ? "Redis evicts keys that expire when its memory is full: "
			 "marks against repeats may vanish; set "
			 "maxmemory-policy noeviction"
		       : "Redis evicts any key when its memory is full: a whole "
			 "queue may vanish; set maxmemory-policy noeviction";
}

static void ask(const char *url, const char *queue, struct found *f)
{
	struct redis *r;

	if (redis_new(&r, url, &f->err) != 0) {
		return;
	}
	ask_config(r, queue, f);
	if (!f->is_known[APPENDONLY] || !f->is_known[POLICY]) {
		ask_info(r, queue, f);
	}
	redis_close(r);
}

void persistence_look(const char *url, const char *queue,
	persistence_cb *on_finding, void *self)
{
	struct found f = { 0 };
	char text[TEXT_BYTES];

	ask(url, queue, &f);
	if ((!f.is_known[APPENDONLY] || !f.is_known[POLICY]) &&
		fmt_into(text, sizeof(text),
			"cannot check whether Redis keeps the queue on disk "
			"and evicts nothing (%s)",
			f.err.text) == 0) {
		on_finding(self, false, text);
	}
	if (disk_finding(&f) != NULL) {
		on_finding(self, true, disk_finding(&f));
	}
	if (eviction_finding(&f) != NULL) {
		on_finding(self, true, eviction_finding(&f));
	}
}
