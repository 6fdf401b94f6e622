/*
 * Loading push.conf, and the table of everything it may hold.
 */
#include "record/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/place.h"

enum { CONF_MAX_BYTES = 4 * 1024 * 1024, PATH_BYTES = 256 };

struct conf {
	struct json_doc *doc; /* owned; NULL: empty */
	char *folder;         /* owned; of the file, with its slash, or "" */
	char *path;           /* owned; of the file; NULL: it was none */
	struct buf text;      /* as it was read */
};

/*
 * Types: text, int, bool, duration, file (one that is to be read), redis (URL
 * of one), store (URL of a place for state), any, object, map (any names), list
 * (of what the row path[] says), or words joined by | for a choice.
 */
/* clang-format off */
static const struct conf_row table[] = {
	{ "", "object", "the whole file" },
	{ "redis", "redis", "Redis of the queues and of every store that names none" },
	{ "queues", "list", "queues in order of priority, the first one first" },
	{ "queues[]", "text", "name of a list" },
	{ "worker", "text", "name of this worker; unique among those that run" },
	{ "counters", "text", "Unix socket of the collector" },

	{ "apps", "map", "the apps that may send" },
	{ "apps.*", "object", "one app" },
	{ "apps.*.auth", "required|optional|off", "must its tasks be signed" },
	{ "apps.*.keys", "map", "keys that sign its tasks, by key id" },
	{ "apps.*.keys.*", "object", "one key" },
	{ "apps.*.keys.*.alg", "HS256|ES256", "its algorithm" },
	{ "apps.*.keys.*.secret_file", "file", "HS256: file that holds the secret" },
	{ "apps.*.keys.*.public_key_file", "file", "ES256: PEM file of the public key" },
	{ "apps.*.platforms", "list", "platforms it may send to; absent: all, as with the next ones" },
	{ "apps.*.platforms[]", "ios|android", "platform" },
	{ "apps.*.priorities", "list", "priorities it may use" },
	{ "apps.*.priorities[]", "high|normal|low", "priority" },
	{ "apps.*.categories", "list", "categories it may use, and then must use one" },
	{ "apps.*.categories[]", "text", "category" },
	{ "apps.*.topics", "list", "FCM topics it may send to, alone or in a condition" },
	{ "apps.*.topics[]", "text", "topic, or its beginning and *" },
	{ "apps.*.channels", "list", "APNs channels it may send to" },
	{ "apps.*.channels[]", "text", "channel" },
	{ "apps.*.quota", "object", "how much it may send" },
	{ "apps.*.quota.limit", "int", "notifications at once" },
	{ "apps.*.quota.per", "duration", "the limit is given back evenly over this time" },
	{ "apps.*.quota.wait", "duration", "what is over waits so long for room; default: it is rejected" },
	{ "apps.*.apns", "object", "credentials for Apple" },
	{ "apps.*.apns.key_file", "file", "the .p8 signing key" },
	{ "apps.*.apns.key_id", "text", "its ten-character id" },
	{ "apps.*.apns.team_id", "text", "the developer team" },
	{ "apps.*.apns.certificate_file", "file", "a certificate instead of a key, PKCS #12 or PEM" },
	{ "apps.*.apns.certificate_key_file", "file", "its private key, if in another PEM file" },
	{ "apps.*.apns.password_file", "file", "file that holds the certificate's password" },
	{ "apps.*.apns.topic", "text", "the bundle id; default: the certificate's" },
	{ "apps.*.apns.environment", "production|sandbox", "where tokens without one belong" },
	{ "apps.*.apns.try_other_environment", "bool", "a token that is bad here is tried once in the other one" },
	{ "apps.*.apns.ambiguous", "resend|drop", "what may have been delivered is sent again, or not" },
	{ "apps.*.apns.shorten", "bool", "the body of what is too long for Apple is cut" },
	{ "apps.*.fcm", "object", "credentials for Google" },
	{ "apps.*.fcm.service_account_file", "file", "the service account's JSON key" },
	{ "apps.*.fcm.ambiguous", "resend|drop", "what may have been delivered is sent again, or not" },
	{ "apps.*.fcm.shorten", "bool", "the body of what is too long for Google is cut" },
	{ "apps.*.fcm.validate_only", "bool", "Google looks at what is sent and delivers nothing" },

	{ "pop", "object", "push-pop" },
	{ "pop.window", "int", "records claimed and not settled, at most" },
	{ "pop.batch", "int", "tasks claimed at once, at most" },
	{ "pop.lease", "duration", "how long a claim holds" },
	{ "pop.attempts", "int", "deliveries of one task before it is a dead letter" },

	{ "auth", "object", "push-auth" },
	{ "auth.max_age", "duration", "how old a signature may be" },
	{ "auth.skew", "duration", "how far clocks may differ" },
	{ "auth.store", "store", "where quotas are counted" },

	{ "risk", "object", "push-risk" },
	{ "risk.stops", "redis", "Redis where operators stop campaigns, apps and categories" },
	{ "risk.stopped_campaigns", "list", "campaigns whose kill switch is on" },
	{ "risk.stopped_campaigns[]", "text", "campaign" },
	{ "risk.stopped_apps", "list", "apps whose kill switch is on" },
	{ "risk.stopped_apps[]", "text", "app" },
	{ "risk.stopped_categories", "list", "categories whose kill switch is on" },
	{ "risk.stopped_categories[]", "text", "category" },
	{ "risk.blocked_users", "list", "users who get nothing" },
	{ "risk.blocked_users[]", "text", "user" },
	{ "risk.blocked_devices", "list", "devices that get nothing" },
	{ "risk.blocked_devices[]", "text", "device token" },
	{ "risk.blocked_words", "list", "patterns (PCRE2) that stop a text" },
	{ "risk.blocked_words[]", "text", "pattern" },
	{ "risk.blocked_links", "list", "sites that nothing may link to" },
	{ "risk.blocked_links[]", "text", "domain name, or domain name and path" },
	{ "risk.caseless", "bool", "patterns match upper and lower case alike" },
	{ "risk.surges", "list", "limits of what may be sent at once; all must allow" },
	{ "risk.surges[]", "object", "one limit" },
	{ "risk.surges[].app", "text", "only this app" },
	{ "risk.surges[].campaign", "text", "only this campaign" },
	{ "risk.surges[].category", "text", "only this category" },
	{ "risk.surges[].by", "campaign|app", "counted for each campaign of an app, the default, or each app" },
	{ "risk.surges[].limit", "int", "notifications at once" },
	{ "risk.surges[].per", "duration", "the limit is given back evenly over this time" },
	{ "risk.store", "store", "where surges are counted" },
	{ "risk.dry_run", "bool", "mark what would be stopped, and let it pass" },

	{ "lookup", "object", "push-lookup" },
	{ "lookup.store", "store", "where devices are kept" },

	{ "dedupe", "object", "push-dedupe" },
	{ "dedupe.store", "store", "where reservations are kept" },
	{ "dedupe.window", "duration", "how long a key is held" },
	{ "dedupe.rules", "list", "what is deduplicated otherwise; the first that applies decides" },
	{ "dedupe.rules[]", "object", "one rule" },
	{ "dedupe.rules[].app", "text", "only this app" },
	{ "dedupe.rules[].category", "text", "only this category" },
	{ "dedupe.rules[].priority", "high|normal|low", "only this priority" },
	{ "dedupe.rules[].by", "key|id|content|nothing", "what is compared; default key" },
	{ "dedupe.rules[].per", "device|user", "where; default device" },
	{ "dedupe.rules[].window", "duration", "how long a key is held" },

	{ "fatigue", "object", "push-fatigue" },
	{ "fatigue.store", "store", "where counts are kept" },
	{ "fatigue.rules", "list", "caps; all that match must allow" },
	{ "fatigue.rules[]", "object", "one cap" },
	{ "fatigue.rules[].app", "text", "only this app" },
	{ "fatigue.rules[].category", "text", "only this category" },
	{ "fatigue.rules[].priority", "high|normal|low", "only this priority" },
	{ "fatigue.rules[].limit", "int", "notifications a user may have" },
	{ "fatigue.rules[].per", "duration", "in a sliding window of this length" },
	{ "fatigue.exempt", "list", "categories that always pass" },
	{ "fatigue.exempt[]", "text", "category" },
	{ "fatigue.quiet_hours", "list", "when users are left alone; the first that applies decides" },
	{ "fatigue.quiet_hours[]", "object", "one stretch of the day" },
	{ "fatigue.quiet_hours[].app", "text", "only this app" },
	{ "fatigue.quiet_hours[].category", "text", "only this category" },
	{ "fatigue.quiet_hours[].priority", "high|normal|low", "only this priority" },
	{ "fatigue.quiet_hours[].from", "text", "its begin, such as \"22:00\"" },
	{ "fatigue.quiet_hours[].to", "text", "its end, such as \"08:00\"" },
	{ "fatigue.quiet_hours[].then", "suppress|defer", "drop, or keep until the end; default suppress" },
	{ "fatigue.quiet_hours[].spread", "duration", "deferred ones go over so long behind the end, not all at once; default 0s" },
	{ "fatigue.time_zone", "text", "of users of whom none is known; default UTC" },

	{ "apns", "object", "push-apns" },
	{ "apns.production", "text", "URL of the production service" },
	{ "apns.sandbox", "text", "URL of the sandbox service" },
	{ "apns.connections", "int", "connections a credential may open" },
	{ "apns.window", "int", "notifications in flight, at most" },
	{ "apns.timeout", "duration", "how long an answer may take" },
	{ "apns.rate", "int", "notifications a second with one credential, at most" },
	{ "apns.ramp", "duration", "how long the rate takes to rise from a tenth" },
	{ "apns.ca_file", "file", "certificates to trust instead of the system's" },

	{ "fcm", "object", "push-fcm" },
	{ "fcm.url", "text", "URL of the service" },
	{ "fcm.token_url", "text", "URL of the token endpoint instead of the service account's" },
	{ "fcm.connections", "int", "connections a credential may open" },
	{ "fcm.window", "int", "notifications in flight, at most" },
	{ "fcm.timeout", "duration", "how long an answer may take" },
	{ "fcm.rate", "int", "notifications a second with one credential, at most" },
	{ "fcm.ramp", "duration", "how long the rate takes to rise from a tenth" },
	{ "fcm.ca_file", "file", "certificates to trust instead of the system's" },

	{ "ack", "object", "push-ack" },
	{ "ack.results", "text", "file that gets every finished record" },
	{ "ack.attempts", "int", "attempts before a retry becomes a dead letter" },
	{ "ack.max_age", "duration", "age at which a retry becomes a dead letter" },

	{ "stats", "object", "push-stats" },
	{ "stats.listen", "text", "address and port of the HTTP server" },
	{ "stats.sla", "list", "how long things may take; the last that matches counts" },
	{ "stats.sla[]", "object", "one limit; what it does not name, it means all of" },
	{ "stats.sla[].of", "node|queue-wait|end-to-end", "what takes so long" },
	{ "stats.sla[].priority", "high|normal|low", "only this priority" },
	{ "stats.sla[].kind", "single|batch", "only this kind" },
	{ "stats.sla[].within", "duration", "the limit" },

	{ "sentry", "object", "push-sentry" },
	{ "sentry.dsn_file", "file", "file that holds the DSN" },
	{ "sentry.environment", "text", "environment of the events" },
	{ "sentry.level", "error|warn", "least level that is reported" },
	{ "sentry.ca_file", "file", "certificates to trust instead of the system's" },
	{ "sentry.every", "duration", "at most one event of a group in this time" },

	{ "run", "object", "push-run" },
	{ "run.chain", "list", "programs of the chain, in order" },
	{ "run.chain[]", "any", "name of a program, or an object" },
	{ "run.lanes", "map", "lanes: chains of their own, by name" },
	{ "run.lanes.*", "object", "one lane" },
	{ "run.lanes.*.queues", "list", "its queues in order of priority, instead of those of all" },
	{ "run.lanes.*.queues[]", "text", "name of a list" },
	{ "run.lanes.*.worker", "text", "name of its worker; default the worker's, a hyphen, the lane's" },
	{ "run.lanes.*.window", "int", "its records claimed and not settled, at most" },
	{ "run.restart", "duration", "how long to wait, at most, before a chain is started again" },
	{ "run.drain", "duration", "how long a chain may take to finish" },
	{ NULL, NULL, NULL },
};
/* clang-format on */

