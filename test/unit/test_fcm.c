/* FCM: what a record becomes on the wire, what each answer means, and the way
 * to an access token. */
#include "wire/fcm.h"

#include <string.h>

#include "sending.h"

#define DEVICE "\"device\":{\"platform\":\"android\",\"token\":\"cP:x-_1\"}"

static struct fcm_terms terms;

static enum reason with_terms(
	const struct record *r, struct request *req, const char **why)
{
	terms.project_id = span_of("shop-prod");
	return fcm_build(r, &terms, req, why);
}

static struct built build(const char *line)
{
	struct built b = built_of(line, with_terms);

	CHECK(b.body == NULL ||
		json_count(json_root(b.body)) == (terms.validate_only ? 2 : 1));
	return b;
}

static const struct json *message_of(const struct built *b)
{
	return json_get(json_root(b->body), "message");
}

static bool says(const struct built *b, const char *path, const char *json)
{
	const struct json *v = json_path(message_of(b), path);
	struct buf text;
	bool is_it;

	buf_init(&text, 65536);
	if (v != NULL) {
		json_write(&text, v);
	}
	is_it = json == NULL
			? v == NULL
			: span_is((struct span){ text.data, text.len }, json);
	if (!is_it) {
		printf("%s: %.*s\n", path, (int)text.len,
			v == NULL ? "" : text.data);
	}
	buf_release(&text);
	return is_it;
}

static bool refused(const char *line, enum reason reason, const char *why)
{
	return built_is_refused(build(line), reason, why);
}

static void a_message_gets_its_target_and_defaults(void)
{
	struct built b = build(
		TASK("{\"notification\":{\"title\":\"你好\"},"
		     "\"data\":{\"order\":\"17\"},\"fcm_options\":{\"x\":1}}"));

	CHECK(b.reason == REASON_NONE);
	CHECK(span_is((struct span){ b.req.path.data, b.req.path.len },
		"/v1/projects/shop-prod/messages:send"));
	CHECK(span_is(
		request_find(&b.req, "content-type"), "application/json"));
	CHECK(says(&b, "token", "\"cP:x-_1\""));
	CHECK(says(&b, "notification", "{\"title\":\"你好\"}"));
	CHECK(says(&b, "data", "{\"order\":\"17\"}"));
	CHECK(says(&b, "fcm_options", "{\"x\":1}"));
	CHECK(says(&b, "android.priority", "\"normal\""));
	CHECK(says(&b, "android.ttl", NULL));
	CHECK(json_text(json_path(message_of(&b), "android.notification.tag"))
			.len == 32);
	built_end(&b);
}

static void data_alone_has_no_tag(void)
{
	struct built b = build(TASK("{\"data\":{\"a\":\"1\"}}"));

	CHECK(says(&b, "android", "{\"priority\":\"normal\"}"));
	built_end(&b);
}

static void what_the_producer_says_wins(void)
{
	struct built b = build(
		"{\"priority\":\"high\",\"expires_ms\":1763627060000," DEVICE
		",\"message\":{\"notification\":{\"title\":\"x\"},\"android\":"
		"{\"priority\":\"NORMAL\",\"ttl\":\"5s\",\"collapse_key\":\"c\","
		"\"notification\":{\"tag\":\"mine\",\"icon\":\"i\"}}}}");

	CHECK(says(&b, "android",
		"{\"priority\":\"NORMAL\",\"ttl\":\"5s\",\"collapse_key\":"
		"\"c\",\"notification\":{\"tag\":\"mine\",\"icon\":\"i\"}}"));
	built_end(&b);
}

