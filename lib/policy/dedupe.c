/*
 * The dedupe key of a record, the verdict, and the state under a key.
 *
 * The state is 17 bytes: 'r' (reserved) or 'd' (done), then the digest of the
 * uid that holds it.  dedupe.lua in lib/store does the same inside Redis.
 */
#include "policy/dedupe.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "policy/match.h"

enum { STATE_RESERVED = 'r', STATE_DONE = 'd', STATE_BYTES = 1 + DIGEST_BYTES };

/* What a key's name is made of. */
enum by { BY_KEY, BY_ID, BY_CONTENT, BY_NOTHING };

struct rule {
	struct match match;
	enum by by;
	bool is_per_user;
	int64_t window_ms;
};

struct dedupe_rules {
	struct rule rules[DEDUPE_RULES_MAX];
	size_t count;
	struct rule rest; /* for records that no rule is for */
	struct buf content;
};

/* --- rules --- */

static int rule_parse(struct rule *rule, const struct json *v,
	int64_t window_ms, struct err *err)
{
	const struct json *by = json_get(v, "by");

	if (match_parse(&rule->match, v, err) != 0) {
		return -1;
	}
	rule->by = json_is_text(by, "id")        ? BY_ID
		   : json_is_text(by, "content") ? BY_CONTENT
		   : json_is_text(by, "nothing") ? BY_NOTHING
						 : BY_KEY;
	rule->is_per_user = json_is_text(json_get(v, "per"), "user");
	rule->window_ms = conf_duration_ms(json_get(v, "window"), window_ms);
	return rule->window_ms > 0
		       ? 0
		       : err_usage(err, 0, "'window' must be longer than 0");
}

int dedupe_rules_new(struct dedupe_rules **out, const struct conf *conf,
	int64_t window_ms, struct err *err)
{
	struct dedupe_rules *rules = mem_array(1, sizeof(*rules));
	const struct json *list =
		conf == NULL ? NULL : conf_at(conf, "dedupe.rules");
	size_t count = json_count(list);

	buf_init(&rules->content, SIZE_MAX);
	if (window_ms <= 0 && conf != NULL) {
		window_ms = conf_duration_ms(
			conf_at(conf, "dedupe.window"), DEDUPE_WINDOW_MS);
	}
	if (window_ms <= 0 && conf != NULL) {
		dedupe_rules_free(rules);
		return err_usage(
			err, 0, "'dedupe.window' must be longer than 0");
	}
	rules->rest.window_ms = window_ms > 0 ? window_ms : DEDUPE_WINDOW_MS;
	if (count > DEDUPE_RULES_MAX) {
		dedupe_rules_free(rules);
		return err_usage(err, 0, "dedupe.rules: more than %d rules",
			DEDUPE_RULES_MAX);
	}
	for (size_t i = 0; i < count; i++) {
		rules->count++;
		if (rule_parse(rules->rules + i, json_at(list, i),
			    rules->rest.window_ms, err) != 0) {
			dedupe_rules_free(rules);
			return err_prefix(err, "dedupe.rules[%zu]", i);
		}
	}
	*out = rules;
	return 0;
}

void dedupe_rules_free(struct dedupe_rules *rules)
{
	if (rules == NULL) {
		return;
	}
	for (size_t i = 0; i < rules->count; i++) {
		match_release(&rules->rules[i].match);
	}
	buf_release(&rules->content);
	mem_free(rules);
}

static const struct rule *rule_of(
	const struct dedupe_rules *rules, const struct record *r)
{
	for (size_t i = 0; i < rules->count; i++) {
		if (match_fits(&rules->rules[i].match, r)) {
			return rules->rules + i;
		}
	}
	return &rules->rest;
}

/* --- keys --- */

static struct digest_part part_of(struct span s)
{
	return (struct digest_part){ s.ptr, s.len };
}

/* The kind of target and its name: a token of iOS is never one of Android, and
 * a topic never a token. */
static void put_target(const struct record *r, struct digest_part target[2])
{
	struct span kind = span_of("task");
	struct span name = { "", 0 };

	if (r->token.ptr != NULL) {
		kind = span_of(platform_name(r->platform));
		name = r->token;
	} else if (r->topic.ptr != NULL) {
		kind = span_of("topic");
		name = r->topic;
	} else if (r->condition.ptr != NULL) {
		kind = span_of("condition");
		name = r->condition;
	} else if (r->channel.ptr != NULL) {
		kind = span_of("channel");
		name = r->channel;
	} else if (r->user.ptr != NULL) {
		kind = span_of("user");
		name = r->user;
	}
	target[0] = part_of(kind);
	target[1] = part_of(name);
}