const struct conf_row *conf_table(void)
{
	return table;
}

static const struct conf_row *row_of(const char *path)
{
	for (const struct conf_row *row = table; row->path != NULL; row++) {
		if (strcmp(row->path, path) == 0) {
			return row;
		}
	}
	return NULL;
}

/* --- checking -------------------------------------------------------------- */

/* How many letters differ, for names up to 40 letters; else a lot. */
static size_t distance(struct span a, struct span b)
{
	size_t row[41];

	if (a.len > 40 || b.len > 40) {
		return 99;
	}
	for (size_t j = 0; j <= b.len; j++) {
		row[j] = j;
	}
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t change = diagonal +
					(a.ptr[i - 1] != b.ptr[j - 1] ? 1 : 0);
			size_t other =
				(row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < other ? change : other;
		}
	}
	return row[b.len];
}

/* The known member of the object at `path' whose name is nearest. */
static struct span nearest(const char *path, struct span name)
{
	struct span best = { NULL, 0 };
	size_t least = 4;
	size_t len = strlen(path);

	for (const struct conf_row *row = table; row->path != NULL; row++) {
		struct span known = span_of(row->path);

		if (known.len <= len || strncmp(row->path, path, len) != 0) {
			continue;
		}
		if (len > 0) {
			if (known.ptr[len] != '.') {
				continue;
			}
			known = span_of(row->path + len + 1);
		}
		if (memchr(known.ptr, '.', known.len) == NULL &&
			memchr(known.ptr, '[', known.len) == NULL &&
			distance(name, known) < least) {
			least = distance(name, known);
			best = known;
		}
	}
	return best;
}

