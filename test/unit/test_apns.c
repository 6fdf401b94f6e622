/* APNs: what a record becomes on the wire, what each answer means. */
#include "wire/apns.h"

#include <string.h>

#include "sending.h"

#define DEVICE "\"device\":{\"platform\":\"ios\",\"token\":\"a1B2c3\"}"

static struct apns_terms terms;

static enum reason with_terms(
	const struct record *r, struct request *req, const char **why)
{
	terms.topic = span_of("com.example.shop");
	return apns_build(r, &terms, req, why);
}

static struct built build(const char *line)
{
	return built_of(line, with_terms);
}

static bool body_is(const struct built *b, const char *text)
{
	bool is_it = span_is(
		(struct span){ b->req.body.data, b->req.body.len }, text);

	if (!is_it) {
		printf("%.*s\n", (int)b->req.body.len, b->req.body.data);
	}
	return is_it;
}

static bool header_is(const struct built *b, const char *name, const char *text)
{
	struct span value = request_find(&b->req, name);

	if (text == NULL ? value.ptr == NULL : span_is(value, text)) {
		return true;
	}
	printf("%s: %.*s\n", name, (int)value.len, value.ptr);
	return false;
}

static bool refused(const char *line, enum reason reason, const char *why)
{
	return built_is_refused(build(line), reason, why);
}

static void a_notification_becomes_an_alert(void)
{
	struct built b = build(TASK("{\"notification\":{\"title\":\"你好\","
				    "\"body\":\"a \\\"b\\\"\"},"
				    "\"data\":{\"order\":\"17\"}}"));

	CHECK(b.reason == REASON_NONE);
	CHECK(span_is((struct span){ b.req.path.data, b.req.path.len },
		"/3/device/a1B2c3"));
	CHECK(body_is(&b, "{\"aps\":{\"alert\":{\"title\":\"你好\",\"body\":"
			  "\"a \\\"b\\\"\"}},\"order\":\"17\"}"));
	CHECK(header_is(&b, "apns-push-type", "alert"));
	CHECK(header_is(&b, "apns-topic", "com.example.shop"));
	CHECK(header_is(&b, "apns-priority", "5"));
	CHECK(header_is(&b, "apns-expiration", NULL));
	CHECK(header_is(&b, "authorization", NULL));
	CHECK(request_find(&b.req, "apns-id").len == 36);
	CHECK(request_find(&b.req, "apns-collapse-id").len == 32);
	built_end(&b);
}

static void identity_is_stable_over_attempts_and_differs_by_device(void)
{
	struct built a =
		build("{\"id\":\"t1\"," DEVICE
		      ",\"message\":{\"data\":{\"a\":\"1\"}},"
		      "\"trace\":{\"pop\":[0,1,{\"q\":\"q\",\"uid\":\"u1\","
		      "\"receipt\":\"w:1\",\"attempt\":1,\"lease_ms\":9}]}}");
	struct built again =
		build("{\"id\":\"t1\"," DEVICE
		      ",\"message\":{\"data\":{\"a\":\"1\"}},"
		      "\"trace\":{\"pop\":[0,1,{\"q\":\"q\",\"uid\":\"u1\","
		      "\"receipt\":\"w:9\",\"attempt\":3,\"lease_ms\":9}]}}");
	struct built other_device = build(
		"{\"id\":\"t1\",\"device\":{\"platform\":\"ios\",\"token\":"
		"\"ff\"},\"message\":{\"data\":{\"a\":\"1\"}},"
		"\"trace\":{\"uid\":\"u1\"}}");
	struct built other_push = build("{\"id\":\"t1\"," DEVICE
					",\"message\":{\"data\":{\"a\":\"1\"}},"
					"\"trace\":{\"uid\":\"u2\"}}");
	struct built other_task = build("{\"id\":\"t2\"," DEVICE
					",\"message\":{\"data\":{\"a\":\"1\"}},"
					"\"trace\":{\"uid\":\"u1\"}}");
	const char *id = "apns-id";
	const char *collapse = "apns-collapse-id";

	CHECK(span_equal(
		request_find(&a.req, id), request_find(&again.req, id)));
	CHECK(!span_equal(
		request_find(&a.req, id), request_find(&other_device.req, id)));
	CHECK(!span_equal(
		request_find(&a.req, id), request_find(&other_push.req, id)));
	CHECK(span_equal(request_find(&a.req, collapse),
		request_find(&again.req, collapse)));
	CHECK(span_equal(request_find(&a.req, collapse),
		request_find(&other_push.req, collapse)));
	CHECK(!span_equal(request_find(&a.req, collapse),
		request_find(&other_task.req, collapse)));
	built_end(&a);
	built_end(&again);
	built_end(&other_device);
	built_end(&other_push);
	built_end(&other_task);
}

