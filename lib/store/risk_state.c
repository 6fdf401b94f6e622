/* The watcher of stops, and the buckets of surges. */
#include "store/risk_state.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/redis_url.h"
#include "store/rates.h"
#include "store/stops.h"
#include "store/store.h"
#include "store/url.h"

struct risk_state {
	struct loop *loop;
	bool is_replay;
	struct risk_stops *stops; /* owned; replaced when an operator says so */
	size_t stop_count;
	struct stops_watch *watch; /* owned; NULL: nobody is asked */
	char *watched_url;         /* owned; NULL: not followed yet */
	struct rates *rates;       /* owned; NULL: no surge limits so far */

	struct risk_verdict *verdicts; /* owned; by place */
	size_t verdict_room;

	/* of one exchange, by ask */
	struct buf keys;
	struct rate_ask *asks; /* owned, as are the next two */
	size_t *record_of;
	struct span *shown;
	size_t room;
};

struct risk_state *risk_state_new(struct loop *loop, bool is_replay)
{
	struct risk_state *s = mem_array(1, sizeof(*s));

	s->loop = loop;
	s->is_replay = is_replay;
	buf_init(&s->keys, SIZE_MAX);
	return s;
}

void risk_state_free(struct risk_state *s)
{
	if (s == NULL) {
		return;
	}
	stops_watch_close(s->watch);
	risk_stops_free(s->stops);
	mem_free(s->watched_url);
	rates_close(s->rates);
	buf_release(&s->keys);
	mem_free(s->verdicts);
	mem_free(s->asks);
	mem_free(s->record_of);
	mem_free(s->shown);
	mem_free(s);
}

size_t risk_state_stop_count(const struct risk_state *s)
{
	return s->stop_count;
}

/* --- where things are --- */

static void on_stops(void *self, const struct stops *stops)
{
	static const enum risk_kind kinds[STOP_KIND_COUNT] = {
		[STOP_CAMPAIGN] = RISK_CAMPAIGN,
		[STOP_APP] = RISK_APP,
		[STOP_CATEGORY] = RISK_CATEGORY,
		[STOP_ID] = RISK_ID,
	};
	struct risk_state *s = self;

	risk_stops_free(s->stops);
	s->stops = risk_stops_new();
	s->stop_count = stops->count;
	for (size_t i = 0; i < stops->count; i++) {
		risk_stops_add(s->stops, kinds[stops->items[i].kind],
			stops->items[i].name);
	}
	log_info("stopped by operators: %zu", stops->count);
}

static void on_trouble(void *self, const struct err *err)
{
	const struct risk_state *s = self;

	if (err != NULL) {
		log_warn("%s; what operators stopped stays stopped: %zu",
			err->text, s->stop_count);
	} else {
		log_info("what operators stop is known again");
	}
}

/* The same place as before is not left. */
static int watch_stops(struct risk_state *s, const char *url, struct err *err)
{
	struct stops_events events = { on_stops, on_trouble, s };
	struct stops_watch *watch = NULL;

	if (s->watched_url != NULL && strcmp(s->watched_url, url) == 0) {
		return 0;
	}
	if (strcmp(url, "none") != 0) {
		if (stops_watch_open(&watch, s->loop, url, &events, err) != 0) {
			return -1;
		}
	} else {
		risk_stops_free(s->stops);
		s->stops = NULL;
		s->stop_count = 0;
	}
	stops_watch_close(s->watch);
	mem_free(s->watched_url);
	s->watch = watch;
	s->watched_url = mem_text(url);
	return 0;
}

static const char *chosen_stops(const struct conf *conf, const char *given)
{
	return given != NULL ? given
			     : conf_text(conf, "risk.stops",
				       conf_text(conf, "redis", "none"));
}

int risk_state_check(
	const struct conf *conf, const char *stops_url, struct err *err)
{
	const struct store_choice rates = { NULL, "risk.store", false };
	const char *url = chosen_stops(conf, stops_url);

	if (strcmp(url, "none") != 0 && redis_url_check(url, err) != 0) {
		conf_blame(conf,
			conf_at(conf, "risk.stops") == NULL ? "redis"
							    : "risk.stops",
			url, err);
		return -1;
	}
	return store_choice_check(&rates, conf, err);
}