/* What kind of name the key has, and the name. */
static void put_name(struct dedupe_rules *rules, enum by by,
	const struct record *r, struct digest_part name[2])
{
	if (by == BY_CONTENT && r->message != NULL) {
		buf_reset(&rules->content);
		json_write(&rules->content, r->message);
		name[0] = part_of(span_of("dedupe-content"));
		name[1] = (struct digest_part){ rules->content.data,
			rules->content.len };
	} else if (r->dedupe_key.ptr != NULL && by != BY_ID) {
		name[0] = part_of(span_of("dedupe"));
		name[1] = part_of(r->dedupe_key);
	} else if (r->id.ptr != NULL) {
		name[0] = part_of(span_of("dedupe"));
		name[1] = part_of(r->id);
	} else {
		name[0] = part_of(span_of("dedupe-uid"));
		name[1] = part_of(r->uid);
	}
}

size_t dedupe_ask(struct dedupe_rules *rules, const struct record *r,
	enum store_verb verb, struct store_asks *asks)
{
	const struct rule *rule = rule_of(rules, r);
	struct digest_part parts[5];
	struct digest keys[2];
	struct digest uid;
	size_t count = 0;

	if (rule->by == BY_NOTHING) {
		return 0;
	}
	parts[2] = part_of(r->app);
	put_name(rules, rule->by, r, parts);
	if (rule->is_per_user && r->user.ptr != NULL) {
		parts[3] = part_of(span_of("user"));
		parts[4] = part_of(r->user);
		keys[count++] = digest_of_parts(parts, 5);
		/* The other devices of this push share that key.  Which of them
		 * it was delivered to is told by a key of its own. */
		parts[0] = part_of(span_of("dedupe-uid"));
		parts[1] = part_of(r->uid);
	}
	put_target(r, parts + 3);
	keys[count++] = digest_of_parts(parts, 5);
	uid = digest_quick(r->uid.ptr, r->uid.len);
	for (size_t i = 0; i < count; i++) {
		*store_asks_add(asks) = (struct store_ask){
			.verb = verb,
			.key = keys[i],
			.uid = uid,
			.now_unix_ms = r->now_unix_us / 1000,
			.window_ms = rule->window_ms,
		};
	}
	return count;
}

enum dedupe_verdict dedupe_judge(const struct store_ask *asks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (asks[i].answer == STORE_OTHER) {
			return DEDUPE_DUPLICATE;
		}
	}
	/* The last one is about this very device. */
	return count > 0 && asks[count - 1].answer == STORE_DONE
		       ? DEDUPE_ALREADY_DONE
		       : DEDUPE_PASS;
}

/* --- the state under a key --- */

static void put_state(
	const struct store_ask *ask, struct store_cell *cell, char state)
{
	buf_reset(&cell->bytes);
	buf_putc(&cell->bytes, state);
	buf_put(&cell->bytes, ask->uid.bytes, DIGEST_BYTES);
	cell->expires_unix_ms = ask->now_unix_ms + ask->window_ms;
	cell->is_changed = true;
}

enum store_answer dedupe_apply(
	const struct store_ask *ask, struct store_cell *cell)
{
	const char *held = cell->bytes.data;
	bool is_there = cell->bytes.len == STATE_BYTES;
	bool is_ours =
		is_there && memcmp(held + 1, ask->uid.bytes, DIGEST_BYTES) == 0;
	bool is_done = is_ours && held[0] == STATE_DONE;

	if (is_there && !is_ours) {
		return STORE_OTHER;
	}
	if (is_done && ask->verb != STORE_DEDUPE_DONE) {
		return STORE_DONE;
	}
	switch (ask->verb) {
	case STORE_DEDUPE_RESERVE:
		if (is_ours) {
			return STORE_MINE;
		}
		put_state(ask, cell, STATE_RESERVED);
		return STORE_FREE;
	case STORE_DEDUPE_EXTEND:
		put_state(ask, cell, STATE_RESERVED);
		return STORE_OK;
	case STORE_DEDUPE_DONE:
		put_state(ask, cell, STATE_DONE);
		return STORE_OK;
	case STORE_DEDUPE_RELEASE:
		buf_reset(&cell->bytes);
		cell->is_changed = is_there;
		return STORE_OK;
	case STORE_FATIGUE_TAKE:
	case STORE_FATIGUE_KEEP:
	case STORE_FATIGUE_RELEASE:
		break;
	}
	BUG("not a verb of dedupe: %d", (int)ask->verb);
}