static bool is_choice(const char *choices, struct span text)
{
	while (*choices != '\0') {
		size_t len = strcspn(choices, "|");

		if (text.len == len && memcmp(text.ptr, choices, len) == 0) {
			return true;
		}
		choices += len + (choices[len] == '|' ? 1 : 0);
	}
	return false;
}

/* Does the URL begin like one of a place that we know?  What is behind is
 * judged by who opens it. */
static bool is_place(const char *type, struct span url)
{
	static const char *const starts[] = { "redis://", "rediss://", "redis+",
		"unix:", "none", "lmdb:", "memory:" };
	size_t count = strcmp(type, "redis") == 0 ? 5 : 7;

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(starts[i]);

		if (url.len >= len && memcmp(url.ptr, starts[i], len) == 0) {
			return true;
		}
	}
	return false;
}

/* What was wanted, or NULL when the value fits the row. */
static const char *misfit(const struct conf_row *row, const struct json *v)
{
	enum json_type type = json_type(v);
	int64_t n;

	if (strcmp(row->type, "any") == 0) {
		return NULL;
	}
	if (strcmp(row->type, "object") == 0 || strcmp(row->type, "map") == 0) {
		return type == JSON_OBJECT ? NULL : "an object";
	}
	if (strcmp(row->type, "list") == 0) {
		return type == JSON_ARRAY ? NULL : "a list";
	}
	if (strcmp(row->type, "redis") == 0) {
		return is_place(row->type, json_text(v))
			       ? NULL
			       : "a URL such as \"redis://host:6379\" or "
				 "\"unix:///path\"";
	}
	if (strcmp(row->type, "store") == 0) {
		return is_place(row->type, json_text(v))
			       ? NULL
			       : "a URL such as \"redis://host:6379\", "
				 "\"lmdb:PATH\" or \"memory:\"";
	}
	if (strcmp(row->type, "text") == 0 || strcmp(row->type, "file") == 0) {
		return type == JSON_TEXT && json_text(v).len > 0 ? NULL
								 : "a text";
	}
	if (strcmp(row->type, "bool") == 0) {
		return type == JSON_BOOL ? NULL : "true or false";
	}
	if (strcmp(row->type, "int") == 0) {
		return json_int(v, &n) == 0 && n >= 0 ? NULL : "a whole number";
	}
	if (strcmp(row->type, "duration") == 0) {
		return type == JSON_TEXT && num_parse_duration(
						    json_text(v).ptr, &n) == 0
			       ? NULL
			       : "a duration such as \"30s\"";
	}
	return type == JSON_TEXT && is_choice(row->type, json_text(v))
		       ? NULL
		       : row->type;
}

