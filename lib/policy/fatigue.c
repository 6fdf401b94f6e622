/*
 * The rules, which of them match a record, and the sliding window under a key.
 *
 * A window is a string of 12-byte entries, oldest first: 4 bytes Unix seconds
 * (big endian) and 8 bytes of the uid's digest, whose lowest bit is replaced by
 * "kept": delivered, not to be given back.  fatigue.lua in lib/store does the
 * same inside Redis.
 */
#include "policy/fatigue.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "policy/nameset.h"

enum {
	ENTRY_TIME_BYTES = 4,
	ENTRY_UID_BYTES = 8,
	ENTRY_BYTES = ENTRY_TIME_BYTES + ENTRY_UID_BYTES,
	ENTRY_KEPT = 1, /* in the last byte */
	NAME_MAX_BYTES = 1024,
};

struct fatigue_rules {
	struct fatigue_rule rules[FATIGUE_RULES_MAX];
	size_t count;
	struct nameset exempt; /* owned */
};

/* --- rules --- */

/* The same key would be counted by both, each with its own limit. */
static bool is_same_count(
	const struct fatigue_rule *a, const struct fatigue_rule *b)
{
	return match_is_same(&a->match, &b->match) &&
	       a->window_ms == b->window_ms;
}

static char *rule_name_take(const struct fatigue_rule *rule, const char *window)
{
	struct buf b;
	char *name;

	buf_init(&b, NAME_MAX_BYTES);
	match_write(&rule->match, &b);
	buf_fmt(&b, "%" PRId64 " per %s", rule->limit, window);
	name = mem_dup(buf_string(&b), b.len);
	buf_release(&b);
	return name;
}

/* Not of the limit: raising it keeps the counts. */
static struct digest rule_key(const struct fatigue_rule *rule)
{
	const struct match *m = &rule->match;
	char tail[64];
	struct digest_part parts[4] = {
		{ "fatigue rule", strlen("fatigue rule") },
		{ m->app.ptr, m->app.len },
		{ m->category.ptr, m->category.len },
		{ tail, 0 },
	};

	if (fmt_into(tail, sizeof(tail), "%d %d %d %" PRId64,
		    m->app.ptr != NULL, m->category.ptr != NULL,
		    m->has_priority ? (int)m->priority : -1,
		    rule->window_ms) != 0) {
		BUG("rule key longer than its numbers can be");
	}
	parts[3].len = strlen(tail);
	return digest_of_parts(parts, 4);
}

/* Takes over the texts of `rule', also when it fails. */
static int rule_put(struct fatigue_rules *rules, struct fatigue_rule rule,
	const char *window, struct err *err)
{
	struct fatigue_rule *place = rules->rules + rules->count;

	if (rules->count == FATIGUE_RULES_MAX) {
		match_release(&rule.match);
		return err_usage(err, 0, "more than %d fatigue rules",
			FATIGUE_RULES_MAX);
	}
	*place = rule;
	rules->count++; /* the list frees it from here on */
	if (rule.limit < 1 || rule.limit > FATIGUE_LIMIT_MAX) {
		return err_usage(
			err, 0, "limit is not from 1 to %d", FATIGUE_LIMIT_MAX);
	}
	if (num_parse_duration(window, &place->window_ms) != 0 ||
		place->window_ms < FATIGUE_WINDOW_MIN_MS) {
		return err_usage(err, 0,
			"'%s' is not a duration of at least 1s", window);
	}
	for (size_t i = 0; i + 1 < rules->count; i++) {
		if (is_same_count(rules->rules + i, place)) {
			return err_usage(err, 0,
				"two rules for the same records and window: "
				"'%s'",
				rules->rules[i].name);
		}
	}
	place->name = rule_name_take(place, window);
	place->key = rule_key(place);
	return 0;
}

static int rule_parse(
	struct fatigue_rules *rules, const struct json *v, struct err *err)
{
	struct fatigue_rule rule = { .limit = 0 };
	struct span window = json_text(json_get(v, "per"));

	if (json_int(json_get(v, "limit"), &rule.limit) != 0) {
		return err_usage(err, 0, "'limit' is missing or no number");
	}
	if (window.ptr == NULL) {
		return err_usage(err, 0, "'per' is missing or no text");
	}
	if (match_parse(&rule.match, v, err) != 0) {
		return -1;
	}
	return rule_put(rules, rule, window.ptr, err);
}

static void exempt_parse(struct nameset *exempt, const struct json *list)
{
	struct json_iter it = json_iter(list);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		(void)nameset_add(exempt, json_text(v));
	}
}

