/*
 * Decides what a record must prove, and whether what was signed is fresh.
 */
#include "policy/auth.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "policy/allow.h"
#include "policy/nameset.h"

enum { MS_PER_S = 1000, SHOWN_MAX = 64 };

enum auth_mode { AUTH_REQUIRED, AUTH_OPTIONAL, AUTH_OFF };

struct app {
	struct span name; /* borrowed from the configuration */
	enum auth_mode mode;
	size_t first_key;
	size_t key_count;
	struct allow allow; /* owned */
	bool has_quota;
	struct rate quota;
};

struct auth_rules {
	struct app *apps; /* owned */
	size_t app_count;
	struct nameset
		names; /* of apps; the count of an entry: its place + 1 */
	bool has_quotas;
	struct auth_key *keys; /* owned; those of an app side by side */
	size_t key_count;
};

/* --- the rules --- */

static enum auth_mode mode_of(const struct json *app)
{
	const struct json *mode = json_get(app, "auth");

	if (json_is_text(mode, "optional")) {
		return AUTH_OPTIONAL;
	}
	return json_is_text(mode, "off") ? AUTH_OFF : AUTH_REQUIRED;
}

static int read_key(struct auth_key *key, const struct json *v, struct err *err)
{
	const char *secret = json_text(json_get(v, "secret_file")).ptr;
	const char *public_key = json_text(json_get(v, "public_key_file")).ptr;
	bool is_hmac;

	key->alg = json_text(json_get(v, "alg"));
	if (key->alg.ptr == NULL) {
		return err_usage(err, 0, "'apps.%.*s.keys.%.*s' has no alg",
			(int)key->app.len, key->app.ptr, (int)key->id.len,
			key->id.ptr);
	}
	is_hmac = span_is(key->alg, "HS256");
	key->file = is_hmac ? secret : public_key;
	if (key->file == NULL || (is_hmac ? public_key : secret) != NULL) {
		return err_usage(err, 0,
			"'apps.%.*s.keys.%.*s' with alg %s needs %s, and only "
			"that",
			(int)key->app.len, key->app.ptr, (int)key->id.len,
			key->id.ptr, key->alg.ptr,
			is_hmac ? "secret_file" : "public_key_file");
	}
	return 0;
}

static int read_quota(struct auth_rules *rules, struct app *app,
	const struct json *v, struct err *err)
{
	app->has_quota = v != NULL;
	app->quota = rate_from(v);
	rules->has_quotas = rules->has_quotas || app->has_quota;
	if (app->has_quota &&
		(json_get(v, "limit") == NULL || app->quota.per_ms <= 0)) {
		return err_usage(err, 0,
			"'apps.%.*s.quota' needs a limit and a per above 0s",
			(int)app->name.len, app->name.ptr);
	}
	return 0;
}

static int read_app(struct auth_rules *rules, struct span name,
	const struct json *v, struct err *err)
{
	struct app *app = &rules->apps[rules->app_count++];
	struct json_iter it = json_iter(json_get(v, "keys"));
	const struct json *k;

	app->name = name;
	app->mode = mode_of(v);
	allow_init(&app->allow, v);
	nameset_add(&rules->names, name)->count = rules->app_count;
	if (read_quota(rules, app, json_get(v, "quota"), err) != 0) {
		return -1;
	}
	app->first_key = rules->key_count;
	app->key_count = json_count(json_get(v, "keys"));
	rules->keys = mem_resize(rules->keys,
		rules->key_count + app->key_count + 1, sizeof(*rules->keys));
	while ((k = json_next(&it)) != NULL) {
		struct auth_key *key = &rules->keys[rules->key_count++];

		*key = (struct auth_key){ .app = name, .id = it.name };
		if (read_key(key, k, err) != 0) {
			return -1;
		}
	}
	return 0;
}

struct auth_rules *auth_rules_new(const struct conf *conf, struct err *err)
{
	struct auth_rules *rules = mem_array(1, sizeof(*rules));
	struct json_iter it = json_iter(conf_at(conf, "apps"));
	const struct json *v;