static void the_tag_is_the_same_for_every_attempt(void)
{
	struct built a =
		build("{\"id\":\"t1\"," DEVICE ",\"message\":{\"notification\":"
		      "{\"title\":\"x\"}},\"trace\":{\"uid\":\"u1\"}}");
	struct built b =
		build("{\"id\":\"t1\"," DEVICE ",\"message\":{\"android\":"
		      "{\"notification\":{\"title\":\"x\"}}},"
		      "\"trace\":{\"uid\":\"u2\"}}");
	struct built c = build("{" DEVICE ",\"message\":{\"notification\":"
			       "{\"title\":\"x\"}},"
			       "\"trace\":{\"uid\":\"u1\"}}");
	const char *path = "android.notification.tag";

	CHECK(span_equal(json_text(json_path(message_of(&a), path)),
		json_text(json_path(message_of(&b), path))));
	CHECK(!span_equal(json_text(json_path(message_of(&a), path)),
		json_text(json_path(message_of(&c), path))));
	CHECK(json_text(json_path(message_of(&c), path)).len == 32);
	built_end(&a);
	built_end(&b);
	built_end(&c);
}

static void the_ttl_is_the_life_that_is_left(void)
{
	static const struct {
		const char *expires_ms;
		const char *ttl;
	} rows[] = {
		{ "1763627060999", "\"60s\"" },
		{ "1763627000999", "\"0s\"" },
		{ "1763626000000", "\"0s\"" },
		{ "9763627000000", "\"2419200s\"" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[512];
		struct built b;

		CHECK(fmt_into(line, sizeof(line),
			      "{\"priority\":\"high\",\"expires_ms\":%s," DEVICE
			      ",\"message\":{\"data\":{\"a\":\"1\"}}}",
			      rows[i].expires_ms) == 0);
		b = build(line);
		CHECK(says(&b, "android.ttl", rows[i].ttl));
		CHECK(says(&b, "android.priority", "\"high\""));
		built_end(&b);
	}
}

static void topics_and_conditions_are_targets(void)
{
	struct built b = build("{\"topic\":\"news-1_a.b~c%\",\"message\":"
			       "{\"data\":{\"a\":\"1\"}}}");

	CHECK(says(&b, "topic", "\"news-1_a.b~c%\""));
	CHECK(says(&b, "token", NULL));
	built_end(&b);
	b = build("{\"condition\":\"'a' in topics && 'b' in topics\","
		  "\"message\":{\"data\":{\"a\":\"1\"}}}");
	CHECK(says(&b, "condition", "\"'a' in topics && 'b' in topics\""));
	built_end(&b);
}

static void impossible_targets_are_refused(void)
{
	static const char *const targets[] = {
		"\"device\":{\"platform\":\"ios\",\"token\":\"ab\"}",
		"\"device\":{\"platform\":\"android\",\"token\":\"a b\"}",
		"\"device\":{\"platform\":\"android\",\"token\":\"\\u4f60\"}",
		"\"topic\":\"/topics/a\"",
		"\"topic\":\"\"",
		"\"topic\":\"a b\"",
		"\"topic\":\"a\",\"condition\":\"'a' in topics\"",
		"\"condition\":\"\"",
		"\"user\":\"u\"",
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		char line[256];

		CHECK(fmt_into(line, sizeof(line),
			      "{%s,\"message\":{\"data\":{\"a\":\"1\"}}}",
			      targets[i]) == 0);
		CHECK(refused(line, REASON_BAD_TARGET, ""));
	}
}

static void impossible_messages_are_refused(void)
{
	static const char *const reserved[] = { "from", "message_type",
		"google.x", "google.", "gcm.notification.title" };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		char line[256];

		CHECK(fmt_into(line, sizeof(line),
			      "{" DEVICE ",\"message\":{\"data\":{\"%s\":"
			      "\"1\"}}}",
			      reserved[i]) == 0);
		CHECK(refused(line, REASON_BAD_MESSAGE, "Google keeps"));
	}
	CHECK(refused(
		TASK("{\"data\":{\"n\":1}}"), REASON_BAD_MESSAGE, "no text"));
	CHECK(refused(TASK("{\"data\":[]}"), REASON_BAD_MESSAGE, "object"));
	CHECK(refused(
		TASK("{\"notification\":1}"), REASON_BAD_MESSAGE, "object"));
	CHECK(refused(TASK("{\"android\":[]}"), REASON_BAD_MESSAGE, "object"));
	CHECK(refused(TASK("{\"android\":{\"notification\":1}}"),
		REASON_BAD_MESSAGE, "object"));
	CHECK(refused(TASK("{}"), REASON_BAD_MESSAGE, "nothing"));
	CHECK(refused(TASK("{\"data\":{}}"), REASON_BAD_MESSAGE, "nothing"));
	CHECK(refused("{" DEVICE "}", REASON_BAD_MESSAGE, "missing"));
	CHECK(refused(TASK("{\"data\":{\"a\":\"1\"},\"token\":\"x\"}"),
		REASON_BAD_MESSAGE, "target"));
	/* Names that only look reserved. */
	struct built b = build(TASK("{\"data\":{\"googly\":\"1\",\"gcm\":"
				    "\"2\",\"from_\":\"3\"}}"));
	CHECK(b.reason == REASON_NONE);
	built_end(&b);
}

