/*
 * Sets of names, sites and compiled patterns, asked for every record.
 */
#include "policy/risk.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "policy/links.h"
#include "policy/nameset.h"

enum {
	/* What one pattern may cost on one text; ours.  Sound patterns need a few
	 * steps a byte, and a text has a few hundred bytes. */
	MATCH_LIMIT = 100 * 1000,
	DEPTH_LIMIT = 1000,
	HEAP_LIMIT_KIB = 1024,
	JIT_STACK_BYTES = 256 * 1024,
	SHOWN_BYTES = 128,
	STOP_KINDS = RISK_ID + 1, /* the first four can be stopped live */
	COUNTED_RULES_MAX = 10 * 1000,
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

struct word {
	struct span pattern; /* owned */
	pcre2_code *code;    /* owned */
	bool is_jit;
};

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
	bool is_caseless;
	struct word *words; /* owned */
	size_t word_count;
	pcre2_match_context *context; /* owned; NULL: no words */
	pcre2_match_data *data;       /* owned, likewise */
	pcre2_jit_stack *stack;       /* owned, likewise */
	struct surge *surges;         /* owned */
	size_t surge_count;
	struct buf scratch;
};

struct risk_stops {
	struct nameset sets[STOP_KINDS];
};

struct risk_rules *risk_rules_new(bool is_caseless)
{
	struct risk_rules *rules = mem_array(1, sizeof(*rules));

	rules->is_caseless = is_caseless;
	buf_init(&rules->scratch, SIZE_MAX);
	return rules;
}