	rules->apps = mem_array(
		json_count(conf_at(conf, "apps")) + 1, sizeof(*rules->apps));
	while ((v = json_next(&it)) != NULL) {
		if (read_app(rules, it.name, v, err) != 0) {
			auth_rules_free(rules);
			return NULL;
		}
	}
	return rules;
}

void auth_rules_free(struct auth_rules *rules)
{
	if (rules != NULL) {
		for (size_t i = 0; i < rules->app_count; i++) {
			allow_release(&rules->apps[i].allow);
		}
		nameset_release(&rules->names);
		mem_free(rules->apps);
		mem_free(rules->keys);
		mem_free(rules);
	}
}

struct span auth_mute_app(const struct auth_rules *rules)
{
	for (size_t i = 0; i < rules->app_count; i++) {
		const struct app *app = &rules->apps[i];

		if (app->mode == AUTH_REQUIRED && app->key_count == 0) {
			return app->name;
		}
	}
	return (struct span){ NULL, 0 };
}

size_t auth_key_count(const struct auth_rules *rules)
{
	return rules->key_count;
}

const struct auth_key *auth_key_at(const struct auth_rules *rules, size_t n)
{
	return &rules->keys[n];
}

static const struct app *find_app(
	const struct auth_rules *rules, struct span name)
{
	const struct nameset_entry *e = nameset_find(&rules->names, name);

	return e == NULL ? NULL : &rules->apps[e->count - 1];
}

int64_t auth_find_key(
	const struct auth_rules *rules, struct span app_name, struct span id)
{
	const struct app *app = find_app(rules, app_name);

	for (size_t i = 0; app != NULL && i < app->key_count; i++) {
		if (span_equal(rules->keys[app->first_key + i].id, id)) {
			return (int64_t)(app->first_key + i);
		}
	}
	return -1;
}

struct auth_limits auth_limits_from(
	const struct conf *conf, int64_t skew_ms, int64_t max_age_ms)
{
	struct auth_limits limits = { skew_ms, max_age_ms };

	if (skew_ms < 0) {
		limits.skew_ms = conf_duration_ms(
			conf_at(conf, "auth.skew"), AUTH_SKEW_MS);
	}
	if (max_age_ms < 0) {
		limits.max_age_ms =
			conf_duration_ms(conf_at(conf, "auth.max_age"), 0);
	}
	return limits;
}

/* --- decisions --- */

enum reason auth_fault_set(
	struct auth_fault *fault, enum reason reason, const char *fmt, ...)
{
	va_list args;

	fault->reason = reason;
	va_start(args, fmt);
	if (fmt_into_v(fault->why, sizeof(fault->why), fmt, args) != 0) {
		BUG("'%s' is longer than its names are shown", fmt);
	}
	va_end(args);
	return reason;
}

static int shown(struct span s)
{
	return (int)(s.len < SHOWN_MAX ? s.len : SHOWN_MAX);
}

struct span auth_jws(const struct record *r)
{
	return r->jws;
}

/* A member that stands outside is not signed, and would be lost by unwrapping:
 * the name of the first, or { NULL, 0 }. */
static struct span outside_member(const struct record *r)
{
	struct json_iter it = json_iter(r->root);

	while (json_next(&it) != NULL) {
		if (!span_is(it.name, "app") && !span_is(it.name, "jws") &&
			!span_is(it.name, "trace")) {
			return it.name;
		}
	}
	return (struct span){ NULL, 0 };
}

/* Not signed, or not any more: then the captured facts name the key. */
static enum auth_step judge_unsigned(const struct auth_rules *rules,
	const struct app *app, const struct record *r, struct auth_fault *fault)
{
	enum reason was;
	struct span kid = json_text(json_get(record_captured(r, &was), "kid"));

	if (kid.ptr != NULL && app->mode != AUTH_OFF) {
		if (auth_find_key(rules, app->name, kid) >= 0) {
			fault->kid = kid;
			return AUTH_PASS;
		}
		(void)auth_fault_set(fault, REASON_UNAUTHORIZED,
			"no key '%.*s'", shown(kid), kid.ptr);
		return AUTH_REFUSE;
	}
	if (app->mode != AUTH_REQUIRED) {
		return AUTH_PASS;
	}
	(void)auth_fault_set(
		fault, REASON_UNAUTHORIZED, "the task is not signed");
	return AUTH_REFUSE;
}