struct place {
	char pattern[PATH_BYTES]; /* as the table has it */
	char shown[PATH_BYTES];   /* as the file has it */
};

/* The place of a member or element below `p'; false: the table has none. */
static int below(const struct place *p, const struct json_iter *it, size_t n,
	struct place *child)
{
	const char *dot = p->pattern[0] == '\0' ? "" : ".";
	bool is_map = strcmp(row_of(p->pattern)->type, "map") == 0;

	if (!it->is_object) {
		return fmt_into(
			       child->pattern, PATH_BYTES, "%s[]", p->pattern) |
		       fmt_into(child->shown, PATH_BYTES, "%s[%zu]", p->shown,
			       n);
	}
	if (fmt_into(child->shown, PATH_BYTES, "%s%s%.*s", p->shown, dot,
		    (int)it->name.len, it->name.ptr) != 0) {
		return -1;
	}
	if (is_map) {
		return fmt_into(child->pattern, PATH_BYTES, "%s.*", p->pattern);
	}
	return fmt_into(child->pattern, PATH_BYTES, "%s%s%.*s", p->pattern, dot,
		(int)it->name.len, it->name.ptr);
}

static int check_file(const struct conf *c, const char *shown, const char *name,
	struct err *err)
{
	char *path = conf_file_take(c, name);
	int failed = access(path, R_OK);

