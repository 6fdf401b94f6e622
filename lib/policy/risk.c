/*
 * Sets of names, sites and patterns, asked for every record.
 */
#include "policy/risk.h"

#include <string.h>

#include "base/mem.h"
#include "policy/links.h"
#include "policy/nameset.h"
#include "policy/words.h"

enum {
	SHOWN_BYTES = 128,
	STOP_KINDS = RISK_ID + 1, /* the first four can be stopped live */
};

static const struct {
	const char *name;
	enum reason reason;
} kinds[RISK_KIND_COUNT] = {
	[RISK_CAMPAIGN] = { "campaign", REASON_CAMPAIGN_STOPPED },
	[RISK_APP] = { "app", REASON_APP_STOPPED },
	[RISK_CATEGORY] = { "category", REASON_CATEGORY_STOPPED },
	[RISK_ID] = { "id", REASON_CANCELLED },
	[RISK_USER] = { "user", REASON_RISK_USER },
	[RISK_DEVICE] = { "device", REASON_RISK_DEVICE },
	[RISK_WORD] = { "word", REASON_RISK_CONTENT },
	[RISK_LINK] = { "link", REASON_RISK_LINK },
	[RISK_SURGE] = { "surge", REASON_RISK_SURGE },
};

const char *risk_kind_name(enum risk_kind kind)
{
	return kinds[kind].name;
}

enum reason risk_kind_reason(enum risk_kind kind)
{
	return kinds[kind].reason;
}

/* --- the rules --- */

struct surge {
	struct rate rate;
	struct span app;      /* only this one; absent: any */
	struct span campaign; /* likewise, as the next */
	struct span category;
	bool is_by_app;          /* counted by app, else by campaign */
	char shown[SHOWN_BYTES]; /* begins its keys, and names it */
};

struct risk_rules {
	struct nameset sets[RISK_WORD]; /* by kind, up to devices */
	struct nameset sites;
	struct words *words;  /* owned */
	struct surge *surges; /* owned */
	size_t surge_count;
	struct buf scratch;
};

struct risk_stops {
	struct nameset sets[STOP_KINDS];
};

struct risk_rules *risk_rules_new(bool is_caseless)
{
	struct risk_rules *rules = mem_array(1, sizeof(*rules));

	rules->words = words_new(is_caseless);
	buf_init(&rules->scratch, SIZE_MAX);
	return rules;
}

void risk_rules_free(struct risk_rules *rules)
{
	if (rules == NULL) {
		return;
	}
	words_free(rules->words);
	for (int kind = 0; kind < RISK_WORD; kind++) {
		nameset_release(&rules->sets[kind]);
	}
	nameset_release(&rules->sites);
	mem_free(rules->surges);
	buf_release(&rules->scratch);
	mem_free(rules);
}

struct risk_stops *risk_stops_new(void)
{
	return mem_array(1, sizeof(struct risk_stops));
}

void risk_stops_free(struct risk_stops *stops)
{
	for (int kind = 0; stops != NULL && kind < STOP_KINDS; kind++) {
		nameset_release(&stops->sets[kind]);
	}
	mem_free(stops);
}

void risk_stops_add(
	struct risk_stops *stops, enum risk_kind kind, struct span name)
{
	(void)nameset_add(&stops->sets[kind], name);
}

int risk_add(struct risk_rules *rules, enum risk_kind kind, struct span text,
	struct err *err)
{
	if (kind == RISK_WORD) {
		return words_add(rules->words, text, err);
	}
	if (kind == RISK_LINK) {
		return links_add(&rules->sites, text, err);
	}
	if (kind >= RISK_WORD) {
		BUG("a surge is no text");
	}
	(void)nameset_add(&rules->sets[kind], text);
	return 0;
}

int risk_add_surge(
	struct risk_rules *rules, const struct json *v, struct err *err)
{
	struct surge s = { .rate = rate_from(v) };

	s.app = json_text(json_get(v, "app"));
	s.campaign = json_text(json_get(v, "campaign"));
	s.category = json_text(json_get(v, "category"));
	s.is_by_app = json_is_text(json_get(v, "by"), "app");
	if (s.rate.limit <= 0 || s.rate.per_ms <= 0) {
		return err_usage(err, 0,
			"'risk.surges[%zu]' needs a limit above 0 and a "
			"per above 0s",
			rules->surge_count);
	}
	if (fmt_into(s.shown, sizeof(s.shown), "%lld/%llds by %s",
		    (long long)s.rate.limit, (long long)(s.rate.per_ms / 1000),
		    s.is_by_app ? "app" : "campaign") != 0) {
		BUG("a limit is too long");
	}
	rules->surges = mem_resize(
		rules->surges, rules->surge_count + 1, sizeof(*rules->surges));
	rules->surges[rules->surge_count++] = s;
	return 0;
}