void risk_rules_free(struct risk_rules *rules)
{
	if (rules == NULL) {
		return;
	}
	for (size_t i = 0; i < rules->word_count; i++) {
		mem_free((void *)(uintptr_t)rules->words[i].pattern.ptr);
		pcre2_code_free(rules->words[i].code);
	}
	mem_free(rules->words);
	pcre2_match_data_free(rules->data);
	pcre2_match_context_free(rules->context);
	pcre2_jit_stack_free(rules->stack);
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

/* What all patterns share: made with the first. */
static int prepare(struct risk_rules *rules, struct err *err)
{
	if (rules->data != NULL) {
		return 0;
	}
	rules->context = pcre2_match_context_create(NULL);
	rules->data = pcre2_match_data_create(1, NULL);
	rules->stack = pcre2_jit_stack_create(
		JIT_STACK_BYTES / 8, JIT_STACK_BYTES, NULL);
	if (rules->context == NULL || rules->data == NULL) {
		return err_set(err, 0, "no memory for patterns");
	}
	(void)pcre2_set_match_limit(rules->context, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(rules->context, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(rules->context, HEAP_LIMIT_KIB);
	if (rules->stack != NULL) {
		pcre2_jit_stack_assign(rules->context, NULL, rules->stack);
	}
	return 0;
}

static int add_word(
	struct risk_rules *rules, struct span pattern, struct err *err)
{
	uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C |
			   (rules->is_caseless ? PCRE2_CASELESS : 0);
	int why = 0;
	PCRE2_SIZE at = 0;
	pcre2_code *code;

	if (prepare(rules, err) != 0) {
		return -1;
	}
	code = pcre2_compile(
		(PCRE2_SPTR)pattern.ptr, pattern.len, options, &why, &at, NULL);
	if (code == NULL) {
		char text[128] = "";

		(void)pcre2_get_error_message(
			why, (PCRE2_UCHAR *)text, sizeof(text));
		return err_usage(err, 0,
			"blocked word '%.*s' is no pattern: %s at offset %zu",
			(int)pattern.len, pattern.ptr, text, at);
	}
	/* Without JIT the same matches are found, only more slowly. */
	bool is_jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;

	rules->words = mem_resize(
		rules->words, rules->word_count + 1, sizeof(*rules->words));
	rules->words[rules->word_count++] = (struct word){
		.pattern = { mem_dup(pattern.ptr, pattern.len), pattern.len },
		.code = code,
		.is_jit = is_jit,
	};
	return 0;
}

int risk_add(struct risk_rules *rules, enum risk_kind kind, struct span text,
	struct err *err)
{
	if (kind == RISK_WORD) {
		return add_word(rules, text, err);
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

/* The direct way to the compiled pattern saves most of what a short text costs;
 * texts have been checked to be UTF-8 when the record was parsed. */
static int match(
	struct risk_rules *rules, const struct word *word, struct span text)
{
	return word->is_jit
		       ? pcre2_jit_match(word->code, (PCRE2_SPTR)text.ptr,
				 text.len, 0, 0, rules->data, rules->context)
		       : pcre2_match(word->code, (PCRE2_SPTR)text.ptr, text.len,
				 0, PCRE2_NO_UTF_CHECK, rules->data,
				 rules->context);
}

static bool find_word(struct risk_rules *rules, struct span text,
	struct risk_verdict *verdict)
{
	for (size_t i = 0; i < rules->word_count; i++) {
		int found = match(rules, &rules->words[i], text);

		if (found == PCRE2_ERROR_NOMATCH) {
			continue;
		}
		verdict->is_costly = found < 0;
		verdict->kind = RISK_WORD;
		verdict->rule = rules->words[i].pattern;
		return true;
	}
	return false;
}

static bool find_link(struct risk_rules *rules, const struct json *v,
	struct risk_verdict *verdict)
{
	const struct nameset_entry *site =
		links_find(&rules->sites, json_text(v), &rules->scratch);

	if (site != NULL) {
		verdict->kind = RISK_LINK;
		verdict->rule = site->name;
	}
	return site != NULL;
}

static bool find_in(struct risk_rules *rules, const struct json *v,
	struct risk_verdict *verdict)
{
	struct span text = json_text(v);

	return text.ptr != NULL && (find_word(rules, text, verdict) ||
					   find_link(rules, v, verdict));
}

/* Members of one object: those with a text that a user sees, and those that are
 * a link only; the rest is passed over. */
static bool judge_object(struct risk_rules *rules, const struct json *object,
	struct risk_verdict *verdict)
{
	struct json_iter it = json_iter(object);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		if ((span_is(it.name, "title") || span_is(it.name, "body") ||
			    span_is(it.name, "subtitle"))
				? find_in(rules, v, verdict)
				: (span_is(it.name, "image") ||
					  span_is(it.name, "link")) &&
					  find_link(rules, v, verdict)) {
			return true;
		}
	}
	return false;
}

/* A vendor's part: android, webpush, apns. */
static bool judge_part(struct risk_rules *rules, const struct json *part,
	struct risk_verdict *verdict)
{
	const struct json *alert = json_path(part, "payload.aps.alert");

	return judge_object(rules, json_get(part, "notification"), verdict) ||
	       judge_object(rules, json_get(part, "fcm_options"), verdict) ||
	       find_in(rules, alert, verdict) ||
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
			struct json_iter data = json_iter(v);
			const struct json *text;

			while (!is_hit && (text = json_next(&data)) != NULL) {
				is_hit = find_in(rules, text, verdict);
			}
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
	const struct span *names, struct risk_verdict *verdict)
{
	for (int kind = 0; kind < count; kind++) {
		if (nameset_has(&sets[kind], names[kind])) {
			verdict->kind = (enum risk_kind)kind;
			verdict->rule = names[kind];
			return true;
		}
	}
	return false;
}

struct risk_verdict risk_judge(struct risk_rules *rules,
	const struct risk_stops *stops, const struct record *r)
{
	const struct span names[] = { r->campaign, r->app, r->category, r->id,
		r->user, r->token };
	struct risk_verdict verdict = { 0 };

	if (stops != NULL &&
		judge_names(stops->sets, STOP_KINDS, names, &verdict)) {
		verdict.is_live = true;
		verdict.is_hit = true;
		return verdict;
	}
	verdict.is_hit = judge_names(rules->sets, RISK_WORD, names, &verdict);
	if (!verdict.is_hit && r->message != NULL &&
		(rules->word_count > 0 || rules->sites.count > 0)) {
		verdict.is_hit = judge_message(rules, r->message, &verdict);
	}
	return verdict;
}

/* What a list's element is blocked by: a user is a text, a device has a token. */
static bool is_blocked(const struct risk_rules *rules, const struct json *v)
{
	return json_type(v) == JSON_OBJECT
		       ? nameset_has(&rules->sets[RISK_DEVICE],
				 json_text(json_get(v, "token")))
		       : nameset_has(&rules->sets[RISK_USER], json_text(v));
}

size_t risk_filter(const struct risk_rules *rules, const struct record *r,
	const char *name, struct buf *task, size_t *left)
{
	bool has_rules = rules->sets[RISK_USER].count > 0 ||
			 rules->sets[RISK_DEVICE].count > 0;
	const struct json *all = has_rules ? json_get(r->root, name) : NULL;
	struct json_iter it = json_iter(all);
	size_t blocked = 0;
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		blocked += is_blocked(rules, v) ? 1 : 0;
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
		if (!is_blocked(rules, v)) {
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

/* --- counting --- */

struct risk_counts {
	struct nameset rules; /* "kind:rule" */
	uint64_t left_out;    /* hits of rules that were one too many */
	struct buf name;
};

struct risk_counts *risk_counts_new(void)
{
	struct risk_counts *counts = mem_array(1, sizeof(*counts));

	buf_init(&counts->name, SIZE_MAX);
	return counts;
}

void risk_counts_free(struct risk_counts *counts)
{
	if (counts != NULL) {
		nameset_release(&counts->rules);
		buf_release(&counts->name);
		mem_free(counts);
	}
}

void risk_count(
	struct risk_counts *counts, enum risk_kind kind, struct span rule)
{
	struct span name;

	buf_reset(&counts->name);
	buf_text(&counts->name, kinds[kind].name);
	if (kind != RISK_USER && kind != RISK_DEVICE) {
		buf_putc(&counts->name, ':');
		buf_put(&counts->name, rule.ptr, rule.len);
	}
	name = (struct span){ counts->name.data, counts->name.len };
	if (counts->rules.count >= COUNTED_RULES_MAX &&
		!nameset_has(&counts->rules, name)) {
		counts->left_out++;
	} else {
		nameset_add(&counts->rules, name)->count++;
	}
}

void risk_counts_put(const struct risk_counts *counts, struct buf *json)
{
	uint64_t left_out = counts->left_out;
	size_t begin = json->len;

	buf_text(json, ",\"rules\":{");
	for (size_t i = 0; i < counts->rules.slot_count; i++) {
		const struct nameset_entry *e = &counts->rules.slots[i];

		if (e->name.ptr == NULL) {
			continue;
		}
		/* Escapes and the number make it longer. */
		if (json->len - begin + e->name.len * 6 + 32 >
			RISK_COUNTS_MAX_BYTES) {
			left_out += e->count;
			continue;
		}
		if (json->data[json->len - 1] != '{') {
			buf_putc(json, ',');
		}
		json_put_span(json, e->name);
		buf_putc(json, ':');
		buf_u64(json, e->count);
	}
	buf_putc(json, '}');
	if (left_out > 0) {
		buf_text(json, ",\"rules_left_out\":");
		buf_u64(json, left_out);
	}
}
