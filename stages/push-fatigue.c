/*
 * push-fatigue - hold back users who have had enough notifications
 *
 * First quiet hours, by the clock where the user is.  Then caps: counts what each user is sent in sliding windows, one for each rule that
 * matches, and suppresses what would go over.  Counting is by uid: devices,
 * retries and redeliveries of one push count once.  What a refused record took
 * from other rules is given back.  push-ack keeps and gives back what became of
 * the rest.  See push-fatigue(1).
 */
#include "base/log.h"
#include "base/zone.h"
#include "policy/fatigue.h"
#include "policy/quiet.h"
#include "stage/stage.h"
#include "store/caps.h"
#include "store/store.h"
#include "store/url.h"

struct app {
	const char *store_url; /* of the command line; NULL: of push.conf */
	int64_t limit;         /* a rule for everything; 0: none */
	const char *per;

	struct store_place place;    /* owned */
	struct fatigue_rules *rules; /* owned */
	struct quiet *quiet;         /* owned */
	struct zones *zones;         /* owned */
	struct caps caps;
	bool is_replay;
	bool is_again; /* the batch comes again: its facts are told already */
};

static struct app app = { .per = "24h" };

static const struct opt opts[] = {
	OPT_TEXT("store", "URL", &app.store_url, NULL, "where counts are kept"),
	OPT_INT("limit", "N", &app.limit, 1, FATIGUE_LIMIT_MAX, NULL,
		"one more rule: every user gets at most N"),
	OPT_TEXT("per", "TIME", &app.per, NULL,
		"the window of that rule (default 24h)"),
	OPT_END,
};

/* What push.conf and the command line say; what was made before a failure is
 * the caller's to free. */
static int read_rules(const struct app *a, struct run *run,
	struct fatigue_rules **rules, struct quiet **quiet, struct zones *zones,
	struct err *err)
{
	const struct store_choice choice = { a->store_url, "fatigue.store",
		run_is_replay(run) };

	if (store_choice_check(&choice, run_conf(run), err) != 0 ||
		fatigue_rules_new(rules, run_conf(run), err) != 0 ||
		quiet_new(quiet, run_conf(run), err) != 0) {
		return -1;
	}
	/* Nobody needs tzdata for caps alone. */
	if ((quiet_count(*quiet) > 0 ||
		    !span_is(quiet_default_zone(*quiet), "UTC")) &&
		zones_get(zones, quiet_default_zone(*quiet)) == NULL) {
		return err_usage(err, 0,
			"fatigue.time_zone: no time zone '%s' in this system's "
			"tzdata",
			quiet_default_zone(*quiet).ptr);
	}
	if (a->limit > 0 &&
		fatigue_rules_add(*rules, a->limit, a->per, err) != 0) {
		return err_prefix(err, "--limit and --per");
	}
	return 0;
}

static int app_check(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	a->zones = zones_new();
	return read_rules(a, run, &a->rules, &a->quiet, a->zones, err);
}

static int app_load(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	struct fatigue_rules *rules = NULL;
	struct quiet *quiet = NULL;
	struct zones *zones = zones_new();
	struct store_choice choice = { a->store_url, "fatigue.store",
		run_is_replay(run) };

	a->is_replay = choice.is_replay;
	if (read_rules(a, run, &rules, &quiet, zones, err) != 0) {
		goto fail;
	}
	if (store_place_open(&a->place, &choice, run_conf(run), err) != 0) {
		goto fail;
	}
	if (fatigue_rules_count(rules) == 0 && quiet_count(quiet) == 0) {
		log_info("no rules: everything passes");
	}
	fatigue_rules_free(a->rules);
	a->rules = rules;
	quiet_free(a->quiet);
	a->quiet = quiet;
	zones_free(a->zones);
	a->zones = zones;
	return 0;
fail:
	fatigue_rules_free(rules);
	quiet_free(quiet);
	zones_free(zones);
	return -1;
}

/* --- quiet hours --- */

/* Decides a record that comes when the user is to be left alone. */
static void keep_quiet(struct app *a, struct record *rec)
{
	struct quiet_verdict v;
	struct span name;
	struct zone *zone;

	if (quiet_count(a->quiet) == 0 || fatigue_is_exempt(a->rules, rec)) {
		return;
	}
	name = quiet_zone(a->quiet, rec);
	zone = zones_get(a->zones, name);
	if (zone == NULL) {
		if (name.ptr != NULL && !a->is_again) {
			record_fact_bool(rec, "unknown_zone", true);
		}
		name = quiet_default_zone(a->quiet);
		zone = zones_get(a->zones, name);
	}
	v = quiet_judge(a->quiet, rec, zone);
	if (v.action == QUIET_PASS) {
		return;
	}
	record_fact_text(rec, "rule", span_of(v.rule));
	record_fact_text(rec, "time_zone", name);
	if (v.action == QUIET_SUPPRESS) {
		record_decide(rec, REASON_QUIET_HOURS);
	} else {
		record_fact_int(rec, "until_ms", v.until_unix_ms);
		record_retry(rec, REASON_QUIET_HOURS_DEFERRED,
			v.until_unix_ms - rec->now_unix_us / 1000);
	}
}

/* Takes for what was added, in one round trip. */
static int take(struct app *a, struct err *err)
{
	a->is_again = caps_take(&a->caps, a->rules, a->place.store, err) != 0;
	return a->is_again ? -1 : 0;
}

static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;

	BATCH_EACH_UNDECIDED(batch, rec)
	{
		keep_quiet(a, rec);
	}
	caps_begin(&a->caps, batch->count);
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		caps_add(&a->caps, rec);
		/* A replay has days in one batch: each record must meet the
		 * windows as the one before has left them. */
		if (a->is_replay && take(a, err) != 0) {
			return -1;
		}
	}
	return take(a, err);
}

static void app_close(void *self)
{
	struct app *a = self;

	store_place_close(&a->place);
	fatigue_rules_free(a->rules);
	quiet_free(a->quiet);
	zones_free(a->zones);
	caps_release(&a->caps);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-fatigue",
		.summary = "hold back users who have had enough notifications",
		.opts = opts,
		.self = &app,
		.check = app_check,
		.open = app_load,
		.reload = app_load,
		.handle = app_handle,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
