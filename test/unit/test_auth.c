/* Who may send: the rules of a configuration, one by one. */
#include "policy/auth.h"

#include <string.h>

#include "test.h"

#define NOW_S INT64_C(1763627000)

static const char conf_text_[] =
	"{\"apps\":{"
	"\"shop\":{\"keys\":{\"k1\":{\"alg\":\"HS256\",\"secret_file\":\"s1\"},"
	"\"k2\":{\"alg\":\"ES256\",\"public_key_file\":\"p2\"}}},"
	"\"news\":{\"auth\":\"optional\",\"keys\":{\"k1\":{\"alg\":\"HS256\","
	"\"secret_file\":\"s3\"}}},"
	"\"open\":{\"auth\":\"off\"}},"
	"\"auth\":{\"skew\":\"5s\",\"max_age\":\"1h\"}}";

struct world {
	struct conf *conf;
	struct auth_rules *rules;
	struct record_pool *pool;
	struct record *r;
	struct auth_fault fault;
	struct buf task;
};

static struct conf *conf_of(const char *text)
{
	struct conf *conf = NULL;
	struct err err = { 0 };

	if (conf_parse(&conf, text, strlen(text), &err) != 0) {
		printf("%s\n", err.text);
	}
	return conf;
}

static struct world world(const char *line)
{
	struct world w = { .conf = conf_of(conf_text_) };
	struct err err = { 0 };

	w.rules = auth_rules_new(w.conf, &err);
	CHECK(w.rules != NULL);
	w.pool = record_pool_new(RECORD_MAX_BYTES, "t");
	w.r = record_read(w.pool, line, strlen(line), NOW_S * 1000000);
	buf_init(&w.task, RECORD_MAX_BYTES);
	return w;
}

static void end(struct world *w)
{
	buf_release(&w->task);
	record_free(w->pool, w->r);
	record_pool_free(w->pool);
	auth_rules_free(w->rules);
	conf_free(w->conf);
}

static enum auth_step step_of(const char *line, enum reason reason)
{
	struct world w = world(line);
	enum auth_step step = auth_judge(w.rules, w.r, &w.fault);

	if (step == AUTH_REFUSE) {
		CHECK(w.fault.reason == reason && w.fault.why[0] != '\0');
	} else {
		CHECK(reason == REASON_NONE);
	}
	end(&w);
	return step;
}

static void each_app_asks_for_what_it_says(void)
{
	CHECK(step_of("{\"app\":\"shop\"}", REASON_UNAUTHORIZED) ==
		AUTH_REFUSE);
	CHECK(step_of("{\"app\":\"shop\",\"jws\":\"x\"}", REASON_NONE) ==
		AUTH_VERIFY);
	CHECK(step_of("{\"app\":\"news\"}", REASON_NONE) == AUTH_PASS);
	CHECK(step_of("{\"app\":\"news\",\"jws\":\"x\"}", REASON_NONE) ==
		AUTH_VERIFY);
	CHECK(step_of("{\"app\":\"open\"}", REASON_NONE) == AUTH_PASS);
	CHECK(step_of("{\"app\":\"open\",\"jws\":\"x\"}", REASON_NONE) ==
		AUTH_UNWRAP);
	CHECK(step_of("{\"app\":\"none\"}", REASON_UNKNOWN_APP) == AUTH_REFUSE);
	CHECK(step_of("{}", REASON_UNKNOWN_APP) == AUTH_REFUSE);
	CHECK(step_of("{\"app\":\"shop\",\"jws\":\"x\",\"id\":\"1\"}",
		      REASON_UNAUTHORIZED) == AUTH_REFUSE);
}

static void keys_belong_to_their_app(void)
{
	struct world w = world("{}");
	int64_t shop = auth_find_key(w.rules, span_of("shop"), span_of("k1"));
	int64_t news = auth_find_key(w.rules, span_of("news"), span_of("k1"));

	CHECK(auth_key_count(w.rules) == 3);
	CHECK(shop >= 0 && news >= 0 && shop != news);
	CHECK(strcmp(auth_key_at(w.rules, (size_t)shop)->file, "s1") == 0);
	CHECK(strcmp(auth_key_at(w.rules, (size_t)news)->file, "s3") == 0);
	CHECK(auth_find_key(w.rules, span_of("news"), span_of("k2")) == -1);
	CHECK(auth_find_key(w.rules, span_of("open"), span_of("k1")) == -1);
	CHECK(auth_find_key(w.rules, span_of("none"), span_of("k1")) == -1);
	CHECK(auth_find_key(w.rules, span_of("shop"), span_of("")) == -1);
	end(&w);
}

