/*
 * push-risk - stop campaigns, blocked users and blocked content
 *
 * The kill switch and what is like it: what is stopped, blocked, or too much at
 * once is suppressed, with the reason and the rule in the trace.  Rules come
 * from push.conf and the command line together; HUP reads them again.  What an
 * operator stops in Redis holds within a second.  See push-risk(1).
 */
#include "policy/risk.h"
#include "stage/stage.h"
#include "store/rates.h"
#include "store/risk_state.h"
#include "store/stops.h"
#include "store/store.h"

struct app {
	const char *stops_url; /* of the command line, as the next two */
	bool is_caseless;
	bool is_dry_run;
	bool is_dry;              /* by command line or configuration */
	struct risk_rules *rules; /* owned; replaced as a whole on HUP */
	struct risk_rules *fresh; /* owned; read, not in force yet */
	struct risk_state *state; /* owned, as is all below */
	struct risk_counts *counts;
	struct buf task; /* a task without its blocked users or devices */
};

static struct app app;
static struct opt_list given[RISK_SURGE]; /* on the command line, by kind */

/* clang-format off */
static const struct opt opts[] = {
	OPT_LIST("stopped-campaign", "CAMPAIGN", &given[RISK_CAMPAIGN], NULL,
		"suppress this campaign too; may be repeated"),
	OPT_LIST("stopped-app", "APP", &given[RISK_APP], NULL,
		"suppress this app too; may be repeated"),
	OPT_LIST("stopped-category", "CATEGORY", &given[RISK_CATEGORY], NULL,
		"suppress this category too; may be repeated"),
	OPT_LIST("blocked-user", "USER", &given[RISK_USER], NULL,
		"suppress what goes to this user too; may be repeated"),
	OPT_LIST("blocked-word", "PATTERN", &given[RISK_WORD], NULL,
		"suppress texts that match this too; may be repeated"),
	OPT_LIST("blocked-link", "SITE", &given[RISK_LINK], NULL,
		"suppress what links to this site too; may be repeated"),
	OPT_FLAG("caseless", &app.is_caseless,
		"patterns match upper and lower case alike"),
	OPT_FLAG("dry-run", &app.is_dry_run,
		"mark what would be suppressed, and let it pass"),
	OPT_TEXT("stops", "URL", &app.stops_url, NULL,
		"Redis where operators stop campaigns, or none; default: risk.stops"),
	OPT_END,
};
/* clang-format on */

static int add_given(struct risk_rules *rules, struct err *err)
{
	for (int kind = 0; kind < RISK_SURGE; kind++) {
		for (size_t i = 0; i < given[kind].count; i++) {
			if (risk_add(rules, (enum risk_kind)kind,
				    span_of(given[kind].items[i]), err) != 0) {
				return -1;
			}
		}
	}
	return 0;
}

/* The rules of both places. */
static int app_read(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	const struct conf *conf = run_conf(run);
	bool is_caseless = json_bool(conf_at(conf, "risk.caseless"), false);

	a->fresh = risk_rules_new(a->is_caseless || is_caseless);
	if (risk_add_conf(a->fresh, conf, err) == 0 &&
		add_given(a->fresh, err) == 0) {
		return 0;
	}
	risk_rules_free(a->fresh);
	a->fresh = NULL;
	return -1;
}

static int app_check(void *self, struct run *run, struct err *err)
{
	const struct app *a = self;

	return app_read(self, run, err) != 0
		       ? -1
		       : risk_state_check(run_conf(run), a->stops_url, err);
}

/* Also reload(): rules that are wrong leave the old ones in place. */
static int app_load(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	const struct conf *conf = run_conf(run);

	if (app_read(a, run, err) != 0) {
		return -1;
	}
	if (risk_state_follow(a->state, a->fresh, conf, a->stops_url, err) !=
		0) {
		risk_rules_free(a->fresh);
		a->fresh = NULL;
		return -1;
	}
	risk_rules_free(a->rules);
	a->rules = a->fresh;
	a->fresh = NULL;
	a->is_dry = a->is_dry_run ||
		    json_bool(conf_at(conf, "risk.dry_run"), false);
	return 0;
}

static int app_open(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	a->state = risk_state_new(run_loop(run), run_is_replay(run));
	a->counts = risk_counts_new();
	buf_init(&a->task, SIZE_MAX);
	return app_load(self, run, err);
}

static void decide(
	struct app *a, struct record *r, const struct risk_verdict *v)
{
	risk_count(a->counts, v->kind, v->rule);
	risk_tell(r, v, a->is_dry);
}

/* Takes the blocked ones out of a task's list; the last one's going decides the
 * record. */
static void filter(struct app *a, struct record *r, enum risk_kind kind)
{
	struct risk_verdict verdict = { .kind = kind };
	size_t blocked;
	size_t left;

	buf_reset(&a->task);
	blocked = risk_filter(a->rules, r, kind, &a->task, &left);
	if (blocked == 0) {
		return;
	}
	record_fact_int(r,
		kind == RISK_USER ? "blocked_users" : "blocked_devices",
		(int64_t)blocked);
	if (left == 0) {
		decide(a, r, &verdict);
		return;
	}
	risk_count(a->counts, kind, verdict.rule);
	if (!a->is_dry && record_replace(r, (struct span){ a->task.data,
						    a->task.len }) != 0) {
		BUG("a task without some of its targets is no object");
	}
}

static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;
	const struct risk_verdict *verdicts;

	if (risk_state_judge(a->state, a->rules, batch->records, batch->count,
		    &verdicts, err) != 0) {
		return -1;
	}
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		if (verdicts[rec->place].is_hit) {
			decide(a, rec, &verdicts[rec->place]);
			continue;
		}
		if (rec->user.ptr != NULL || rec->device != NULL) {
			continue; /* one target, no list */
		}
		filter(a, rec, RISK_USER);
		if (rec->outcome == OUTCOME_UNDECIDED) {
			filter(a, rec, RISK_DEVICE);
		}
	}
	return 0;
}

static void app_count(void *self, struct buf *json)
{
	const struct app *a = self;

	buf_fmt(json, ",\"stops\":%zu", risk_state_stop_count(a->state));
	risk_counts_put(a->counts, json);
}

static void app_close(void *self)
{
	struct app *a = self;

	risk_state_free(a->state);
	risk_rules_free(a->rules);
	risk_rules_free(a->fresh);
	risk_counts_free(a->counts);
	buf_release(&a->task);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-risk",
		.summary = "stop campaigns, blocked users and blocked content",
		.opts = opts,
		.self = &app,
		.open = app_open,
		.check = app_check,
		.reload = app_load,
		.handle = app_handle,
		.count = app_count,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
