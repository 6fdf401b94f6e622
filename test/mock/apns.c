/*
 * Apple's side: which request is in order, and with which reason another is
 * refused.
 *
 * Rules are from Apple, "Sending notification requests to APNs", "Establishing a
 * token-based connection to APNs" and "Handling notification responses from
 * APNs".  In two things this one is stricter than the real one:
 * apns-push-type must be there, and a body that is no JSON object is refused.
 */
#include "apns.h"

#include <openssl/rand.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "jws.h"

enum {
	PAYLOAD_MAX_BYTES = 4096,
	VOIP_MAX_BYTES = 5120,
	BROADCAST_MAX_BYTES = 5120,
	COLLAPSE_MAX_BYTES = 64,
	TOKEN_MAX_DIGITS = 200, /* Apple: never assume a length */
	BEARERS_MAX = 64,
	TOKEN_LIFE_S = 3600,
	UPDATE_WINDOW_S = 20 * 60,
	UPDATES_MAX = 2, /* provider tokens a connection in that window */
	CLOCK_SKEW_S = 300,
};

static const char DEVICE_PATH[] = "/3/device/";
static const char BROADCAST_PATH[] = "/4/broadcasts/apps/";

/* Order is part of push-mock(1): markers name reasons by number. */
static const struct reason {
	int status;
	const char *name;
} REASONS[] = {
	{ 400, "BadCollapseId" },
	{ 400, "BadDeviceToken" },
	{ 400, "BadExpirationDate" },
	{ 400, "BadMessageId" },
	{ 400, "BadPriority" },
	{ 400, "BadTopic" },
	{ 400, "DeviceTokenNotForTopic" },
	{ 400, "DuplicateHeaders" },
	{ 400, "IdleTimeout" },
	{ 400, "InvalidPushType" },
	{ 400, "MissingDeviceToken" },
	{ 400, "MissingTopic" },
	{ 400, "PayloadEmpty" },
	{ 400, "TopicDisallowed" },
	{ 403, "BadCertificate" },
	{ 403, "BadCertificateEnvironment" },
	{ 403, "ExpiredProviderToken" },
	{ 403, "Forbidden" },
	{ 403, "InvalidProviderToken" },
	{ 403, "MissingProviderToken" },
	{ 403, "UnrelatedKeyIdInToken" },
	{ 403, "BadEnvironmentKeyIdInToken" },
	{ 403, "BadEnvironmentKeyInToken" },
	{ 403, "TopicMismatch" },
	{ 404, "BadPath" },
	{ 405, "MethodNotAllowed" },
	{ 410, "ExpiredToken" },
	{ 410, "Unregistered" },
	{ 413, "PayloadTooLarge" },
	{ 429, "TooManyProviderTokenUpdates" },
	{ 429, "TooManyRequests" },
	{ 500, "InternalServerError" },
	{ 503, "ServiceUnavailable" },
	{ 503, "Shutdown" },
	{ 400, "MissingChannelId" },
	{ 400, "BadChannelId" },
	{ 400, "ChannelNotRegistered" },
	{ 400, "MissingPushType" },
	{ 400, "BadRequestPayload" },
	{ 400, "FeatureNotEnabled" },
};

enum { REASON_COUNT = sizeof(REASONS) / sizeof(*REASONS) };

/* What goes with each apns-push-type. */
static const struct push_type {
	const char *name;
	const char *suffix; /* of the topic */
	bool may_be_10;     /* priority; 5 always may */
	bool may_be_1;
} PUSH_TYPES[] = {
	{ "alert", "", true, true },
	{ "background", "", false, true },
	{ "liveactivity", ".push-type.liveactivity", true, true },
	{ "widgets", ".push-type.widgets", true, true },
	{ "controls", ".push-type.controls", true, true },
	{ "location", ".location-query", true, false },
	{ "voip", ".voip", true, true },
	{ "pushtotalk", ".voip-ptt", true, true },
	{ "complication", ".complication", true, true },
	{ "fileprovider", ".pushkit.fileprovider", true, true },
	{ "mdm", "", true, true },
};

/* A provider token that was verified. */
struct bearer {
	char *text; /* owned */
	size_t len;
	uint64_t number; /* of verification, from 1 */
	int64_t iat_s;
	const struct apns_key *key;
};