static bool rules_refused(const char *text, const char *part)
{
	struct conf *conf = conf_of(text);
	struct err err = { 0 };
	struct auth_rules *rules = auth_rules_new(conf, &err);
	bool is_so =
		rules == NULL && err.is_usage && strstr(err.text, part) != NULL;

	auth_rules_free(rules);
	conf_free(conf);
	return is_so;
}

static void keys_need_the_right_file(void)
{
#define KEY(members) "{\"apps\":{\"a\":{\"keys\":{\"k\":{" members "}}}}}"
	CHECK(rules_refused(KEY(""), "'apps.a.keys.k' has no alg"));
	CHECK(rules_refused(KEY("\"alg\":\"HS256\""), "secret_file"));
	CHECK(rules_refused(KEY("\"alg\":\"HS256\",\"public_key_file\":\"p\""),
		"secret_file"));
	CHECK(rules_refused(KEY("\"alg\":\"HS256\",\"secret_file\":\"s\","
				"\"public_key_file\":\"p\""),
		"only"));
	CHECK(rules_refused(KEY("\"alg\":\"ES256\",\"secret_file\":\"s\""),
		"public_key_file"));
}

static void limits_come_from_options_before_the_file(void)
{
	struct conf *conf = conf_of(conf_text_);
	struct conf *empty = conf_of("{}");
	struct auth_limits limits = auth_limits_from(conf, -1, -1);

	CHECK(limits.skew_ms == 5000 && limits.max_age_ms == 3600000);
	limits = auth_limits_from(conf, 0, 0);
	CHECK(limits.skew_ms == 0 && limits.max_age_ms == 0);
	limits = auth_limits_from(empty, -1, -1);
	CHECK(limits.skew_ms == AUTH_SKEW_MS && limits.max_age_ms == 0);
	conf_free(conf);
	conf_free(empty);
}

static enum reason unwrapped(
	const char *payload, const struct auth_limits *limits, const char *task)
{
	struct world w = world("{\"app\":\"shop\",\"jws\":\"x\"}");
	enum reason reason =
		auth_unwrap(w.r, span_of(payload), limits, &w.task, &w.fault);

	if (reason == REASON_NONE && task != NULL) {
		buf_reset(&w.task);
		record_task(w.r, NULL, &w.task);
		CHECK(span_is((struct span){ w.task.data, w.task.len }, task));
	}
	CHECK((reason == REASON_NONE) == (w.r->jws.ptr == NULL));
	CHECK(reason == REASON_NONE || w.fault.reason == reason);
	end(&w);
	return reason;
}

static void the_app_is_put_in_front_where_it_is_missing(void)
{
	CHECK(unwrapped("{\"a\": 1.0}", NULL,
		      "{\"app\":\"shop\",\"a\": 1.0}") == REASON_NONE);
	CHECK(unwrapped("{}", NULL, "{\"app\":\"shop\"}") == REASON_NONE);
	CHECK(unwrapped(" \n{ } ", NULL, "{\"app\":\"shop\"}") == REASON_NONE);
	CHECK(unwrapped("{\n\"a\":1}", NULL, "{\"app\":\"shop\",\"a\":1}") ==
		REASON_NONE);
	CHECK(unwrapped("{\"trace\":{}}", NULL, "{\"app\":\"shop\"}") ==
		REASON_NONE);
	CHECK(unwrapped("{\"trace\":1,\"app\":\"shop\",\"a\":1}", NULL,
		      "{\"app\":\"shop\",\"a\":1}") == REASON_NONE);
	CHECK(unwrapped("{\"a\":1,\"app\":\"shop\"}", NULL,
		      "{\"a\":1,\"app\":\"shop\"}") == REASON_NONE);
	CHECK(unwrapped("{\"app\":\"sh\\u006fp\"}", NULL, NULL) == REASON_NONE);
	CHECK(unwrapped("{\"app\":\"news\"}", NULL, NULL) ==
		REASON_UNAUTHORIZED);
	CHECK(unwrapped("{\"app\":7}", NULL, NULL) == REASON_UNAUTHORIZED);
	CHECK(unwrapped("{\"jws\":\"x\"}", NULL, NULL) == REASON_UNAUTHORIZED);
	CHECK(unwrapped("[]", NULL, NULL) == REASON_MALFORMED);
	CHECK(unwrapped("{", NULL, NULL) == REASON_MALFORMED);
	CHECK(unwrapped("{}{}", NULL, NULL) == REASON_MALFORMED);
	CHECK(unwrapped("{\"a\":{}", NULL, NULL) == REASON_MALFORMED);
	CHECK(unwrapped("", NULL, NULL) == REASON_MALFORMED);
}