enum auth_step auth_judge(const struct auth_rules *rules,
	const struct record *r, struct auth_fault *fault)
{
	const struct app *app;
	struct span outside;

	if (r->app.ptr == NULL) {
		(void)auth_fault_set(
			fault, REASON_UNKNOWN_APP, "the task names no app");
		return AUTH_REFUSE;
	}
	app = find_app(rules, r->app);
	if (app == NULL) {
		(void)auth_fault_set(fault, REASON_UNKNOWN_APP, "no app '%.*s'",
			shown(r->app), r->app.ptr);
		return AUTH_REFUSE;
	}
	if (r->is_resumed) {
		return AUTH_PASS;
	}
	if (auth_jws(r).ptr == NULL) {
		return judge_unsigned(rules, app, r, fault);
	}
	outside = outside_member(r);
	if (outside.ptr != NULL) {
		(void)auth_fault_set(fault, REASON_UNAUTHORIZED,
			"member '%.*s' stands outside the signature",
			shown(outside), outside.ptr);
		return AUTH_REFUSE;
	}
	return app->mode == AUTH_OFF ? AUTH_UNWRAP : AUTH_VERIFY;
}

enum reason auth_allow(const struct auth_rules *rules, const struct record *r,
	struct auth_fault *fault)
{
	const struct app *app = find_app(rules, r->app);
	struct allow_fault wrong;

	if (app == NULL || r->is_resumed) {
		return REASON_NONE;
	}
	wrong = allow_judge(&app->allow, r);
	if (wrong.what == NULL) {
		return REASON_NONE;
	}
	if (wrong.which.ptr == NULL) {
		return auth_fault_set(fault, REASON_NOT_ALLOWED,
			"the app may send listed ones only, and there is no %s",
			wrong.what);
	}
	return auth_fault_set(fault, REASON_NOT_ALLOWED,
		"the app may not send with %s '%.*s'", wrong.what,
		shown(wrong.which), wrong.which.ptr);
}

bool auth_has_quotas(const struct auth_rules *rules)
{
	return rules->has_quotas;
}

const struct rate *auth_quota(
	const struct auth_rules *rules, const struct record *r)
{
	const struct app *app =
		rules->has_quotas ? find_app(rules, r->app) : NULL;

	return app != NULL && app->has_quota ? &app->quota : NULL;
}

/* --- claims --- */

/* 0 and a time in *out_ms (`absent' without the claim), -1 when the claim is no
 * time: seconds, whole, RFC 7519 section 2 NumericDate; or stands twice. */
static int read_time(const struct json *payload, const char *name,
	int64_t absent_ms, int64_t *out_ms)
{
	const struct json *v = json_get(payload, name);
	int64_t s;

	*out_ms = absent_ms;
	if (v == NULL) {
		return 0;
	}
	if (json_count_named(payload, span_of(name)) > 1 ||
		json_int(v, &s) != 0 || s < 0 || s > INT64_MAX / MS_PER_S) {
		return -1;
	}
	*out_ms = s * MS_PER_S;
	return 0;
}

/* How far clocks differ for sure, when the claims hold within the skew only. */
static int64_t skew_of(int64_t now_ms, int64_t begin_ms, int64_t exp_ms)
{
	if (begin_ms > now_ms) {
		return begin_ms - now_ms;
	}
	return exp_ms >= 0 && now_ms >= exp_ms ? exp_ms - now_ms - 1 : 0;
}

static enum reason judge_times(const struct json *payload,
	const struct auth_limits *limits, int64_t now_ms,
	struct auth_fault *fault)
{
	int64_t iat;
	int64_t nbf;
	int64_t exp;