struct apns {
	const struct credentials *credentials;
	struct bearer bearers[BEARERS_MAX];
	uint64_t verified; /* how many so far */
};

/* What a connection has shown so far. */
struct bond {
	const struct apns_key *key; /* of the first valid token */
	size_t last;                /* place of the last one in bearers */
	uint64_t seen[UPDATES_MAX]; /* numbers of the newest ones */
	int64_t seen_mono_ms[UPDATES_MAX];
	uint64_t last_number;
};

const char *apns_reason_at(size_t number)
{
	return number >= 1 && number <= REASON_COUNT ? REASONS[number - 1].name
						     : NULL;
}

int apns_status_of(const char *reason)
{
	for (size_t i = 0; i < REASON_COUNT; i++) {
		if (strcmp(REASONS[i].name, reason) == 0) {
			return REASONS[i].status;
		}
	}
	return 400;
}

const char *apns_reason_of(int status)
{
	switch (status) {
	case 400:
		return "BadDeviceToken";
	case 403:
		return "Forbidden";
	case 410:
		return "Unregistered";
	case 429:
		return "TooManyRequests";
	default:
		break;
	}
	for (size_t i = 0; i < REASON_COUNT; i++) {
		if (REASONS[i].status == status) {
			return REASONS[i].name;
		}
	}
	return NULL;
}

/* --- provider tokens --- */

static void bearer_release(struct bearer *b)
{
	mem_free(b->text);
	*b = (struct bearer){ .text = NULL };
}

static bool bearer_is(const struct bearer *b, struct span text)
{
	return b->len == text.len && b->text != NULL &&
	       memcmp(b->text, text.ptr, text.len) == 0;
}

/* Verifies a token not seen before and keeps it; NULL when it is no good. */
static struct bearer *bearer_verify(
	struct apns *a, struct span text, int64_t now_unix_ms)
{
	const struct apns_key *key = NULL;
	struct bearer *b = NULL;
	int64_t iat_s = 0;
	struct jws j;

	if (jws_parse(&j, text) != 0) {
		goto out;
	}
	key = credentials_apns(
		a->credentials, json_text(json_get(json_root(j.head), "kid")));
	const struct json *claims = json_root(j.claims);
	if (key == NULL || !jws_is_es256_by(&j, key->key) ||
		!json_is_text(json_get(claims, "iss"), key->team) ||
		json_int(json_get(claims, "iat"), &iat_s) != 0 ||
		iat_s > now_unix_ms / 1000 + CLOCK_SKEW_S) {
		goto out;
	}
	b = &a->bearers[a->verified % BEARERS_MAX];
	bearer_release(b);
	*b = (struct bearer){
		.text = mem_dup(text.ptr, text.len),
		.len = text.len,
		.number = ++a->verified,
		.iat_s = iat_s,
		.key = key,
	};
out:
	jws_release(&j);
	return b;
}

static struct bearer *bearer_find(struct apns *a, struct bond *bond,
	struct span text, int64_t now_unix_ms)
{
	if (bearer_is(&a->bearers[bond->last], text)) {
		return &a->bearers[bond->last];
	}
	for (size_t i = 0; i < BEARERS_MAX; i++) {
		if (bearer_is(&a->bearers[i], text)) {
			bond->last = i;
			return &a->bearers[i];
		}
	}
	return bearer_verify(a, text, now_unix_ms);
}

/* Whether a connection may use this token: Apple allows a new one every 20
 * minutes, so UPDATES_MAX of them in any such window. */
static bool may_update(struct bond *bond, const struct bearer *b)
{
	int64_t now_ms = clock_mono_ms();
	size_t oldest = 0;

	for (size_t i = 0; i < UPDATES_MAX; i++) {
		if (bond->seen[i] == b->number) {
			return true;
		}
		if (bond->seen_mono_ms[i] < bond->seen_mono_ms[oldest]) {
			oldest = i;
		}
		if (bond->seen[i] == 0) {
			oldest = i;
			break;
		}
	}
	if (bond->seen[oldest] != 0 &&
		now_ms - bond->seen_mono_ms[oldest] <
			(int64_t)UPDATE_WINDOW_S * 1000) {
		return false;
	}
	bond->seen[oldest] = b->number;
	bond->seen_mono_ms[oldest] = now_ms;
	return true;
}