static void what_apple_is_told_directly_wins(void)
{
	struct built b = build(TASK(
		"{\"notification\":{\"title\":\"T\",\"body\":\"B\",\"image\":"
		"\"https://e.x/i.png\"},\"data\":{\"k\":\"data\",\"l\":\"2\"},"
		"\"apns\":{\"payload\":{\"aps\":{\"alert\":{\"title\":\"own\","
		"\"loc-key\":\"L\"},\"badge\":3},\"k\":\"own\","
		"\"n\":12345678901234567890},"
		"\"headers\":{\"apns-collapse-id\":\"c1\",\"apns-priority\":"
		"\"10\",\"apns-expiration\":\"0\"}}}"));

	CHECK(body_is(&b,
		"{\"aps\":{\"alert\":{\"title\":\"own\",\"loc-key\":\"L\","
		"\"body\":\"B\"},\"badge\":3,\"mutable-content\":1},"
		"\"k\":\"own\",\"n\":12345678901234567890,\"l\":\"2\","
		"\"fcm_options\":{\"image\":\"https://e.x/i.png\"}}"));
	CHECK(header_is(&b, "apns-collapse-id", "c1"));
	CHECK(header_is(&b, "apns-priority", "10"));
	CHECK(header_is(&b, "apns-expiration", "0"));
	built_end(&b);

	b = build(TASK("{\"notification\":{\"title\":\"T\"},\"apns\":"
		       "{\"payload\":{\"aps\":{\"alert\":\"plain\","
		       "\"mutable-content\":0}}}}"));
	CHECK(body_is(
		&b, "{\"aps\":{\"alert\":\"plain\",\"mutable-content\":0}}"));
	built_end(&b);
}

static void priority_and_expiry_come_from_the_task(void)
{
	static const struct {
		const char *task;
		const char *apns;
	} rows[] = {
		{ "high", "10" },
		{ "normal", "5" },
		{ "low", "1" },
	};

	for (size_t i = 0; i < 3; i++) {
		char line[512];
		struct built b;

		CHECK(fmt_into(line, sizeof(line),
			      "{\"priority\":\"%s\",\"expires_ms\":"
			      "1763627060999," DEVICE ",\"message\":"
			      "{\"notification\":{\"title\":\"x\"}}}",
			      rows[i].task) == 0);
		b = build(line);
		CHECK(header_is(&b, "apns-priority", rows[i].apns));
		CHECK(header_is(&b, "apns-expiration", "1763627060"));
		built_end(&b);
	}
}

static void data_alone_wakes_the_app_in_the_background(void)
{
	struct built b = build(TASK("{\"data\":{\"sync\":\"1\"}}"));

	CHECK(header_is(&b, "apns-push-type", "background"));
	CHECK(header_is(&b, "apns-priority", "5"));
	CHECK(body_is(
		&b, "{\"aps\":{\"content-available\":1},\"sync\":\"1\"}"));
	built_end(&b);

	b = build("{\"priority\":\"high\"," DEVICE
		  ",\"message\":{\"apns\":{\"headers\":{\"apns-priority\":"
		  "\"10\"},\"payload\":{\"aps\":{\"content-available\":1}}}}}");
	CHECK(header_is(&b, "apns-push-type", "background"));
	CHECK(header_is(&b, "apns-priority", "5"));
	built_end(&b);

	b = build(TASK("{\"data\":{\"a\":\"1\"},\"apns\":{\"payload\":{\"aps\":"
		       "{\"content-available\":1,\"sound\":\"s\"}}}}"));
	CHECK(header_is(&b, "apns-push-type", "alert"));
	built_end(&b);
}