int risk_state_follow(struct risk_state *s, const struct risk_rules *rules,
	const struct conf *conf, const char *stops_url, struct err *err)
{
	stops_url = chosen_stops(conf, stops_url);
	if (risk_surge_count(rules) > 0) {
		char *url = s->is_replay ? mem_text("memory:")
					 : store_url_take(conf, "risk.store");
		int failed = rates_follow(&s->rates, url, err);

		mem_free(url);
		if (failed != 0) {
			return -1;
		}
	}
	return watch_stops(s, s->is_replay ? "none" : stops_url, err);
}

/* --- surges --- */

static void make_room(struct risk_state *s, size_t room)
{
	if (s->room < room) {
		s->room = room;
		s->asks = mem_resize(s->asks, room, sizeof(*s->asks));
		s->record_of =
			mem_resize(s->record_of, room, sizeof(*s->record_of));
		s->shown = mem_resize(s->shown, room, sizeof(*s->shown));
	}
}

/* What comes again was counted when it came first; but what waited for its quota
 * then never got here, and the rest of a segment counts for the page before. */
static bool is_counted(
	const struct record *r, const struct risk_verdict *verdict)
{
	bool is_first = !r->is_resumed || r->is_whole;

	return r->outcome == OUTCOME_UNDECIDED && !verdict->is_hit &&
	       is_first && r->attempt <= 1;
}

static int judge_surges(struct risk_state *s, const struct risk_rules *rules,
	struct record *const *records, struct risk_verdict *verdicts,
	size_t count, struct err *err)
{
	size_t limits = risk_surge_count(rules);
	size_t asked = 0;
	const char *key;

	if (limits == 0) {
		return 0;
	}
	make_room(s, count * limits);
	buf_reset(&s->keys);
	for (size_t i = 0; i < count * limits; i++) {
		size_t at = i / limits;

		if (is_counted(records[at], &verdicts[at]) &&
			risk_surge(rules, i % limits, records[at], &s->keys,
				&s->asks[asked], &s->shown[asked])) {
			s->record_of[asked++] = at;
		}
	}
	key = s->keys.data;
	for (size_t i = 0; i < asked; i++) {
		s->asks[i].key.ptr = key;
		key += s->asks[i].key.len;
	}
	if (rates_exchange(s->rates, s->asks, asked, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < asked; i++) {
		if (s->asks[i].wait_ms != 0) {
			verdicts[s->record_of[i]] = (struct risk_verdict){
				.is_hit = true,
				.kind = RISK_SURGE,
				.rule = s->shown[i],
			};
		}
	}
	return 0;
}

/* In a replay: what an operator had stopped when the record was captured is
 * stopped again. */
static void judge_captured(const struct record *r, struct risk_verdict *verdict)
{
	enum reason was;
	const struct json *facts = record_captured(r, &was);

	if (!json_is_text(json_get(facts, "by"), "operator")) {
		return;
	}
	for (int kind = RISK_CAMPAIGN; kind <= RISK_CATEGORY; kind++) {
		if (risk_kind_reason((enum risk_kind)kind) == was) {
			*verdict = (struct risk_verdict){ .is_hit = true,
				.kind = (enum risk_kind)kind,
				.rule = span_of("operator"),
				.is_live = true };
		}
	}
}

int risk_state_judge(struct risk_state *s, struct risk_rules *rules,
	struct record *const *records, size_t count,
	const struct risk_verdict **verdicts, struct err *err)
{
	if (s->verdict_room < count) {
		s->verdict_room = count;
		s->verdicts =
			mem_resize(s->verdicts, count, sizeof(*s->verdicts));
	}
	for (size_t i = 0; i < count; i++) {
		if (records[i]->outcome == OUTCOME_UNDECIDED) {
			s->verdicts[i] =
				risk_judge(rules, s->stops, records[i]);
			if (s->is_replay) {
				judge_captured(records[i], &s->verdicts[i]);
			}
		}
	}
	*verdicts = s->verdicts;
	return judge_surges(s, rules, records, s->verdicts, count, err);
}