int risk_add_conf(
	struct risk_rules *rules, const struct conf *conf, struct err *err)
{
	static const struct {
		enum risk_kind kind;
		const char *path;
	} lists[] = {
		{ RISK_CAMPAIGN, "risk.stopped_campaigns" },
		{ RISK_APP, "risk.stopped_apps" },
		{ RISK_CATEGORY, "risk.stopped_categories" },
		{ RISK_USER, "risk.blocked_users" },
		{ RISK_DEVICE, "risk.blocked_devices" },
		{ RISK_WORD, "risk.blocked_words" },
		{ RISK_LINK, "risk.blocked_links" },
	};
	struct json_iter it;
	const struct json *v;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		it = json_iter(conf_at(conf, lists[i].path));
		for (size_t n = 0; (v = json_next(&it)) != NULL; n++) {
			if (risk_add(rules, lists[i].kind, json_text(v), err) !=
				0) {
				return err_prefix(
					err, "'%s[%zu]'", lists[i].path, n);
			}
		}
	}
	it = json_iter(conf_at(conf, "risk.surges"));
	while ((v = json_next(&it)) != NULL) {
		if (risk_add_surge(rules, v, err) != 0) {
			return -1;
		}
	}
	return 0;
}

/* --- judging --- */

static bool find_word(struct risk_rules *rules, struct span text,
	struct risk_verdict *verdict)
{
	struct words_hit hit;

	if (!words_find(rules->words, text, &hit)) {
		return false;
	}
	verdict->kind = RISK_WORD;
	verdict->rule = hit.pattern;
	verdict->is_costly = hit.is_costly;
	return true;
}

static bool find_link(struct risk_rules *rules, struct span text,
	struct risk_verdict *verdict)
{
	const struct nameset_entry *site =
		links_find(&rules->sites, text, &rules->scratch);

	if (site != NULL) {
		verdict->kind = RISK_LINK;
		verdict->rule = site->name;
	}
	return site != NULL;
}

static bool find_in(struct risk_rules *rules, struct span text,
	struct risk_verdict *verdict)
{
	return text.ptr != NULL && (find_word(rules, text, verdict) ||
					   find_link(rules, text, verdict));
}

/* All texts of a list or of an object, whatever their names. */
static bool judge_texts(struct risk_rules *rules, const struct json *texts,
	struct risk_verdict *verdict)
{
	struct json_iter it = json_iter(texts);
	bool is_hit = false;
	const struct json *v;

	while (!is_hit && (v = json_next(&it)) != NULL) {
		is_hit = find_in(rules, json_text(v), verdict);
	}
	return is_hit;
}

static bool is_text_name(struct span name)
{
	return span_is(name, "title") || span_is(name, "body") ||
	       span_is(name, "subtitle") || span_is(name, "ticker");
}

/* Texts that are put into one that the phone has. */
static bool is_args_name(struct span name)
{
	return span_is(name, "body_loc_args") ||
	       span_is(name, "title_loc_args") || span_is(name, "loc-args") ||
	       span_is(name, "title-loc-args") ||
	       span_is(name, "subtitle-loc-args");
}

/* Members of one object: those with a text that a user sees, and those that are
 * a link only; the rest is passed over. */
static bool judge_object(struct risk_rules *rules, const struct json *object,
	struct risk_verdict *verdict)
{
	struct json_iter it = json_iter(object);
	bool is_hit = false;
	const struct json *v;

	while (!is_hit && (v = json_next(&it)) != NULL) {
		if (is_text_name(it.name)) {
			is_hit = find_in(rules, json_text(v), verdict);
		} else if (is_args_name(it.name)) {
			is_hit = judge_texts(rules, v, verdict);
		} else if (span_is(it.name, "image") ||
			   span_is(it.name, "link")) {
			is_hit = find_link(rules, json_text(v), verdict);
		}
	}
	return is_hit;
}

/* A vendor's part: android, webpush, apns. */
static bool judge_part(struct risk_rules *rules, const struct json *part,
	struct risk_verdict *verdict)
{
	const struct json *alert = json_path(part, "payload.aps.alert");

	return judge_object(rules, json_get(part, "notification"), verdict) ||
	       judge_object(rules, json_get(part, "fcm_options"), verdict) ||
	       judge_texts(rules, json_get(part, "data"), verdict) ||
	       find_in(rules, json_text(alert), verdict) ||
	       judge_object(rules, alert, verdict);
}

/* One walk over the message, since most have few of the parts.  Where texts and
 * links stand: FCM HTTP v1, Message, and Apple, "Generating a remote
 * notification", read 2026-11. */
static bool judge_message(struct risk_rules *rules, const struct json *message,
	struct risk_verdict *verdict)
{
	struct json_iter it = json_iter(message);
	bool is_hit = false;
	const struct json *v;

