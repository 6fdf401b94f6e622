/*
 * push-auth - let through what its sender may send
 *
 * A task must name an app that the configuration knows.  A signed one is a
 * compact JWS by one of the app's keys; it is verified, judged for freshness
 * and unwrapped, so that later stages see the task only.  Unsigned tasks pass
 * where the app says so.  See push-auth(1).
 */
#include "base/log.h"
#include "policy/auth.h"
#include "sign/keyring.h"
#include "stage/stage.h"
#include "store/quota.h"
#include "store/url.h"
#include "wire/jwt.h"

/* Lines are bounded by --max-line; this only bounds what that may be. */
enum { SIGNED_MAX_BYTES = 64 * 1024 * 1024 };

/* What one configuration says; replaced as a whole on HUP. */
struct settings {
	struct auth_rules *rules; /* owned; borrows from the configuration */
	struct keyring *keys;     /* owned */
	struct auth_limits limits;
};

struct app {
	int64_t skew_ms;    /* of the command line; -1: not given */
	int64_t max_age_ms; /* likewise */
	struct settings now;
	struct quota *quota; /* owned */
	bool is_judged; /* this batch was, and only its quotas are to be taken */
	struct jwt jwt; /* used again for each record */
	struct buf scratch;
};

static struct app app = { .skew_ms = -1, .max_age_ms = -1 };

/* clang-format off */
static const struct opt opts[] = {
	OPT_DURATION("max-age", "TIME", &app.max_age_ms, NULL,
		"refuse signatures older than this; default: any age"),
	OPT_DURATION("skew", "TIME", &app.skew_ms, NULL,
		"how far clocks may differ; default 60s"),
	OPT_END,
};
/* clang-format on */

static void settings_release(struct settings *s)
{
	keyring_free(s->keys);
	auth_rules_free(s->rules);
	*s = (struct settings){ 0 };
}

static int settings_load(
	struct settings *s, const struct conf *conf, struct err *err)
{
	struct span mute;

	s->limits = auth_limits_from(conf, app.skew_ms, app.max_age_ms);
	s->rules = auth_rules_new(conf, err);
	if (s->rules == NULL ||
		keyring_new(&s->keys, s->rules, conf, err) != 0) {
		settings_release(s);
		return -1;
	}
	mute = auth_mute_app(s->rules);
	if (mute.ptr != NULL) {
		log_warn(
			"app '%.*s' has no key, but its tasks must be signed: all "
			"are refused",
			(int)mute.len, mute.ptr);
	}
	return 0;
}

static int app_open(void *self, struct run *run, struct err *err)
{
	struct app *a = self;

	a->quota = quota_new(run_is_replay(run));
	jwt_init(&a->jwt, SIGNED_MAX_BYTES);
	buf_init(&a->scratch, SIGNED_MAX_BYTES);
	if (settings_load(&a->now, run_conf(run), err) != 0) {
		return -1;
	}
	return quota_follow(a->quota, a->now.rules, run_conf(run), err);
}

static int app_reload(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	struct settings fresh = { 0 };

	if (settings_load(&fresh, run_conf(run), err) != 0) {
		return -1;
	}
	if (quota_follow(a->quota, fresh.rules, run_conf(run), err) != 0) {
		settings_release(&fresh);
		return -1;
	}
	settings_release(&a->now);
	a->now = fresh;
	return 0;
}

static int app_check(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	const struct store_choice choice = { NULL, "auth.store", false };

	return settings_load(&a->now, run_conf(run), err) != 0
		       ? -1
		       : store_choice_check(&choice, run_conf(run), err);
}

/* REASON_NONE: it may pass; a signed one is unwrapped by now. */
static enum reason judge(
	struct app *a, struct record *r, struct auth_fault *fault)
{
	const struct auth_limits *limits = &a->now.limits;
	enum reason reason = REASON_NONE;

	switch (auth_judge(a->now.rules, r, fault)) {
	case AUTH_PASS:
		return REASON_NONE;
	case AUTH_REFUSE:
		return fault->reason;
	case AUTH_VERIFY:
		reason = keyring_verify(a->now.keys, r, &a->jwt, fault);
		break;
	case AUTH_UNWRAP:
		limits = NULL;
		if (jwt_parse(&a->jwt, auth_jws(r)) != JWT_OK) {
			reason = auth_fault_set(fault, REASON_UNAUTHORIZED,
				"the signed task cannot be unwrapped");
		}
		break;
	}
	return reason != REASON_NONE ? reason
				     : auth_unwrap(r, a->jwt.payload, limits,
					       &a->scratch, fault);
}

static void judge_all(struct app *a, struct batch *batch)
{
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		struct auth_fault fault = { 0 };
		enum reason reason = judge(a, rec, &fault);

		/* What was signed may have turned out to be no task. */
		if (reason == REASON_NONE &&
			rec->outcome == OUTCOME_UNDECIDED) {
			reason = auth_allow(a->now.rules, rec, &fault);
		}
		if (fault.kid.ptr != NULL) {
			record_fact_text(rec, "kid", fault.kid);
		}
		if (fault.skew_ms != 0) {
			record_fact_int(rec, "skew_ms", fault.skew_ms);
		}
		if (reason != REASON_NONE) {
			record_fact_text(rec, "why", span_of(fault.why));
			record_decide(rec, reason);
		}
	}
}

static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;

	/* Unwrapped tasks are signed no more: they must not be judged again when
	 * the store of quotas was away and the batch comes a second time. */
	if (!a->is_judged) {
		judge_all(a, batch);
	}
	a->is_judged = quota_take(a->quota, a->now.rules, batch->records,
			       batch->count, err) != 0;
	return a->is_judged ? -1 : 0;
}

static void app_close(void *self)
{
	struct app *a = self;

	settings_release(&a->now);
	quota_free(a->quota);
	jwt_release(&a->jwt);
	buf_release(&a->scratch);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-auth",
		.summary = "let through what its sender may send",
		.opts = opts,
		.self = &app,
		.open = app_open,
		.check = app_check,
		.reload = app_reload,
		.handle = app_handle,
		.close = app_close,
	};

	return stage_main(&stage, argc, argv);
}