static enum reason size_judged(const char *target, size_t bytes)
{
	static char line[16384];
	static char fill[8192];
	struct built b;
	enum reason reason;

	memset(fill, 'x', bytes - 1);
	fill[bytes - 1] = '\0';
	CHECK(fmt_into(line, sizeof(line),
		      "{%s,\"message\":{\"data\":{\"k\":\"%s\"}}}", target,
		      fill) == 0);
	b = build(line);
	reason = b.reason;
	built_end(&b);
	return reason;
}

static void payloads_are_measured(void)
{
	CHECK(size_judged(DEVICE, 4096) == REASON_NONE);
	CHECK(size_judged(DEVICE, 4097) == REASON_PAYLOAD_TOO_LARGE);
	CHECK(size_judged("\"topic\":\"t\"", 2048) == REASON_NONE);
	CHECK(size_judged("\"topic\":\"t\"", 2049) == REASON_PAYLOAD_TOO_LARGE);
}

/* --- answers --- */

static struct answer answer_of(int status, const char *body)
{
	return fcm_classify(
		status, span_of(body), (struct span){ NULL, 0 }, NOW_MS);
}

static bool means(int status, const char *body, const char *name,
	enum reason reason, enum answer_action action)
{
	return answer_is(answer_of(status, body), name, reason, action);
}

#define FCM_ERROR(code)                                                     \
	"{\"error\":{\"code\":0,\"status\":\"GENERIC\",\"details\":[{\""    \
	"@type\":\"type.googleapis.com/google.rpc.Help\"},{\"@type\":\"typ" \
	"e.googleapis.com/google.firebase.fcm.v1.FcmError\",\"errorCode\":" \
	"\"" code "\"}]}}"

static void error_codes_come_from_the_fcm_detail(void)
{
	CHECK(means(200, "{\"name\":\"projects/p/messages/1\"}", "ok",
		REASON_OK, ANSWER_NONE));
	CHECK(means(404, FCM_ERROR("UNREGISTERED"), "UNREGISTERED",
		REASON_TOKEN_DEAD, ANSWER_NONE));
	CHECK(means(400, FCM_ERROR("INVALID_ARGUMENT"), "INVALID_ARGUMENT",
		REASON_BAD_REQUEST, ANSWER_NONE));
	CHECK(means(403, FCM_ERROR("SENDER_ID_MISMATCH"), "SENDER_ID_MISMATCH",
		REASON_WRONG_TOPIC, ANSWER_NONE));
	CHECK(means(429, FCM_ERROR("QUOTA_EXCEEDED"), "QUOTA_EXCEEDED",
		REASON_THROTTLED, ANSWER_NONE));
	CHECK(means(503, FCM_ERROR("UNAVAILABLE"), "UNAVAILABLE",
		REASON_VENDOR_UNAVAILABLE, ANSWER_NONE));
	CHECK(means(500, FCM_ERROR("INTERNAL"), "INTERNAL",
		REASON_VENDOR_UNAVAILABLE, ANSWER_NONE));
	CHECK(means(401, FCM_ERROR("THIRD_PARTY_AUTH_ERROR"),
		"THIRD_PARTY_AUTH_ERROR", REASON_VENDOR_CONFIG, ANSWER_NONE));
}

