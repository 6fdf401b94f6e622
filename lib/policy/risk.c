/*
 * Sets of names and compiled patterns, asked for every record.
 */
#include "policy/risk.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

enum {
	/* What one pattern may cost on one text; ours.  Sound patterns need a few
	 * steps a byte, and a text has a few hundred bytes. */
	MATCH_LIMIT = 100 * 1000,
	DEPTH_LIMIT = 1000,
	HEAP_LIMIT_KIB = 1024,
	JIT_STACK_BYTES = 256 * 1024,
	SET_FIRST_SLOTS = 16, /* a power of two */
};

/* --- sets of names --- */

struct set {
	struct span *slots; /* owned, as are the texts; ptr NULL: empty */
	size_t slot_count;  /* a power of two, or 0 */
	size_t count;
};

/* FNV-1a: the names come from the configuration, so nobody chooses them in
 * order to collide, and probing ends at the first gap. */
static size_t hash_of(struct span s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < s.len; i++) {
		h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(1099511628211);
	}
	return (size_t)(h ^ h >> 32);
}

/* Where the name is, or the gap where it would be. */
static struct span *set_slot(const struct set *set, struct span name)
{
	size_t at = hash_of(name) & (set->slot_count - 1);

	while (set->slots[at].ptr != NULL &&
		!span_equal(set->slots[at], name)) {
		at = (at + 1) & (set->slot_count - 1);
	}
	return &set->slots[at];
}

static bool set_has(const struct set *set, struct span name)
{
	return set->count > 0 && name.ptr != NULL &&
	       set_slot(set, name)->ptr != NULL;
}

/* Keeps a quarter of the slots free at least. */
static void set_grow(struct set *set)
{
	struct set old = *set;

	if (set->slot_count > 0 &&
		(set->count + 1) * 4 <= set->slot_count * 3) {
		return;
	}
	set->slot_count =
		old.slot_count == 0 ? SET_FIRST_SLOTS : old.slot_count * 2;
	set->slots = mem_array(set->slot_count, sizeof(*set->slots));
	for (size_t i = 0; i < old.slot_count; i++) {
		if (old.slots[i].ptr != NULL) {
			*set_slot(set, old.slots[i]) = old.slots[i];
		}
	}
	mem_free(old.slots);
}

static void set_add(struct set *set, struct span name)
{
	struct span *slot;

	set_grow(set);
	slot = set_slot(set, name);
	if (slot->ptr == NULL) {
		*slot = (struct span){ mem_dup(name.ptr, name.len), name.len };
		set->count++;
	}
}

static void set_release(struct set *set)
{
	for (size_t i = 0; i < set->slot_count; i++) {
		mem_free((void *)(uintptr_t)set->slots[i].ptr);
	}
	mem_free(set->slots);
}

/* --- the rules --- */

struct word {
	struct span pattern; /* owned */
	pcre2_code *code;    /* owned */
};

struct risk_rules {
	struct set campaigns;
	struct set users;
	bool is_caseless;
	struct word *words; /* owned */
	size_t word_count;
	pcre2_match_context *context; /* owned; NULL: no words */
	pcre2_match_data *data;       /* owned, likewise */
	pcre2_jit_stack *stack;       /* owned, likewise */
};

struct risk_rules *risk_rules_new(bool is_caseless)
{
	struct risk_rules *rules = mem_array(1, sizeof(*rules));

	rules->is_caseless = is_caseless;
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
	set_release(&rules->campaigns);
	set_release(&rules->users);
	mem_free(rules);
}

void risk_stop_campaign(struct risk_rules *rules, struct span campaign)
{
	set_add(&rules->campaigns, campaign);
}

void risk_block_user(struct risk_rules *rules, struct span user)
{
	set_add(&rules->users, user);
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

int risk_block_word(
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
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	rules->words = mem_resize(
		rules->words, rules->word_count + 1, sizeof(*rules->words));
	rules->words[rules->word_count++] = (struct word){
		.pattern = { mem_dup(pattern.ptr, pattern.len), pattern.len },
		.code = code,
	};
	return 0;
}

/* --- judging --- */

/* Texts have been checked to be UTF-8 when the record was parsed. */
static const struct word *find_word(
	struct risk_rules *rules, struct span text, bool *is_costly)
{
	for (size_t i = 0; i < rules->word_count; i++) {
		int found = pcre2_match(rules->words[i].code,
			(PCRE2_SPTR)text.ptr, text.len, 0, PCRE2_NO_UTF_CHECK,
			rules->data, rules->context);

		if (found == PCRE2_ERROR_NOMATCH) {
			continue;
		}
		*is_costly = found < 0;
		return &rules->words[i];
	}
	return NULL;
}

static const struct word *find_in(
	struct risk_rules *rules, const struct json *v, bool *is_costly)
{
	struct span text = json_text(v);

	return text.ptr == NULL ? NULL : find_word(rules, text, is_costly);
}

/* The texts that a user sees: title and body, wherever they are said. */
static const char *const text_paths[] = {
	"notification.title",
	"notification.body",
	"android.notification.title",
	"android.notification.body",
	"apns.payload.aps.alert",
	"apns.payload.aps.alert.title",
	"apns.payload.aps.alert.subtitle",
	"apns.payload.aps.alert.body",
	"webpush.notification.title",
	"webpush.notification.body",
};

static const struct word *judge_texts(
	struct risk_rules *rules, const struct json *message, bool *is_costly)
{
	struct json_iter it = json_iter(json_get(message, "data"));
	const struct word *word = NULL;
	const struct json *v;

	for (size_t i = 0;
		word == NULL && i < sizeof(text_paths) / sizeof(text_paths[0]);
		i++) {
		word = find_in(
			rules, json_path(message, text_paths[i]), is_costly);
	}
	while (word == NULL && (v = json_next(&it)) != NULL) {
		word = find_in(rules, v, is_costly);
	}
	return word;
}

enum reason risk_judge(struct risk_rules *rules, const struct record *r,
	struct span *rule, bool *is_costly)
{
	const struct word *word;

	*is_costly = false;
	if (set_has(&rules->campaigns, r->campaign)) {
		return REASON_CAMPAIGN_STOPPED;
	}
	if (set_has(&rules->users, r->user)) {
		return REASON_RISK_USER;
	}
	if (rules->word_count == 0 || r->message == NULL) {
		return REASON_NONE;
	}
	word = judge_texts(rules, r->message, is_costly);
	if (word == NULL) {
		return REASON_NONE;
	}
	*rule = word->pattern;
	return REASON_RISK_CONTENT;
}

size_t risk_filter_users(const struct risk_rules *rules, const struct record *r,
	struct buf *users, size_t *left)
{
	const struct json *list = json_get(r->root, "users");
	struct json_iter it = json_iter(list);
	size_t blocked = 0;
	const struct json *v;

	*left = 0;
	if (rules->users.count == 0 || json_type(list) != JSON_ARRAY) {
		return 0;
	}
	buf_putc(users, '[');
	while ((v = json_next(&it)) != NULL) {
		if (set_has(&rules->users, json_text(v))) {
			blocked++;
			continue;
		}
		if ((*left)++ > 0) {
			buf_putc(users, ',');
		}
		json_write(users, v);
	}
	buf_putc(users, ']');
	return blocked;
}