	if (read_time(payload, "iat", -1, &iat) != 0 ||
		read_time(payload, "nbf", -1, &nbf) != 0 ||
		read_time(payload, "exp", -1, &exp) != 0) {
		return auth_fault_set(fault, REASON_STALE,
			"iat, nbf or exp is not one whole number of seconds");
	}
	if (exp >= 0 && now_ms - limits->skew_ms >= exp) {
		return auth_fault_set(fault, REASON_STALE,
			"exp passed %lld s ago",
			(long long)((now_ms - exp) / MS_PER_S));
	}
	if (iat >= 0 && iat > now_ms + limits->skew_ms) {
		return auth_fault_set(fault, REASON_STALE,
			"iat is %lld s in the future",
			(long long)((iat - now_ms) / MS_PER_S));
	}
	if (nbf >= 0 && nbf > now_ms + limits->skew_ms) {
		return auth_fault_set(fault, REASON_STALE,
			"nbf is %lld s in the future",
			(long long)((nbf - now_ms) / MS_PER_S));
	}
	fault->skew_ms = skew_of(now_ms, iat > nbf ? iat : nbf, exp);
	if (limits->max_age_ms == 0) {
		return REASON_NONE;
	}
	if (iat < 0) {
		return auth_fault_set(fault, REASON_STALE,
			"there is no iat to tell the age from");
	}
	if (now_ms - iat > limits->max_age_ms + limits->skew_ms) {
		return auth_fault_set(fault, REASON_STALE,
			"signed %lld s ago, %lld are allowed",
			(long long)((now_ms - iat) / MS_PER_S),
			(long long)(limits->max_age_ms / MS_PER_S));
	}
	return REASON_NONE;
}

/* The payload byte for byte, so that no number or escape changes, as a task of
 * this app. */
static void put_task(struct buf *task, struct span payload, struct span app)
{
	const char *end = payload.ptr + payload.len;
	const char *rest = memchr(payload.ptr, '{', payload.len);
	const char *first = ++rest;

	while (first < end && strchr(" \t\r\n", *first) != NULL) {
		first++;
	}
	buf_reset(task);
	buf_text(task, "{\"app\":");
	json_put_span(task, app);
	if (*first != '}') {
		buf_putc(task, ',');
	}
	buf_put(task, rest, (size_t)(end - rest));
}

static enum reason judge_payload(const struct record *r,
	const struct json *root, const struct auth_limits *limits,
	struct auth_fault *fault)
{
	const struct json *app = json_get(root, "app");

	if (root == NULL) {
		return auth_fault_set(fault, REASON_MALFORMED,
			"what is signed is not one JSON object");
	}
	if (json_get(root, "jws") != NULL) {
		return auth_fault_set(fault, REASON_UNAUTHORIZED,
			"what is signed is itself a signed task");
	}
	if (app != NULL && !span_equal(json_text(app), r->app)) {
		return auth_fault_set(fault, REASON_UNAUTHORIZED,
			"signed for another app than '%.*s'", shown(r->app),
			r->app.ptr);
	}
	return limits == NULL || r->is_timeless
		       ? REASON_NONE
		       : judge_times(root, limits, r->now_unix_us / MS_PER_S,
				 fault);
}

enum reason auth_unwrap(struct record *r, struct span payload,
	const struct auth_limits *limits, struct buf *scratch,
	struct auth_fault *fault)
{
	struct record *draft = record_draft(r, payload);
	const struct json *root = draft == NULL ? NULL : draft->root;
	enum reason reason = judge_payload(r, root, limits, fault);

	if (reason == REASON_NONE && json_get(root, "app") == NULL) {
		record_discard(draft);
		put_task(scratch, payload, r->app);
		draft = record_draft(
			r, (struct span){ scratch->data, scratch->len });
		if (buf_is_over(scratch) || draft == NULL) {
			reason = auth_fault_set(fault, REASON_TOO_LARGE,
				"what is signed is too large");
		}
	}
	if (reason == REASON_NONE) {
		record_become(r, draft);
	} else {
		record_discard(draft);
	}
	return reason;
}