static void a_bare_404_never_kills_a_token(void)
{
	static const char *const bodies[] = { "",
		"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>",
		"{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\"}}",
		"{\"error\":{\"status\":\"UNREGISTERED\"}}",
		FCM_ERROR("NEW_WORD"), "{\"error\":7}", "null" };

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		CHECK(means(404, bodies[i], "not-found", REASON_VENDOR_CONFIG,
			ANSWER_CLOSE_CREDENTIAL));
	}
	/* A word of another class is not believed. */
	CHECK(means(500, FCM_ERROR("UNREGISTERED"), "server-error",
		REASON_VENDOR_UNAVAILABLE, ANSWER_NONE));
}

static void an_invalid_argument_may_be_the_token(void)
{
	CHECK(means(400,
		"{\"error\":{\"code\":400,\"message\":\"m\",\"status\":"
		"\"INVALID_ARGUMENT\",\"details\":[{\"@type\":"
		"\"type.googleapis.com/google.rpc.BadRequest\","
		"\"fieldViolations\":[{\"field\":\"message.token\"}]}]}}",
		"INVALID_ARGUMENT(token)", REASON_TOKEN_DEAD, ANSWER_NONE));
	CHECK(means(400,
		"{\"error\":{\"code\":400,\"message\":\"The registration "
		"token is not a valid FCM registration token\",\"status\":"
		"\"INVALID_ARGUMENT\",\"details\":[{\"@type\":"
		"\"type.googleapis.com/google.firebase.fcm.v1.FcmError\","
		"\"errorCode\":\"INVALID_ARGUMENT\"}]}}",
		"INVALID_ARGUMENT(token)", REASON_TOKEN_DEAD, ANSWER_NONE));
	CHECK(means(400,
		"{\"error\":{\"code\":400,\"message\":\"Invalid value at "
		"'message.data[0].value' (TYPE_STRING), 12\",\"status\":"
		"\"INVALID_ARGUMENT\",\"details\":[{\"@type\":"
		"\"type.googleapis.com/google.rpc.BadRequest\","
		"\"fieldViolations\":[{\"field\":\"message.data[0].value\","
		"\"description\":\"message.token\"}]}]}}",
		"bad-request", REASON_BAD_REQUEST, ANSWER_NONE));
	CHECK(means(400, "", "bad-request", REASON_BAD_REQUEST, ANSWER_NONE));
}

static void without_an_fcm_error_the_status_decides(void)
{
	static const char html[] = "<html><body>Bad Gateway</body></html>";

	CHECK(means(401, "{\"error\":{\"status\":\"UNAUTHENTICATED\"}}",
		"UNAUTHENTICATED", REASON_REAUTH, ANSWER_NEW_TOKEN));
	CHECK(means(403, "{\"error\":{\"status\":\"PERMISSION_DENIED\"}}",
		"PERMISSION_DENIED", REASON_VENDOR_CONFIG,
		ANSWER_CLOSE_CREDENTIAL));
	CHECK(means(
		413, html, "too-large", REASON_PAYLOAD_TOO_LARGE, ANSWER_NONE));
	CHECK(means(429, html, "RESOURCE_EXHAUSTED", REASON_THROTTLED,
		ANSWER_NONE));
	CHECK(means(502, html, "server-error", REASON_VENDOR_UNAVAILABLE,
		ANSWER_NONE));
	CHECK(means(504, "", "server-error", REASON_VENDOR_UNAVAILABLE,
		ANSWER_NONE));
	CHECK(means(418, html, "other", REASON_BAD_REQUEST, ANSWER_NONE));
	CHECK(means(301, html, "other", REASON_VENDOR_CONFIG, ANSWER_NONE));
	CHECK(means(201, "", "other", REASON_AMBIGUOUS, ANSWER_NONE));
	CHECK(means(0, "", "other", REASON_AMBIGUOUS, ANSWER_NONE));
}

