/*
 * push-risk - stop campaigns, blocked users and blocked content
 *
 * The kill switch: what a stopped campaign, a blocked user or a text with a
 * blocked word would send is suppressed, with the reason in the trace.  Rules
 * come from push.conf and the command line together; HUP reads them again.  See
 * push-risk(1).
 */
#include "policy/risk.h"
#include "stage/stage.h"

struct app {
	struct opt_list campaigns; /* of the command line, as the next two */
	struct opt_list users;
	struct opt_list words;
	bool is_caseless;
	struct risk_rules *rules; /* owned; replaced as a whole on HUP */
	struct buf task;          /* a task without its blocked users */
};

static struct app app;

/* clang-format off */
static const struct opt opts[] = {
	OPT_LIST("stopped-campaign", "CAMPAIGN", &app.campaigns, NULL,
		"suppress this campaign too; may be repeated"),
	OPT_LIST("blocked-user", "USER", &app.users, NULL,
		"suppress what goes to this user too; may be repeated"),
	OPT_LIST("blocked-word", "PATTERN", &app.words, NULL,
		"suppress texts that match this too; may be repeated"),
	OPT_FLAG("caseless", &app.is_caseless,
		"patterns match upper and lower case alike"),
	OPT_END,
};
/* clang-format on */

/* One kind of rule from both places: the command line adds to the file. */
static int add_rules(const struct opt_list *given, const struct json *listed,
	int (*add)(struct risk_rules *, struct span, struct err *),
	struct risk_rules *rules, struct err *err)
{
	struct json_iter it = json_iter(listed);
	const struct json *v;

	for (size_t i = 0; i < given->count; i++) {
		if (add(rules, span_of(given->items[i]), err) != 0) {
			return -1;
		}
	}
	while ((v = json_next(&it)) != NULL) {
		if (add(rules, json_text(v), err) != 0) {
			return -1;
		}
	}
	return 0;
}

static int add_campaign(
	struct risk_rules *rules, struct span name, struct err *err)
{
	(void)err;
	risk_stop_campaign(rules, name);
	return 0;
}

static int add_user(struct risk_rules *rules, struct span name, struct err *err)
{
	(void)err;
	risk_block_user(rules, name);
	return 0;
}

/* Also reload(): rules that are wrong leave the old ones in place. */
static int app_load(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	const struct conf *conf = run_conf(run);
	bool is_caseless = json_bool(conf_at(conf, "risk.caseless"), false);
	struct risk_rules *rules =
		risk_rules_new(a->is_caseless || is_caseless);

	if (add_rules(&a->campaigns, conf_at(conf, "risk.stopped_campaigns"),
		    add_campaign, rules, err) != 0 ||
		add_rules(&a->users, conf_at(conf, "risk.blocked_users"),
			add_user, rules, err) != 0 ||
		add_rules(&a->words, conf_at(conf, "risk.blocked_words"),
			risk_block_word, rules, err) != 0) {
		risk_rules_free(rules);
		return -1;
	}
	risk_rules_free(a->rules);
	a->rules = rules;
	return 0;
}

static int app_open(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	buf_init(&a->task, SIZE_MAX);
	return app_load(self, run, err);
}

/* Takes the blocked ones out of a task's list of users; the last one's going
 * decides the record. */
static void filter_users(struct app *a, struct record *r)
{
	static const char *const without[] = { "users", NULL };
	struct buf users;
	size_t blocked;
	size_t left;

	buf_init(&users, SIZE_MAX);
	blocked = risk_filter_users(a->rules, r, &users, &left);
	if (blocked > 0) {
		record_fact_int(r, "blocked_users", (int64_t)blocked);
	}
	if (blocked > 0 && left == 0) {
		record_decide(r, REASON_RISK_USER);
	} else if (blocked > 0) {
		buf_reset(&a->task);
		record_task(r, without, &a->task);
		a->task.len--;
		json_put_name(&a->task, "users");
		buf_put(&a->task, users.data, users.len);
		buf_putc(&a->task, '}');
		if (record_replace(r,
			    (struct span){ a->task.data, a->task.len }) != 0) {
			BUG("a task without some users is no object");
		}
	}
	buf_release(&users);
}

static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;

	(void)err;
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		struct span rule = { NULL, 0 };
		bool is_costly;
		enum reason reason =
			risk_judge(a->rules, rec, &rule, &is_costly);

		if (rule.ptr != NULL) {
			record_fact_text(rec, "rule", rule);
		}
		if (is_costly) {
			record_fact_text(rec, "why",
				span_of("the pattern is too costly here"));
		}
		if (reason != REASON_NONE) {
			record_decide(rec, reason);
		} else {
			filter_users(a, rec);
		}
	}
	return 0;
}

static void app_close(void *self)
{
	struct app *a = self;

	risk_rules_free(a->rules);
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
		.reload = app_load,
		.handle = app_handle,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