static const char *check_bearer(struct apns *a, struct exchange *x)
{
	struct span text = exchange_field(x, FIELD_AUTHORIZATION);
	struct bond *bond = x->peer->memory;

	/* Apple: on a connection with a certificate the field is ignored. */
	if (x->peer->has_certificate) {
		x->peer->is_trusted = x->peer->is_certificate_good;
		return x->peer->is_certificate_good ? NULL : "BadCertificate";
	}
	if (text.len == 0) {
		return "MissingProviderToken";
	}
	if (!starts_with(text, "bearer ") && !starts_with(text, "Bearer ")) {
		return "InvalidProviderToken";
	}
	if (bond == NULL) {
		bond = mem_array(1, sizeof(*bond));
		x->peer->memory = bond;
	}
	text.ptr += strlen("bearer ");
	text.len -= strlen("bearer ");
	x->verdict.credential = text;
	const struct bearer *b = bearer_find(a, bond, text, x->now_unix_ms);
	if (b == NULL) {
		return "InvalidProviderToken";
	}
	if (x->now_unix_ms / 1000 - b->iat_s > TOKEN_LIFE_S) {
		return "ExpiredProviderToken";
	}
	if (bond->key == NULL) {
		bond->key = b->key;
	} else if (bond->key != b->key) {
		return strcmp(bond->key->team, b->key->team) == 0
			       ? "UnrelatedKeyIdInToken"
			       : "InvalidProviderToken";
	}
	if (bond->last_number != b->number && !may_update(bond, b)) {
		return "TooManyProviderTokenUpdates";
	}
	bond->last_number = b->number;
	x->peer->is_trusted = true;
	return NULL;
}

/* --- the rest of the head --- */

static bool is_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9') {
			return false;
		}
	}
	return s.len > 0 && s.len <= 18;
}

static bool is_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_hex_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_hex_digit(s.ptr[i]) &&
			!(s.ptr[i] >= 'A' && s.ptr[i] <= 'F')) {
			return false;
		}
	}
	return s.len % 2 == 0 && s.len <= TOKEN_MAX_DIGITS;
}

static bool is_uuid(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;
		if (is_hyphen ? s.ptr[i] != '-' : !is_hex_digit(s.ptr[i])) {
			return false;
		}
	}
	return s.len == 36;
}

static const struct push_type *find_type(struct span name)
{
	for (size_t i = 0; i < sizeof(PUSH_TYPES) / sizeof(*PUSH_TYPES); i++) {
		if (span_is(name, PUSH_TYPES[i].name)) {
			return &PUSH_TYPES[i];
		}
	}
	return NULL;
}

static bool ends_with(struct span s, const char *suffix)
{
	size_t len = strlen(suffix);

	return s.len > len && memcmp(s.ptr + s.len - len, suffix, len) == 0;
}

static bool may_send_to(const struct apns_key *key, struct span bundle)
{
	for (size_t i = 0; i < key->topic_count; i++) {
		if (span_is(bundle, key->topics[i])) {
			return true;
		}
	}
	return key->topic_count == 0;
}

static const char *check_topic(
	const struct exchange *x, const struct push_type *type)
{
	const struct bond *bond = x->peer->memory;
	struct span topic = x->verdict.topic;

	if (topic.len == 0) {
		/* A certificate for one app says which. */
		return x->peer->has_certificate ? NULL : "MissingTopic";
	}
	if (!ends_with(topic, type->suffix)) {
		return "BadTopic";
	}
	topic.len -= strlen(type->suffix);
	if (x->peer->has_certificate) {
		return span_is(topic, x->peer->certificate_user)
			       ? NULL
			       : "TopicDisallowed";
	}
	return may_send_to(bond->key, topic) ? NULL : "TopicDisallowed";
}