int fatigue_rules_new(
	struct fatigue_rules **out, const struct conf *conf, struct err *err)
{
	struct fatigue_rules *rules = mem_array(1, sizeof(*rules));
	const struct json *list =
		conf == NULL ? NULL : conf_at(conf, "fatigue.rules");

	for (size_t i = 0; i < json_count(list); i++) {
		if (rule_parse(rules, json_at(list, i), err) != 0) {
			fatigue_rules_free(rules);
			return err_prefix(err, "fatigue.rules[%zu]", i);
		}
	}
	exempt_parse(&rules->exempt,
		conf == NULL ? NULL : conf_at(conf, "fatigue.exempt"));
	*out = rules;
	return 0;
}

void fatigue_rules_free(struct fatigue_rules *rules)
{
	if (rules == NULL) {
		return;
	}
	for (size_t i = 0; i < rules->count; i++) {
		match_release(&rules->rules[i].match);
		mem_free(rules->rules[i].name);
	}
	nameset_release(&rules->exempt);
	mem_free(rules);
}

size_t fatigue_rules_count(const struct fatigue_rules *rules)
{
	return rules->count;
}

int fatigue_rules_add(struct fatigue_rules *rules, int64_t limit,
	const char *window, struct err *err)
{
	return rule_put(
		rules, (struct fatigue_rule){ .limit = limit }, window, err);
}

/* --- asking and judging --- */

bool fatigue_is_exempt(
	const struct fatigue_rules *rules, const struct record *r)
{
	return nameset_has(&rules->exempt, r->category);
}

/* Whose windows they are.  Each rule's own key is joined to it, so that there is
 * one digest a record to make, however many rules. */
static struct digest user_key(const struct record *r)
{
	const struct digest_part parts[] = {
		{ "fatigue", strlen("fatigue") },
		{ r->app.ptr, r->app.len },
		{ r->user.ptr, r->user.len },
	};

	return digest_of_parts(parts, 3);
}

size_t fatigue_ask(const struct fatigue_rules *rules, const struct record *r,
	enum store_verb verb, struct store_asks *asks)
{
	int64_t now_unix_ms = r->now_unix_us / 1000;
	struct digest user;
	struct digest uid;
	size_t count = 0;

	if (r->user.ptr == NULL || fatigue_is_exempt(rules, r)) {
		return 0;
	}
	for (size_t i = 0; i < rules->count; i++) {
		const struct fatigue_rule *rule = rules->rules + i;

		if (!match_fits(&rule->match, r)) {
			continue;
		}
		if (count++ == 0) {
			user = user_key(r);
			uid = digest_quick(r->uid.ptr, r->uid.len);
		}
		*store_asks_add(asks) = (struct store_ask){
			.verb = verb,
			.key = digest_join(&user, &rule->key),
			.uid = uid,
			.now_unix_ms = now_unix_ms,
			.window_ms = rule->window_ms,
			.limit = rule->limit,
		};
	}
	return count;
}

const struct fatigue_rule *fatigue_judge(const struct fatigue_rules *rules,
	const struct record *r, const struct store_ask *asks, size_t count)
{
	size_t over = 0;

	while (over < count && asks[over].answer != STORE_OVER) {
		over++;
	}
	/* Most pass; else it is that one of the rules that were asked about. */
	for (size_t i = 0; over < count && i < rules->count; i++) {
		if (match_fits(&rules->rules[i].match, r) && over-- == 0) {
			return rules->rules + i;
		}
	}
	return NULL;
}

void fatigue_refund(
	const struct store_ask *asks, size_t count, struct store_asks *refunds)
{
	for (size_t i = 0; i < count; i++) {
		if (asks[i].answer != STORE_OVER) {
			struct store_ask *back = store_asks_add(refunds);

			*back = asks[i];
			back->verb = STORE_FATIGUE_RELEASE;
		}
	}
}

static bool is_returned(
	const struct store_ask *ask, const struct store_asks *refunds)
{
	for (size_t i = 0; i < refunds->count; i++) {
		const struct store_ask *back = refunds->items + i;

		if (memcmp(&back->key, &ask->key, sizeof(ask->key)) == 0 &&
			memcmp(&back->uid, &ask->uid, sizeof(ask->uid)) != 0) {
			return true;
		}
	}
	return false;
}

bool fatigue_has_room(const struct store_ask *asks, size_t count,
	const struct store_asks *refunds)
{
	for (size_t i = 0; i < count; i++) {
		if (asks[i].answer == STORE_OVER &&
			is_returned(asks + i, refunds)) {
			return true;
		}
	}
	return false;
}