static void push_types_bring_their_topics(void)
{
	static const char *const rows[][2] = {
		{ "alert", "com.example.shop" },
		{ "background", "com.example.shop" },
		{ "liveactivity", "com.example.shop.push-type.liveactivity" },
		{ "widgets", "com.example.shop.push-type.widgets" },
		{ "controls", "com.example.shop.push-type.controls" },
		{ "location", "com.example.shop.location-query" },
		{ "voip", "com.example.shop.voip" },
		{ "pushtotalk", "com.example.shop.voip-ptt" },
		{ "complication", "com.example.shop.complication" },
		{ "fileprovider", "com.example.shop.pushkit.fileprovider" },
		{ "mdm", "com.example.shop" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[512];
		struct built b;
		bool is_shown = i < 2;

		CHECK(fmt_into(line, sizeof(line),
			      "{\"priority\":\"low\"," DEVICE ",\"message\":"
			      "{\"data\":{\"a\":\"1\"},\"apns\":{\"headers\":"
			      "{\"apns-push-type\":\"%s\"}}}}",
			      rows[i][0]) == 0);
		b = build(line);
		CHECK(header_is(&b, "apns-push-type", rows[i][0]));
		CHECK(header_is(&b, "apns-topic", rows[i][1]));
		CHECK((request_find(&b.req, "apns-collapse-id").ptr != NULL) ==
			is_shown);
		CHECK(header_is(&b, "apns-expiration",
			strcmp(rows[i][0], "pushtotalk") == 0 ? "0" : NULL));
		CHECK(header_is(&b, "apns-priority",
			strcmp(rows[i][0], "location") == 0 ||
					strcmp(rows[i][0], "background") == 0
				? "5"
				: "1"));
		built_end(&b);
	}
}

#define WITH_HEADERS(h)                                         \
	TASK("{\"notification\":{\"title\":\"x\"},\"apns\":{\"" \
	     "headers\":{" h "}}}")

static void headers_stay_within_what_the_app_may(void)
{
	struct built b =
		build(WITH_HEADERS("\"apns-topic\":\"com.example.shop.voip\""));

	CHECK(header_is(&b, "apns-topic", "com.example.shop.voip"));
	built_end(&b);
	CHECK(refused(WITH_HEADERS("\"apns-topic\":\"com.example.shopper\""),
		REASON_BAD_MESSAGE, "apns-topic"));
	CHECK(refused(WITH_HEADERS("\"apns-topic\":\"com.example.bank\""),
		REASON_BAD_MESSAGE, "apns-topic"));
	CHECK(refused(WITH_HEADERS("\"apns-topic\":\"com\""),
		REASON_BAD_MESSAGE, "apns-topic"));
	CHECK(refused(WITH_HEADERS("\"authorization\":\"bearer x\""),
		REASON_BAD_MESSAGE, "member"));
	CHECK(refused(WITH_HEADERS("\"apns-id\":\"x\""), REASON_BAD_MESSAGE,
		"member"));
	CHECK(refused(WITH_HEADERS("\"apns-priority\":\"7\""),
		REASON_BAD_MESSAGE, "apns-priority"));
	CHECK(refused(WITH_HEADERS("\"apns-priority\":5"), REASON_BAD_MESSAGE,
		"text"));
	CHECK(refused(WITH_HEADERS("\"apns-expiration\":\"soon\""),
		REASON_BAD_MESSAGE, "apns-expiration"));
	CHECK(refused(WITH_HEADERS("\"apns-push-type\":\"shout\""),
		REASON_BAD_MESSAGE, "apns-push-type"));
	CHECK(refused(WITH_HEADERS("\"apns-collapse-id\":\"a\\r\\nb: c\""),
		REASON_BAD_MESSAGE, "ASCII"));
	CHECK(refused(WITH_HEADERS("\"apns-collapse-id\":\"\""),
		REASON_BAD_MESSAGE, "ASCII"));
	CHECK(refused(
		WITH_HEADERS("\"apns-collapse-id\":\"12345678901234567890123456"
			     "789012345678901234567890123456789012345\""),
		REASON_BAD_MESSAGE, "64 bytes"));
}

static void impossible_messages_are_refused(void)
{
	CHECK(refused("{" DEVICE "}", REASON_BAD_MESSAGE, "missing"));
	CHECK(refused(TASK("{}"), REASON_BAD_MESSAGE, "nothing"));
	CHECK(refused(TASK("{\"data\":{}}"), REASON_BAD_MESSAGE, "nothing"));
	CHECK(refused(TASK("{\"notification\":{\"image\":\"x\"}}"),
		REASON_BAD_MESSAGE, "nothing"));
	CHECK(refused(
		TASK("{\"data\":{\"aps\":\"x\"}}"), REASON_BAD_MESSAGE, "aps"));
	CHECK(refused(TASK("{\"data\":[]}"), REASON_BAD_MESSAGE, "data"));
	CHECK(refused(TASK("{\"notification\":\"x\"}"), REASON_BAD_MESSAGE,
		"notification"));
	CHECK(refused(TASK("{\"notification\":{\"title\":1}}"),
		REASON_BAD_MESSAGE, "notification"));
	CHECK(refused(TASK("{\"apns\":7}"), REASON_BAD_MESSAGE, "apns"));
	CHECK(refused(TASK("{\"apns\":{\"payload\":{\"aps\":1}}}"),
		REASON_BAD_MESSAGE, "apns"));
	CHECK(refused(TASK("{\"apns\":{\"headers\":[]}}"), REASON_BAD_MESSAGE,
		"headers"));
}

static void impossible_targets_are_refused(void)
{
	const char *message = ",\"message\":{\"notification\":{\"title\":"
			      "\"x\"}}}";
	static const char *const targets[] = {
		"\"device\":{\"platform\":\"ios\",\"token\":\"xyz\"}",
		"\"device\":{\"platform\":\"ios\",\"token\":\"ab/../c\"}",
		"\"device\":{\"platform\":\"android\",\"token\":\"ab\"}",
		"\"user\":\"u\"",
		"\"channel\":\"a b\"",
		"\"channel\":\"a\\r\\nb\"",
		"\"channel\":\"\"",
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		char line[256];

		CHECK(fmt_into(line, sizeof(line), "{%s%s", targets[i],
			      message) == 0);
		CHECK(refused(line, REASON_BAD_TARGET, ""));
	}
}

static void a_token_may_have_any_length(void)
{
	for (size_t len = 1; len <= 1025; len += 256) {
		char line[2048];
		char token[1100];

		memset(token, 'a', len);
		token[len] = '\0';
		CHECK(fmt_into(line, sizeof(line),
			      "{\"device\":{\"platform\":\"ios\",\"token\":"
			      "\"%s\"},\"message\":{\"data\":{\"a\":\"1\"}}}",
			      token) == 0);
		if (len > 1024) {
			CHECK(refused(line, REASON_BAD_TARGET, "hexa"));
		} else {
			struct built b = build(line);

			CHECK(b.req.path.len == strlen("/3/device/") + len);
			built_end(&b);
		}
	}
}

/* A task whose body, once built, has exactly `bytes' bytes. */
static struct built build_of_size(size_t bytes, const char *headers)
{
	static char line[16384];
	static char fill[8192];
	size_t frame = strlen("{\"aps\":{\"alert\":{\"title\":\"\"}}}");

	memset(fill, 'x', bytes - frame);
	fill[bytes - frame] = '\0';
	CHECK(fmt_into(line, sizeof(line),
		      "{%s,\"message\":{\"apns\":{\"headers\":{%s},\"payload\":"
		      "{\"aps\":{\"alert\":{\"title\":\"%s\"}}}}}}",
		      headers == NULL ? "\"channel\":\"c\"" : DEVICE,
		      headers == NULL ? "" : headers, fill) == 0);
	return build(line);
}

static void payloads_are_measured(void)
{
	static const struct {
		const char *headers; /* NULL: a broadcast */
		size_t max;
	} rows[] = {
		{ "", 4096 },
		{ "\"apns-push-type\":\"liveactivity\"", 4096 },
		{ "\"apns-push-type\":\"voip\"", 5120 },
		{ NULL, 5120 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct built b = build_of_size(rows[i].max, rows[i].headers);

		CHECK(b.reason == REASON_NONE);
		CHECK(b.req.body.len == rows[i].max);
		built_end(&b);
		b = build_of_size(rows[i].max + 1, rows[i].headers);
		CHECK(b.reason == REASON_PAYLOAD_TOO_LARGE);
		built_end(&b);
	}
}

static void a_channel_is_a_broadcast(void)
{
	struct built b = build(
		"{\"channel\":\"dHN0LXNyY2gtY2hubA==\",\"priority\":\"high\","
		"\"message\":{\"apns\":{\"payload\":{\"aps\":{\"event\":"
		"\"update\",\"timestamp\":1}}}}}");

	CHECK(b.reason == REASON_NONE);
	CHECK(span_is((struct span){ b.req.path.data, b.req.path.len },
		"/4/broadcasts/apps/com.example.shop"));
	CHECK(header_is(&b, "apns-channel-id", "dHN0LXNyY2gtY2hubA=="));
	CHECK(header_is(&b, "apns-push-type", "liveactivity"));
	CHECK(header_is(&b, "apns-expiration", "0"));
	CHECK(header_is(&b, "apns-priority", "10"));
	CHECK(header_is(&b, "apns-topic", NULL));
	CHECK(header_is(&b, "apns-collapse-id", NULL));
	CHECK(header_is(&b, "apns-id", NULL));
	CHECK(request_find(&b.req, "apns-request-id").len == 36);
	built_end(&b);
	CHECK(refused(
		"{\"channel\":\"c\",\"message\":{\"data\":{\"a\":\"1\"}}}",
		REASON_BAD_MESSAGE, "broadcast"));
}

static void what_changes_is_kept_out_of_the_table(void)
{
	struct built b = build("{\"expires_ms\":1763627060999," DEVICE
			       ",\"message\":{\"data\":{\"a\":\"1\"}}}");

	for (size_t i = 0; i < b.req.header_count; i++) {
		const char *name = b.req.headers[i].name;
		bool changes = strcmp(name, "apns-id") == 0 ||
			       strcmp(name, "apns-collapse-id") == 0 ||
			       strcmp(name, "apns-expiration") == 0;

		CHECK(b.req.headers[i].is_unindexed == changes);
	}
	built_end(&b);
}

static void a_request_can_be_used_again(void)
{
	struct built b = build(TASK("{\"data\":{\"a\":\"1\"}}"));
	const char *why;
	size_t len = b.req.body.len;
	size_t headers = b.req.header_count;

	CHECK(apns_build(b.r, &terms, &b.req, &why) == REASON_NONE);
	CHECK(b.req.body.len == len && b.req.header_count == headers);
	built_end(&b);
}

/* --- answers --- */

static struct answer answer_of(int status, const char *body)
{
	return apns_classify(
		status, span_of(body), (struct span){ NULL, 0 }, NOW_MS);
}

static bool means(int status, const char *name, enum reason reason,
	enum answer_action action)
{
	char body[128];

	CHECK(fmt_into(body, sizeof(body), "{\"reason\":\"%s\"}", name) == 0);
	return answer_is(answer_of(status, body), name, reason, action);
}

static void requests_that_can_never_succeed_fail(void)
{
	static const char *const names[] = { "BadCollapseId",
		"BadExpirationDate", "BadMessageId", "BadPriority", "BadTopic",
		"DuplicateHeaders", "InvalidPushType", "MissingDeviceToken",
		"MissingTopic", "PayloadEmpty", "MissingChannelId",
		"BadChannelId", "ChannelNotRegistered", "BadRequestParams",
		"BadRequestPayload", "MissingPushType",
		"CannotCreateChannelConfig" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK(means(400, names[i], REASON_BAD_REQUEST, ANSWER_NONE));
	}
	CHECK(means(404, "BadPath", REASON_BAD_REQUEST, ANSWER_NONE));
	CHECK(means(405, "MethodNotAllowed", REASON_BAD_REQUEST, ANSWER_NONE));
	CHECK(means(403, "Forbidden", REASON_BAD_REQUEST, ANSWER_NONE));
	CHECK(means(
		413, "PayloadTooLarge", REASON_PAYLOAD_TOO_LARGE, ANSWER_NONE));
}

static void tokens_are_told_apart_from_set_up(void)
{
	CHECK(means(400, "BadDeviceToken", REASON_TOKEN_DEAD,
		ANSWER_OTHER_ENVIRONMENT));
	CHECK(means(400, "DeviceTokenNotForTopic", REASON_WRONG_TOPIC,
		ANSWER_NONE));
	CHECK(means(410, "Unregistered", REASON_TOKEN_DEAD, ANSWER_NONE));
	CHECK(means(410, "ExpiredToken", REASON_TOKEN_DEAD, ANSWER_NONE));
	CHECK(means(400, "TopicDisallowed", REASON_VENDOR_CONFIG, ANSWER_NONE));
	CHECK(means(403, "TopicMismatch", REASON_VENDOR_CONFIG, ANSWER_NONE));
	CHECK(means(
		403, "FeatureNotEnabled", REASON_VENDOR_CONFIG, ANSWER_NONE));
}

static void credentials_are_closed_or_renewed(void)
{
	static const char *const names[] = { "BadCertificate",
		"BadCertificateEnvironment", "InvalidProviderToken",
		"MissingProviderToken", "BadEnvironmentKeyIdInToken",
		"BadEnvironmentKeyInToken" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK(means(403, names[i], REASON_VENDOR_CONFIG,
			ANSWER_CLOSE_CREDENTIAL));
	}
	CHECK(means(
		403, "ExpiredProviderToken", REASON_REAUTH, ANSWER_NEW_TOKEN));
	CHECK(means(
		403, "UnrelatedKeyIdInToken", REASON_REAUTH, ANSWER_RECONNECT));
	CHECK(means(429, "TooManyProviderTokenUpdates", REASON_THROTTLED,
		ANSWER_HOLD_CREDENTIAL));
}

static void troubles_come_again(void)
{
	CHECK(means(400, "IdleTimeout", REASON_VENDOR_UNAVAILABLE,
		ANSWER_RECONNECT));
	CHECK(means(429, "TooManyRequests", REASON_THROTTLED, ANSWER_NONE));
	CHECK(means(500, "InternalServerError", REASON_VENDOR_UNAVAILABLE,
		ANSWER_RETRY));
	CHECK(means(503, "ServiceUnavailable", REASON_VENDOR_UNAVAILABLE,
		ANSWER_RETRY));
	CHECK(means(
		503, "Shutdown", REASON_VENDOR_UNAVAILABLE, ANSWER_RECONNECT));
}

static void success_needs_no_body(void)
{
	struct answer a = answer_of(200, "");

	CHECK(a.row->reason == REASON_OK && a.row->action == ANSWER_NONE);
	CHECK(strcmp(a.row->name, "ok") == 0);
}

static void the_unknown_is_judged_by_its_status(void)
{
	static const struct {
		int status;
		enum reason reason;
	} rows[] = {
		{ 400, REASON_BAD_REQUEST },
		{ 403, REASON_VENDOR_CONFIG },
		{ 404, REASON_BAD_REQUEST },
		{ 410, REASON_TOKEN_DEAD },
		{ 413, REASON_PAYLOAD_TOO_LARGE },
		{ 418, REASON_BAD_REQUEST },
		{ 429, REASON_THROTTLED },
		{ 500, REASON_VENDOR_UNAVAILABLE },
		{ 502, REASON_VENDOR_UNAVAILABLE },
		{ 599, REASON_VENDOR_UNAVAILABLE },
		{ 302, REASON_VENDOR_CONFIG },
		{ 204, REASON_AMBIGUOUS },
		{ 0, REASON_AMBIGUOUS },
		{ 1000, REASON_AMBIGUOUS },
	};
	static const char *const bodies[] = { "", "{\"reason\":\"Brand New\"}",
		"{\"reason\":", "<html>no</html>", "{\"reason\":7}", "[]",
		"{\"reason\":\"ok\"}", "{\"reason\":\"other\"}" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t j = 0; j < sizeof(bodies) / sizeof(bodies[0]);
			j++) {
			struct answer a = answer_of(rows[i].status, bodies[j]);

			CHECK(a.row->reason == rows[i].reason);
			CHECK(strcmp(a.row->name, "other") == 0);
		}
	}
	/* A word of another class is not believed. */
	CHECK(answer_of(500, "{\"reason\":\"Unregistered\"}").row->reason ==
		REASON_VENDOR_UNAVAILABLE);
}

static void a_dead_token_brings_its_time(void)
{
	struct answer a = answer_of(410, "{\"reason\":\"Unregistered\","
					 "\"timestamp\":1763600000123}");

	CHECK(a.vendor_unix_ms == INT64_C(1763600000123));
	CHECK(answer_of(410, "{\"reason\":\"Unregistered\"}").vendor_unix_ms ==
		0);
	CHECK(answer_of(410, "{\"timestamp\":-5}").vendor_unix_ms == 0);
	CHECK(answer_of(410, "{\"timestamp\":\"5\"}").vendor_unix_ms == 0);
	CHECK(answer_of(429, "{\"timestamp\":5}").vendor_unix_ms == 0);
}

static void retry_after_is_honoured_above_the_floor(void)
{
	struct span busy = span_of("{\"reason\":\"ServiceUnavailable\"}");
	struct answer a =
		apns_classify(503, busy, (struct span){ NULL, 0 }, NOW_MS);

	CHECK(a.after_ms == 1000);
	CHECK(apns_classify(503, busy, span_of("7"), NOW_MS).after_ms == 7000);
	CHECK(apns_classify(503, busy, span_of("0"), NOW_MS).after_ms == 1000);
	CHECK(apns_classify(503, busy, span_of("never"), NOW_MS).after_ms ==
		1000);
}

static void retry_after_is_seconds_or_a_date(void)
{
	/* 1763627000 is Thu, 20 Nov 2025 08:23:20 GMT. */
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "0", 0 },
		{ "120", 120000 },
		{ " 120 ", 120000 },
		{ "99999999999999999999", 86400000 },
		{ "Thu, 20 Nov 2025 08:24:20 GMT", 60000 },
		{ "Thursday, 20-Nov-25 08:24:20 GMT", 60000 },
		{ "Thu Nov 20 08:24:20 2025", 60000 },
		{ "Sun Nov  6 08:49:37 1994", 0 },
		{ "Thu, 20 Nov 2025 08:23:20 GMT", 0 },
		{ "Thu, 20 Nov 2025 08:23:19 GMT", 0 },
		{ "Fri, 21 Nov 2026 08:23:20 GMT", 86400000 },
		{ "Thu, 20 Nov 2025 08:24:20", -1 },
		{ "Thu, 20 Nov 2025 08:24:20 CET", -1 },
		{ "Thu, 20 Nov 2025 25:24:20 GMT", -1 },
		{ "Thu, 00 Nov 2025 08:24:20 GMT", -1 },
		{ "Thu, 20 Foo 2025 08:24:20 GMT", -1 },
		{ "soon", -1 },
		{ "-1", -1 },
		{ "1.5", -1 },
		{ "", -1 },
		{ ",", -1 },
		{ " ", -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms =
			answer_retry_after_ms(span_of(rows[i].text), NOW_MS);

		if (ms != rows[i].ms) {
			printf("'%s': %lld\n", rows[i].text, (long long)ms);
		}
		CHECK(ms == rows[i].ms);
	}
	CHECK(answer_retry_after_ms((struct span){ NULL, 0 }, NOW_MS) == -1);
	/* Leap years: 2000-02-29, 2100-03-01. */
	CHECK(answer_retry_after_ms(span_of("Tue, 29 Feb 2000 00:00:01 GMT"),
		      INT64_C(951782400000)) == 1000);
	CHECK(answer_retry_after_ms(span_of("Mon, 01 Mar 2100 00:00:01 GMT"),
		      INT64_C(4107542400000)) == 1000);
}