	if (failed != 0) {
		(void)err_usage(
			err, errno, "'%s' names a file, '%s'", shown, path);
	}
	mem_free(path);
	return failed;
}

/* With `files' the files that are named must be there, too.
 * Depth is bounded by the table, which ends the descent at what it does not
 * know. */
static int check(const struct json *v, const struct place *p,
	const struct conf *files, struct err *err)
{
	const struct conf_row *row = row_of(p->pattern);
	const char *wanted = misfit(row, v);
	struct json_iter it = json_iter(v);
	const struct json *item;

	if (wanted != NULL) {
		return err_usage(err, 0, "'%s' must be %s",
			p->shown[0] == '\0' ? "the file" : p->shown, wanted);
	}
	if (strcmp(row->type, "any") == 0) {
		return 0;
	}
	if (files != NULL && strcmp(row->type, "file") == 0) {
		return check_file(files, p->shown, json_text(v).ptr, err);
	}
	for (size_t n = 0; (item = json_next(&it)) != NULL; n++) {
		struct place child;

		if (below(p, &it, n, &child) != 0) {
			return err_usage(
				err, 0, "a name in '%s' is too long", p->shown);
		}
		if (row_of(child.pattern) == NULL) {
			struct span near = nearest(p->pattern, it.name);

			return near.ptr == NULL
				       ? err_usage(err, 0,
						 "unknown member '%s'",
						 child.shown)
				       : err_usage(err, 0,
						 "unknown member '%s'; did you mean '%.*s'?",
						 child.shown, (int)near.len,
						 near.ptr);
		}
		if (check(item, &child, files, err) != 0) {
			return -1;
		}
	}
	return 0;
}

/* --- loading --------------------------------------------------------------- */

/* The line of the member that a message is about; 0: it names none. */
static size_t line_of(const struct conf *c, const char *message)
{
	struct span text = { c->text.data, c->text.len };
	struct span path = { message, strcspn(message, ": ") };
	const char *at = message;
	char app[PATH_BYTES];
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

void conf_place(const struct conf *c, struct err *err)
{
	static const char placed[] = "configuration '";
	size_t line = 0;

	if (c->path != NULL && err->is_usage &&
		strncmp(err->text, placed, strlen(placed)) != 0) {
		line = line_of(c, err->text);
	}
	if (line > 0) {
		(void)err_prefix(
			err, "configuration '%s', line %zu", c->path, line);
	}
}

/* Takes the text over. */
static int load(
	struct conf **out, struct buf *text, const char *path, struct err *err)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	struct place top = { "", "" };
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
	if (check(json_root(c->doc), &top, NULL, err) != 0) {
		conf_place(c, err);
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
	return load(out, &copy, NULL, err);
}

int conf_load(struct conf **out, const char *path, struct err *err)
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
	return load(out, &text, path, err);
}

int conf_check_files(const struct conf *c, struct err *err)
{
	struct place top = { "", "" };

	if (check(json_root(c->doc), &top, c, err) != 0) {
		conf_place(c, err);
		return -1;
	}
	return 0;
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

/* --- asking ---------------------------------------------------------------- */

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