	while (!is_hit && (v = json_next(&it)) != NULL) {
		if (span_is(it.name, "notification")) {
			is_hit = judge_object(rules, v, verdict);
		} else if (span_is(it.name, "data")) {
			is_hit = judge_texts(rules, v, verdict);
		} else if (span_is(it.name, "android") ||
			   span_is(it.name, "webpush") ||
			   span_is(it.name, "apns")) {
			is_hit = judge_part(rules, v, verdict);
		}
	}
	return is_hit;
}

/* Is one of the names in the set of its kind? */
static bool judge_names(const struct nameset *sets, int count,
	const struct span *const *names, struct risk_verdict *verdict)
{
	for (int kind = 0; kind < count; kind++) {
		if (nameset_has(&sets[kind], *names[kind])) {
			verdict->kind = (enum risk_kind)kind;
			verdict->rule = *names[kind];
			return true;
		}
	}
	return false;
}

struct risk_verdict risk_judge(struct risk_rules *rules,
	const struct risk_stops *stops, const struct record *r)
{
	const struct span *const names[] = { &r->campaign, &r->app,
		&r->category, &r->id, &r->user, &r->token };
	struct risk_verdict verdict = { 0 };

	if (stops != NULL &&
		judge_names(stops->sets, STOP_KINDS, names, &verdict)) {
		verdict.is_live = true;
		verdict.is_hit = true;
		return verdict;
	}
	verdict.is_hit = judge_names(rules->sets, RISK_WORD, names, &verdict);
	if (!verdict.is_hit && r->message != NULL &&
		(words_count(rules->words) > 0 || rules->sites.count > 0)) {
		verdict.is_hit = judge_message(rules, r->message, &verdict);
	}
	return verdict;
}

void risk_tell(struct record *r, const struct risk_verdict *v, bool is_dry)
{
	enum reason reason = risk_kind_reason(v->kind);

	if (v->kind >= RISK_WORD) {
		record_fact_text(r, "rule", v->rule);
	}
	if (v->is_costly) {
		record_fact_text(
			r, "why", span_of("the pattern is too costly here"));
	}
	if (v->is_live) {
		record_fact_text(r, "by", span_of("operator"));
	}
	if (is_dry) {
		record_fact_text(r, "would", span_of(reason_row(reason)->name));
	} else {
		record_decide(r, reason);
	}
}

/* A user is a text, a device has a token. */
static bool is_blocked(
	const struct nameset *names, enum risk_kind kind, const struct json *v)
{
	return nameset_has(
		names, json_text(kind == RISK_USER ? v : json_get(v, "token")));
}

size_t risk_filter(const struct risk_rules *rules, const struct record *r,
	enum risk_kind kind, struct buf *task, size_t *left)
{
	const struct nameset *names = &rules->sets[kind];
	const char *name = kind == RISK_USER ? "users" : "devices";
	const struct json *list = kind == RISK_USER ? r->users : r->devices;
	const struct json *all = names->count > 0 ? list : NULL;
	struct json_iter it = json_iter(all);
	size_t blocked = 0;
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		blocked += is_blocked(names, kind, v) ? 1 : 0;
	}
	*left = json_count(all) - blocked;
	if (blocked == 0 || *left == 0) {
		return blocked;
	}
	record_task(r, (const char *const[]){ name, NULL }, task);
	buf_cut(task, task->len - 1);
	json_put_name(task, name);
	buf_putc(task, '[');
	it = json_iter(all);
	while ((v = json_next(&it)) != NULL) {
		if (!is_blocked(names, kind, v)) {
			if (task->data[task->len - 1] != '[') {
				buf_putc(task, ',');
			}
			json_write(task, v);
		}
	}
	buf_text(task, "]}");
	return blocked;
}

/* --- surges --- */

size_t risk_surge_count(const struct risk_rules *rules)
{
	return rules->surge_count;
}

static bool is_for(struct span wanted, struct span has)
{
	return wanted.ptr == NULL ||
	       (has.ptr != NULL && span_equal(wanted, has));
}

bool risk_surge(const struct risk_rules *rules, size_t n,
	const struct record *r, struct buf *keys, struct rate_ask *ask,
	struct span *shown)
{
	const struct surge *s = &rules->surges[n];
	size_t at = keys->len;

	if (!is_for(s->app, r->app) || !is_for(s->campaign, r->campaign) ||
		!is_for(s->category, r->category) ||
		(!s->is_by_app && r->campaign.ptr == NULL)) {
		return false;
	}
	buf_text(keys, "push:rate:surge:");
	buf_text(keys, s->shown);
	buf_putc(keys, ':');
	buf_put(keys, r->app.ptr, r->app.len);
	if (!s->is_by_app) {
		buf_putc(keys, ':');
		buf_put(keys, r->campaign.ptr, r->campaign.len);
	}
	*ask = (struct rate_ask){
		.key = { NULL, keys->len - at },
		.rate = s->rate,
		.units = rate_units(r),
		.now_unix_us = r->now_unix_us,
	};
	*shown = span_of(s->shown);
	return true;
}