static const char *check_priority(
	const struct exchange *x, const struct push_type *type)
{
	struct span priority = x->verdict.priority;

	if (priority.ptr == NULL) {
		priority = span_of("10"); /* the documented default */
	}
	if (span_is(priority, "10")) {
		return type->may_be_10 ? NULL : "BadPriority";
	}
	if (span_is(priority, "1")) {
		return type->may_be_1 ? NULL : "BadPriority";
	}
	return span_is(priority, "5") ? NULL : "BadPriority";
}

static const char *check_common(const struct exchange *x)
{
	const struct verdict *v = &x->verdict;

	if (x->has_duplicate) {
		return "DuplicateHeaders";
	}
	if (v->expiration.ptr != NULL && !is_digits(v->expiration)) {
		return "BadExpirationDate";
	}
	if (v->collapse.len > COLLAPSE_MAX_BYTES) {
		return "BadCollapseId";
	}
	return NULL;
}

static const char *check_body(const struct exchange *x, size_t most)
{
	if (x->is_early) {
		return NULL;
	}
	if (x->body.len == 0) {
		return "PayloadEmpty";
	}
	if (buf_is_over(&x->body) || x->body.len > most) {
		return "PayloadTooLarge";
	}
	struct json_doc *doc =
		json_parse(x->body.data, x->body.len, JSON_STRICT, NULL);
	bool is_object = json_type(json_root(doc)) == JSON_OBJECT;
	json_free(doc);
	return is_object ? NULL : "PayloadEmpty";
}

static const char *check_device(struct apns *a, struct exchange *x)
{
	struct span token = x->verdict.token;
	const char *reason = NULL;

	if (token.len == 0) {
		return "MissingDeviceToken";
	}
	if (!is_hex_token(token)) {
		return "BadDeviceToken";
	}
	reason = check_bearer(a, x);
	if (reason == NULL) {
		reason = check_common(x);
	}
	if (reason != NULL) {
		return reason;
	}
	struct span id = exchange_field(x, FIELD_APNS_ID);
	if (id.ptr != NULL && !is_uuid(id)) {
		return "BadMessageId";
	}
	const struct push_type *type = find_type(x->verdict.push_type);
	if (type == NULL) {
		return "InvalidPushType";
	}
	reason = check_topic(x, type);
	if (reason == NULL) {
		reason = check_priority(x, type);
	}
	if (reason == NULL) {
		reason = check_body(x, strcmp(type->name, "voip") == 0
					       ? VOIP_MAX_BYTES
					       : PAYLOAD_MAX_BYTES);
	}
	return reason;
}

static bool is_base64(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
			!(c >= '0' && c <= '9') && c != '+' && c != '/' &&
			c != '=') {
			return false;
		}
	}
	return s.len > 0;
}

/* Apple, "Sending broadcast push notification requests to APNs". */
static const char *check_broadcast(struct apns *a, struct exchange *x)
{
	const struct verdict *v = &x->verdict;
	const char *reason = check_bearer(a, x);

	if (reason == NULL) {
		reason = check_common(x);
	}
	if (reason != NULL) {
		return reason;
	}
	if (v->token.ptr == NULL) {
		return "MissingChannelId";
	}
	if (!is_base64(v->token)) {
		return "BadChannelId";
	}
	if (v->push_type.ptr == NULL) {
		return "MissingPushType";
	}
	if (!span_is(v->push_type, "liveactivity")) {
		return "InvalidPushType";
	}
	reason = check_priority(x, find_type(v->push_type));
	if (reason == NULL && v->expiration.ptr == NULL) {
		reason = "BadExpirationDate";
	}
	if (reason == NULL) {
		reason = check_body(x, BROADCAST_MAX_BYTES);
	}
	return reason != NULL && strcmp(reason, "PayloadEmpty") == 0
		       ? "BadRequestPayload"
		       : reason;
}

/* --- the vendor's three functions --- */

static struct span behind(struct span path, const char *prefix)
{
	size_t len = strlen(prefix);

	if (!starts_with(path, prefix)) {
		return (struct span){ NULL, 0 };
	}
	return (struct span){ path.ptr + len, path.len - len };
}

static struct span target(const struct exchange *x)
{
	return behind(exchange_field(x, FIELD_PATH), DEVICE_PATH);
}

/* The client's id, or one of ours. */
static struct span id_of(struct exchange *x, enum field field)
{
	struct span id = exchange_field(x, field);
	unsigned char r[16];
	char text[40];