static void goaway_tells_its_reason(void)
{
	const struct answer_row *row = apns_goaway_row(
		span_of("{\"reason\":\"BadCertificateEnvironment\"}"));

	CHECK(row != NULL && row->action == ANSWER_CLOSE_CREDENTIAL);
	row = apns_goaway_row(span_of("{\"reason\":\"Shutdown\"}"));
	CHECK(row != NULL && row->action == ANSWER_RECONNECT);
	CHECK(apns_goaway_row((struct span){ NULL, 0 }) == NULL);
	CHECK(apns_goaway_row(span_of("{\"reason\":\"ok\"}")) == NULL);
	CHECK(apns_goaway_row(span_of("too many streams")) == NULL);
}

/* --- provider token --- */

static void provider_tokens_lie_on_a_grid(void)
{
	int64_t slot = INT64_C(1763627400); /* a multiple of 1800 */

	CHECK(slot % 1800 == 0);
	/* A clock that is ahead by up to a minute makes none in the future. */
	CHECK(apns_token_issued_s(slot * 1000 + 59999) == slot - 1800);
	CHECK(apns_token_issued_s(slot * 1000 + 60000) == slot);
	CHECK(apns_token_issued_s((slot + 1800) * 1000 + 59999) == slot);
}

static void a_provider_token_says_who_and_since_when(void)
{
	struct err err = { 0 };
	struct jwt_key *key = jwt_key_private_file(
		JWT_ES256, "test/fixtures/keys/test-only-es256.p8", &err);
	struct jwt_key *public = jwt_key_public_file(JWT_ES256,
		"test/fixtures/keys/test-only-es256-public.pem", &err);
	struct buf token;
	struct jwt t;

	CHECK(key != NULL && public != NULL);
	buf_init(&token, 4096);
	jwt_init(&t, 4096);
	CHECK(apns_token(key, span_of("ABC123DEFG"), span_of("TEAM\"45678"),
		      INT64_C(1763627460000), &token, &err) == 0);
	CHECK(jwt_parse(&t, (struct span){ token.data, token.len }) == JWT_OK);
	CHECK(jwt_verify(&t, public) == JWT_OK);
	CHECK(span_is(t.kid, "ABC123DEFG"));
	CHECK(span_is(
		t.payload, "{\"iss\":\"TEAM\\\"45678\",\"iat\":1763627400}"));
	jwt_release(&t);
	buf_release(&token);
	jwt_key_free(key);
	jwt_key_free(public);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_notification_becomes_an_alert),
		TEST(identity_is_stable_over_attempts_and_differs_by_device),
		TEST(what_apple_is_told_directly_wins),
		TEST(priority_and_expiry_come_from_the_task),
		TEST(data_alone_wakes_the_app_in_the_background),
		TEST(push_types_bring_their_topics),
		TEST(headers_stay_within_what_the_app_may),
		TEST(impossible_messages_are_refused),
		TEST(impossible_targets_are_refused),
		TEST(a_token_may_have_any_length),
		TEST(payloads_are_measured),
		TEST(a_channel_is_a_broadcast),
		TEST(what_changes_is_kept_out_of_the_table),
		TEST(a_request_can_be_used_again),
		TEST(requests_that_can_never_succeed_fail),
		TEST(tokens_are_told_apart_from_set_up),
		TEST(credentials_are_closed_or_renewed),
		TEST(troubles_come_again),
		TEST(success_needs_no_body),
		TEST(the_unknown_is_judged_by_its_status),
		TEST(a_dead_token_brings_its_time),
		TEST(retry_after_is_honoured_above_the_floor),
		TEST(retry_after_is_seconds_or_a_date),
		TEST(goaway_tells_its_reason),
		TEST(provider_tokens_lie_on_a_grid),
		TEST(a_provider_token_says_who_and_since_when),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
