/* Rules of quiet hours, and which of them a record meets. */
#include "policy/quiet.h"

#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "policy/match.h"

enum {
	MINUTE_S = 60,
	HOUR_S = 3600,
	SPREAD_MAX_MS = 12 * HOUR_S * 1000,
	NAME_MAX_BYTES = 1024
};

struct rule {
	struct match match;
	int64_t from_s; /* of the local day */
	int64_t to_s;
	enum quiet_action action;
	int64_t spread_ms; /* deferred: over so long behind the end */
	char *name;        /* owned; "marketing quiet 22:00-08:00" */
};

struct quiet {
	struct rule rules[QUIET_RULES_MAX];
	size_t count;
	char *zone; /* owned */
};

/* "22:00" to seconds of a day. */
static int clock_parse(struct span text, int64_t *out_s)
{
	int digits[4];

	if (text.len != 5 || text.ptr[2] != ':') {
		return -1;
	}
	for (int i = 0; i < 4; i++) {
		digits[i] = text.ptr[i + (i > 1)] - '0';
		if (digits[i] < 0 || digits[i] > 9) {
			return -1;
		}
	}
	*out_s = (digits[0] * 10 + digits[1]) * HOUR_S +
		 (digits[2] * 10 + digits[3]) * MINUTE_S;
	return digits[0] * 10 + digits[1] < 24 && digits[2] < 6 ? 0 : -1;
}

static char *rule_name_take(
	const struct rule *rule, struct span from, struct span to)
{
	struct buf b;
	char *name;

	buf_init(&b, NAME_MAX_BYTES);
	match_write(&rule->match, &b);
	buf_fmt(&b, "quiet %s-%s", from.ptr, to.ptr);
	name = mem_dup(buf_string(&b), b.len);
	buf_release(&b);
	return name;
}

static int rule_parse(struct rule *rule, const struct json *v, struct err *err)
{
	struct span from = json_text(json_get(v, "from"));
	struct span to = json_text(json_get(v, "to"));

	if (match_parse(&rule->match, v, err) != 0) {
		return -1;
	}
	if (clock_parse(from, &rule->from_s) != 0) {
		return err_usage(
			err, 0, "'from' is no time of day such as \"22:00\"");
	}
	if (clock_parse(to, &rule->to_s) != 0) {
		return err_usage(
			err, 0, "'to' is no time of day such as \"08:00\"");
	}
	if (rule->from_s == rule->to_s) {
		return err_usage(err, 0, "'from' and 'to' are the same");
	}
	rule->action = json_is_text(json_get(v, "then"), "defer")
			       ? QUIET_DEFER
			       : QUIET_SUPPRESS;
	rule->spread_ms = conf_duration_ms(json_get(v, "spread"), 0);
	if (rule->spread_ms > 0 && rule->action != QUIET_DEFER) {
		return err_usage(
			err, 0, "'spread' is for 'then' \"defer\" only");
	}
	if (rule->spread_ms > SPREAD_MAX_MS) {
		return err_usage(err, 0, "'spread' is longer than 12h");
	}
	rule->name = rule_name_take(rule, from, to);
	return 0;
}

int quiet_new(struct quiet **out, const struct conf *conf, struct err *err)
{
	struct quiet *q = mem_array(1, sizeof(*q));
	const struct json *list =
		conf == NULL ? NULL : conf_at(conf, "fatigue.quiet_hours");
	size_t count = json_count(list);

	if (count > QUIET_RULES_MAX) {
		quiet_free(q);
		return err_usage(err, 0,
			"fatigue.quiet_hours: more than %d rules",
			QUIET_RULES_MAX);
	}
	q->zone = mem_text(
		conf == NULL ? "UTC"
			     : conf_text(conf, "fatigue.time_zone", "UTC"));
	for (size_t i = 0; i < count; i++) {
		q->count++;
		if (rule_parse(q->rules + i, json_at(list, i), err) != 0) {
			quiet_free(q);
			return err_prefix(err, "fatigue.quiet_hours[%zu]", i);
		}
	}
	*out = q;
	return 0;
}

void quiet_free(struct quiet *q)
{
	if (q == NULL) {
		return;
	}
	for (size_t i = 0; i < q->count; i++) {
		match_release(&q->rules[i].match);
		mem_free(q->rules[i].name);
	}
	mem_free(q->zone);
	mem_free(q);
}

size_t quiet_count(const struct quiet *q)
{
	return q->count;
}

struct span quiet_default_zone(const struct quiet *q)
{
	return span_of(q->zone);
}

struct span quiet_zone(const struct quiet *q, const struct record *r)
{
	for (size_t i = 0; i < q->count; i++) {
		if (match_fits(&q->rules[i].match, r)) {
			struct span zone =
				json_text(json_get(r->device, "time_zone"));

			return zone.ptr != NULL ? zone
						: json_text(json_get(r->root,
							  "time_zone"));
		}
	}
	return (struct span){ NULL, 0 };
}

/* A place in [0, most) that is the record's own, the same whenever it is asked:
 * by its push and user, so that a campaign's users, who all wait for one
 * instant, do not come back in one second. */
static int64_t place_in(const struct record *r, int64_t most)
{
	struct span who = r->user.ptr != NULL ? r->user : r->token;
	struct digest_part parts[] = {
		{ r->uid.ptr, r->uid.len },
		{ who.ptr, who.len },
	};
	struct digest d = digest_of_parts(parts, 2);
	uint64_t n;

	memcpy(&n, d.bytes, sizeof(n));
	return most > 0 ? (int64_t)(n % (uint64_t)most) : 0;
}

/* When a deferred record is due: behind the end of the night, but before it
 * expires. */
static int64_t due_unix_ms(
	const struct rule *rule, const struct record *r, int64_t end_unix_ms)
{
	int64_t room_ms = rule->spread_ms;

	if (r->expires_unix_ms > 0 &&
		r->expires_unix_ms - end_unix_ms < room_ms) {
		room_ms = r->expires_unix_ms - end_unix_ms;
	}
	return end_unix_ms + place_in(r, room_ms);
}

struct quiet_verdict quiet_judge(
	const struct quiet *q, const struct record *r, struct zone *zone)
{
	int64_t now_s = r->now_unix_us / 1000000;

	for (size_t i = 0; i < q->count; i++) {
		const struct rule *rule = q->rules + i;
		struct quiet_verdict v = { rule->action, rule->name, 0 };
		int64_t end_s;

		if (!match_fits(&rule->match, r)) {
			continue;
		}
		end_s = zone_end_of(zone, now_s, rule->from_s, rule->to_s);
		if (end_s == now_s) {
			continue;
		}
		v.until_unix_ms = end_s * 1000;
		if (r->expires_unix_ms > 0 &&
			v.until_unix_ms >= r->expires_unix_ms) {
			v.action = QUIET_SUPPRESS;
		}
		if (v.action == QUIET_DEFER) {
			v.until_unix_ms = due_unix_ms(rule, r, v.until_unix_ms);
		}
		return v;
	}
	return (struct quiet_verdict){ QUIET_PASS, NULL, 0 };
}