	if (id.ptr != NULL || RAND_bytes(r, sizeof(r)) != 1 ||
		fmt_into(text, sizeof(text),
			"%02X%02X%02X%02X-%02X%02X-4%X%02X-A%X%02X-%02X%02X%02X%02X%02X%02X",
			r[0], r[1], r[2], r[3], r[4], r[5], r[6] & 15u, r[7],
			r[8] & 15u, r[9], r[10], r[11], r[12], r[13], r[14],
			r[15]) != 0) {
		return id;
	}
	return exchange_note(x, text, strlen(text));
}

/* One notification is known by token and apns-id: both, with a NUL between. */
static struct span identity_of(struct exchange *x)
{
	struct span id = exchange_field(x, FIELD_APNS_ID);
	struct span token = x->verdict.token;

	if (id.ptr == NULL || token.len > TOKEN_MAX_DIGITS || id.len != 36) {
		return (struct span){ NULL, 0 };
	}
	struct span first = exchange_note(x, token.ptr, token.len);
	struct span second = exchange_note(x, id.ptr, id.len);
	return (struct span){ first.ptr, first.len + 1 + second.len };
}

static void judge(void *self, struct exchange *x)
{
	struct apns *a = self;
	struct verdict *v = &x->verdict;
	struct span path = exchange_field(x, FIELD_PATH);
	const char *reason = "BadPath";

	v->topic = exchange_field(x, FIELD_APNS_TOPIC);
	v->push_type = exchange_field(x, FIELD_APNS_PUSH_TYPE);
	v->priority = exchange_field(x, FIELD_APNS_PRIORITY);
	v->expiration = exchange_field(x, FIELD_APNS_EXPIRATION);
	v->collapse = exchange_field(x, FIELD_APNS_COLLAPSE_ID);
	x->answer_id_name = "apns-id";
	if (!span_is(exchange_field(x, FIELD_METHOD), "POST")) {
		v->id = id_of(x, FIELD_APNS_ID);
		reason = "MethodNotAllowed";
	} else if (starts_with(path, DEVICE_PATH)) {
		v->token = behind(path, DEVICE_PATH);
		v->id = id_of(x, FIELD_APNS_ID);
		reason = check_device(a, x);
		v->identity = identity_of(x);
	} else if (behind(path, BROADCAST_PATH).len > 0) {
		x->answer_id_name = "apns-request-id";
		v->token = exchange_field(x, FIELD_APNS_CHANNEL_ID);
		v->topic = behind(path, BROADCAST_PATH);
		v->id = id_of(x, FIELD_APNS_REQUEST_ID);
		reason = check_broadcast(a, x);
	}
	if (reason != NULL) {
		exchange_refuse(x, apns_status_of(reason), reason);
	} else {
		v->status = 200;
	}
}

static void format(void *self, struct exchange *x)
{
	const struct verdict *v = &x->verdict;

	(void)self;
	if (v->reason == NULL) {
		return;
	}
	x->answer_type = "application/json";
	buf_text(&x->answer, "{");
	json_put_name(&x->answer, "reason");
	json_put_span(&x->answer, span_of(v->reason));
	if (v->status == 410) {
		json_put_name(&x->answer, "timestamp");
		buf_i64(&x->answer, v->timestamp_ms > 0 ? v->timestamp_ms
							: clock_unix_ms());
	}
	buf_text(&x->answer, "}");
}

struct apns *apns_new(const struct credentials *credentials)
{
	struct apns *a = mem_array(1, sizeof(*a));

	a->credentials = credentials;
	return a;
}

void apns_free(struct apns *a)
{
	for (size_t i = 0; a != NULL && i < BEARERS_MAX; i++) {
		bearer_release(&a->bearers[i]);
	}
	mem_free(a);
}

struct vendor apns_vendor(struct apns *a)
{
	return (struct vendor){
		.id = VENDOR_APNS,
		.hosts = " api.push.apple.com api.sandbox.push.apple.com ",
		.self = a,
		.stream_limit = 1000, /* seen in the field */
		.has_probation = true,
		.target = target,
		.judge = judge,
		.format = format,
		.forget = mem_free,
	};
}