static void waits_are_what_google_asks_or_its_advice(void)
{
	struct span quota = span_of(FCM_ERROR("QUOTA_EXCEEDED"));

	CHECK(answer_of(429, FCM_ERROR("QUOTA_EXCEEDED")).after_ms == 60000);
	CHECK(fcm_classify(429, quota, span_of("5"), NOW_MS).after_ms == 5000);
	CHECK(fcm_classify(429, quota, span_of("Thu, 20 Nov 2025 08:25:20 GMT"),
		      NOW_MS)
			.after_ms == 120000);
	CHECK(answer_of(503, FCM_ERROR("UNAVAILABLE")).after_ms == 10000);
	CHECK(answer_of(400, "").after_ms == 0);
}

static void broken_bodies_are_survived(void)
{
	static const char *const bodies[] = { "{", "[[[[", "\"", "\xff\xfe",
		"{\"error\":{\"details\":{}}}",
		"{\"error\":{\"details\":[7,null,[],{\"@type\":7}]}}",
		"{\"error\":{\"details\":[{\"@type\":\"FcmError\"}]}}",
		"{\"error\":{\"details\":[{\"fieldViolations\":7}]}}" };

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		CHECK(means(503, bodies[i], "server-error",
			REASON_VENDOR_UNAVAILABLE, ANSWER_NONE));
	}
}

static void a_success_has_a_name(void)
{
	struct buf name;

	buf_init(&name, 256);
	fcm_message_name(
		span_of("{\"name\":\"projects/p/messages/0:1\"}"), &name);
	CHECK(span_is((struct span){ name.data, name.len },
		"projects/p/messages/0:1"));
	buf_reset(&name);
	fcm_message_name(span_of("{}"), &name);
	fcm_message_name(span_of("<html>"), &name);
	fcm_message_name(span_of(""), &name);
	CHECK(name.len == 0);
	buf_release(&name);
}

/* --- service account and access token --- */

#define ACCOUNT "test/fixtures/keys/test-only-service-account.json"

static void a_service_account_signs_an_assertion(void)
{
	static const char begin[] =
		"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-"
		"bearer&assertion=";
	struct err err = { 0 };
	struct fcm_account a;
	struct jwt_key *public = jwt_key_public_file(JWT_RS256,
		"test/fixtures/keys/test-only-rs256-public.pem", &err);
	struct buf form;
	struct jwt t;

	CHECK(fcm_account_file(&a, ACCOUNT, &err) == 0);
	CHECK(strcmp(a.project_id, "test-only-project") == 0);
	CHECK(strcmp(a.token_uri, "https://oauth2.googleapis.com/token") == 0);
	buf_init(&form, 65536);
	jwt_init(&t, 65536);
	CHECK(fcm_token_request(&a, NOW_MS, &form, &err) == 0);
	CHECK(form.len > sizeof(begin));
	CHECK(memcmp(form.data, begin, sizeof(begin) - 1) == 0);
	CHECK(jwt_parse(&t, (struct span){ form.data + sizeof(begin) - 1,
				    form.len - sizeof(begin) + 1 }) == JWT_OK);
	CHECK(jwt_verify(&t, public) == JWT_OK);
	CHECK(t.alg == JWT_RS256 && span_is(t.kid, "test-only-kid"));
	CHECK(span_is(t.payload,
		"{\"iss\":\"test-only@test-only-project.iam.gserviceaccount."
		"com\",\"scope\":\"https://www.googleapis.com/auth/"
		"firebase.messaging\",\"aud\":\"https://oauth2.googleapis.com/"
		"token\",\"iat\":1763627000,\"exp\":1763630600}"));
	jwt_release(&t);
	buf_release(&form);
	jwt_key_free(public);
	fcm_account_release(&a);
}

static bool account_refused(const char *text, const char *part)
{
	struct err err = { 0 };
	struct fcm_account a;
	int result = fcm_account_parse(&a, span_of(text), &err);
	bool is_so =
		result == -1 && err.is_usage && strstr(err.text, part) != NULL;

	if (!is_so) {
		printf("%d %s\n", result, err.text);
	}
	CHECK(result == 0 || (a.key == NULL && a.client_email == NULL));
	return is_so;
}