/* --- the window --- */

static uint32_t seconds_of(int64_t unix_ms)
{
	return unix_ms < 0 ? 0 : (uint32_t)(unix_ms / 1000);
}

static uint32_t entry_time(const char *entry)
{
	const unsigned char *p = (const unsigned char *)entry;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* Drops what has left the window at the old end; true when something has. */
static bool window_prune(struct buf *b, const struct store_ask *ask)
{
	uint32_t now_s = seconds_of(ask->now_unix_ms);
	int64_t window_s = (ask->window_ms + 999) / 1000;
	size_t gone = 0;

	while (gone + ENTRY_BYTES <= b->len &&
		entry_time(b->data + gone) + window_s <= now_s) {
		gone += ENTRY_BYTES;
	}
	buf_consume(b, gone);
	return gone > 0;
}

/* The entry of this uid, or NULL. */
static char *window_find(struct buf *b, const struct store_ask *ask)
{
	const unsigned char *uid = ask->uid.bytes;

	for (size_t at = 0; at + ENTRY_BYTES <= b->len; at += ENTRY_BYTES) {
		char *entry = b->data + at + ENTRY_TIME_BYTES;

		if (memcmp(entry, uid, ENTRY_UID_BYTES - 1) == 0 &&
			(((unsigned char)entry[ENTRY_UID_BYTES - 1] ^
				 uid[ENTRY_UID_BYTES - 1]) &
				~ENTRY_KEPT & 0xff) == 0) {
			return b->data + at;
		}
	}
	return NULL;
}

static void window_add(
	struct store_cell *cell, const struct store_ask *ask, bool is_kept)
{
	uint32_t now_s = seconds_of(ask->now_unix_ms);
	unsigned last = ask->uid.bytes[ENTRY_UID_BYTES - 1];

	for (int shift = 24; shift >= 0; shift -= 8) {
		buf_putc(&cell->bytes, (char)(now_s >> shift & 0xff));
	}
	buf_put(&cell->bytes, ask->uid.bytes, ENTRY_UID_BYTES - 1);
	last = (last & ~(unsigned)ENTRY_KEPT) | (is_kept ? ENTRY_KEPT : 0);
	buf_putc(&cell->bytes, (char)last);
	cell->expires_unix_ms = ask->now_unix_ms + ask->window_ms;
	cell->is_changed = true;
}

static enum store_answer window_take(
	const struct store_ask *ask, struct store_cell *cell)
{
	if (window_find(&cell->bytes, ask) != NULL) {
		return STORE_MINE;
	}
	if (cell->bytes.len / ENTRY_BYTES >= (size_t)ask->limit) {
		return STORE_OVER;
	}
	window_add(cell, ask, false);
	return STORE_FREE;
}

static void window_keep(const struct store_ask *ask, struct store_cell *cell)
{
	char *entry = window_find(&cell->bytes, ask);

	if (entry == NULL) {
		window_add(cell, ask, true);
	} else if ((entry[ENTRY_BYTES - 1] & ENTRY_KEPT) == 0) {
		entry[ENTRY_BYTES - 1] |= ENTRY_KEPT;
		cell->is_changed = true;
	}
}

static void window_release(const struct store_ask *ask, struct store_cell *cell)
{
	char *entry = window_find(&cell->bytes, ask);
	char *end = cell->bytes.data + cell->bytes.len;

	if (entry != NULL && (entry[ENTRY_BYTES - 1] & ENTRY_KEPT) == 0) {
		memmove(entry, entry + ENTRY_BYTES,
			(size_t)(end - entry) - ENTRY_BYTES);
		buf_cut(&cell->bytes, cell->bytes.len - ENTRY_BYTES);
		cell->is_changed = true;
	}
}

enum store_answer fatigue_apply(
	const struct store_ask *ask, struct store_cell *cell)
{
	if (window_prune(&cell->bytes, ask)) {
		cell->is_changed = true;
	}
	switch (ask->verb) {
	case STORE_FATIGUE_TAKE:
		return window_take(ask, cell);
	case STORE_FATIGUE_KEEP:
		window_keep(ask, cell);
		return STORE_OK;
	case STORE_FATIGUE_RELEASE:
		window_release(ask, cell);
		return STORE_OK;
	case STORE_DEDUPE_RESERVE:
	case STORE_DEDUPE_EXTEND:
	case STORE_DEDUPE_DONE:
	case STORE_DEDUPE_RELEASE:
		break;
	}
	BUG("not a verb of fatigue: %d", (int)ask->verb);
}