static enum reason timed(const char *claim, int64_t s, int64_t max_age_ms)
{
	struct auth_limits limits = { 60000, max_age_ms };
	char payload[64];

	CHECK(fmt_into(payload, sizeof(payload), "{\"%s\":%lld}", claim,
		      (long long)s) == 0);
	return unwrapped(payload, &limits, NULL);
}

static void times_are_judged_to_the_second(void)
{
	CHECK(timed("exp", NOW_S + 1, 0) == REASON_NONE);
	CHECK(timed("exp", NOW_S - 59, 0) == REASON_NONE);
	CHECK(timed("exp", NOW_S - 60, 0) == REASON_STALE);
	CHECK(timed("iat", NOW_S + 60, 0) == REASON_NONE);
	CHECK(timed("iat", NOW_S + 61, 0) == REASON_STALE);
	CHECK(timed("nbf", NOW_S + 60, 0) == REASON_NONE);
	CHECK(timed("nbf", NOW_S + 61, 0) == REASON_STALE);
	CHECK(timed("iat", 0, 0) == REASON_NONE);
	CHECK(timed("iat", NOW_S - 3660, 3600000) == REASON_NONE);
	CHECK(timed("iat", NOW_S - 3661, 3600000) == REASON_STALE);
	CHECK(timed("other", 1, 3600000) == REASON_STALE);
	CHECK(timed("exp", INT64_MAX, 0) == REASON_STALE);
	CHECK(timed("exp", -1, 0) == REASON_STALE);
	CHECK(timed("exp", 0, 0) == REASON_STALE);
}

static void a_task_that_grows_too_large_is_refused(void)
{
	struct world w = world("{\"app\":\"shop\",\"jws\":\"x\"}");

	buf_release(&w.task);
	buf_init(&w.task, 10);
	CHECK(auth_unwrap(w.r, span_of("{\"a\":\"123456789\"}"), NULL, &w.task,
		      &w.fault) == REASON_TOO_LARGE);
	end(&w);
}

static void a_resumed_record_needs_its_app_only(void)
{
	static const char trace[] =
		"\"trace\":{\"t0_us\":1,\"pop\":[0,1,{\"uid\":\"u\","
		"\"receipt\":\"w:1\",\"resumed\":true}]}}";
	char line[256];

	CHECK(fmt_into(line, sizeof(line), "{\"app\":\"shop\",%s", trace) == 0);
	CHECK(step_of(line, REASON_NONE) == AUTH_PASS);
	CHECK(fmt_into(line, sizeof(line), "{\"app\":\"gone\",%s", trace) == 0);
	CHECK(step_of(line, REASON_UNKNOWN_APP) == AUTH_REFUSE);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(each_app_asks_for_what_it_says),
		TEST(keys_belong_to_their_app),
		TEST(keys_need_the_right_file),
		TEST(limits_come_from_options_before_the_file),
		TEST(the_app_is_put_in_front_where_it_is_missing),
		TEST(times_are_judged_to_the_second),
		TEST(a_task_that_grows_too_large_is_refused),
		TEST(a_resumed_record_needs_its_app_only),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