static void a_wrong_service_account_is_told_by_member(void)
{
#define SA "{\"type\":\"service_account\""
#define MORE                                                             \
	SA ",\"client_email\":\"e\",\"private_key_id\":\"k\",\"project_" \
	   "id\":\"p\",\"token_uri\":\"u\""
	CHECK(account_refused("{", "no JSON"));
	CHECK(account_refused("[]", "type"));
	CHECK(account_refused("{\"type\":\"authorized_user\"}", "type"));
	CHECK(account_refused(SA "}", "client_email"));
	CHECK(account_refused(SA ",\"client_email\":\"\"}", "client_email"));
	CHECK(account_refused(
		SA ",\"client_email\":\"a\\u0000b\"}", "client_email"));
	CHECK(account_refused(SA ",\"client_email\":\"e\"}", "private_key_id"));
	CHECK(account_refused(MORE "}", "private_key"));
	CHECK(account_refused(MORE ",\"private_key\":\"x\"}", "private_key"));
	CHECK(account_refused(SA
		",\"client_email\":\"e\",\"private_key_id\":\"k\","
		"\"project_id\":\"a/b\",\"token_uri\":\"u\"}",
		"project_id"));

	struct err err = { 0 };
	struct fcm_account a;

	CHECK(fcm_account_file(&a, "test/fixtures/keys/absent", &err) == -1);
	CHECK(err.is_usage && strstr(err.text, "absent") != NULL);
}

static int token_of(int status, const char *body, struct err *err)
{
	struct buf token;
	int64_t life_s = 0;
	int result;

	buf_init(&token, 4096);
	result = fcm_token_parse(status, span_of(body), &token, &life_s, err);
	if (result == 0) {
		CHECK(span_is(
			(struct span){ token.data, token.len }, "ya29.abc"));
		CHECK(life_s == 3599);
	} else {
		CHECK(token.len == 0);
	}
	buf_release(&token);
	return result;
}

static void access_tokens_are_read_with_care(void)
{
	struct err err = { 0 };

	CHECK(token_of(200,
		      "{\"access_token\":\"ya29.abc\",\"expires_in\":3599,"
		      "\"token_type\":\"Bearer\"}",
		      &err) == 0);
	/* What would break out of a header is no token. */
	CHECK(token_of(200,
		      "{\"access_token\":\"a\\r\\nb\",\"expires_in\":3599}",
		      &err) == -1);
	CHECK(!err.is_usage);
	CHECK(token_of(200, "{\"access_token\":\"ya29.abc\"}", &err) == -1);
	CHECK(token_of(200, "<html>", &err) == -1);
	CHECK(token_of(400, "{\"error\":\"invalid_grant\"}", &err) == -1);
	CHECK(err.is_usage && strstr(err.text, "invalid_grant") != NULL);
	CHECK(token_of(503, "busy", &err) == -1);
	CHECK(!err.is_usage && strstr(err.text, "503") != NULL);
	CHECK(token_of(401, "{\"error\":\"Secret Stuff\"}", &err) == -1);
	CHECK(err.is_usage && strstr(err.text, "Secret") == NULL);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_message_gets_its_target_and_defaults),
		TEST(data_alone_has_no_tag),
		TEST(what_the_producer_says_wins),
		TEST(the_tag_is_the_same_for_every_attempt),
		TEST(the_ttl_is_the_life_that_is_left),
		TEST(topics_and_conditions_are_targets),
		TEST(impossible_targets_are_refused),
		TEST(impossible_messages_are_refused),
		TEST(payloads_are_measured),
		TEST(error_codes_come_from_the_fcm_detail),
		TEST(a_bare_404_never_kills_a_token),
		TEST(an_invalid_argument_may_be_the_token),
		TEST(without_an_fcm_error_the_status_decides),
		TEST(waits_are_what_google_asks_or_its_advice),
		TEST(broken_bodies_are_survived),
		TEST(a_success_has_a_name),
		TEST(a_service_account_signs_an_assertion),
		TEST(a_wrong_service_account_is_told_by_member),
		TEST(access_tokens_are_read_with_care),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
