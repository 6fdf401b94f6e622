/*
 * Google's token endpoint: a signed assertion in, an access token out.
 *
 * Rules are from Google, "Using OAuth 2.0 for server to server applications", and
 * RFC 7523 section 3.
 */
#include "oauth.h"

#include <openssl/rand.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "jws.h"

enum {
	GRANTS_MAX = 256,
	ACCESS_TOKEN_BYTES = 64,
	ASSERTION_LIFE_S = 3600,
	CLOCK_SKEW_S = 60,
	URI_MAX_BYTES = 256,
};

static const char GRANT_TYPE[] = "urn:ietf:params:oauth:grant-type:jwt-bearer";
static const char SCOPE[] =
	"https://www.googleapis.com/auth/firebase.messaging";
static const char WIDE_SCOPE[] =
	"https://www.googleapis.com/auth/cloud-platform";

struct grant {
	char text[ACCESS_TOKEN_BYTES];
	int64_t until_unix_ms; /* 0: free */
	const struct google_account *account;
};

struct oauth {
	const struct credentials *credentials;
	int64_t life_s;
	struct grant grants[GRANTS_MAX]; /* the newest ones */
	uint64_t granted;                /* how many so far */
};

const struct google_account *oauth_account(
	const struct oauth *o, struct span access_token)
{
	int64_t now_ms = clock_unix_ms();

	for (size_t i = 0; i < GRANTS_MAX; i++) {
		const struct grant *g = &o->grants[i];
		if (g->until_unix_ms > now_ms &&
			span_is(access_token, g->text)) {
			return g->account;
		}
	}
	return NULL;
}

void oauth_revoke(struct oauth *o)
{
	memset(o->grants, 0, sizeof(o->grants));
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c | 0x20);

	return at == NULL ? -1 : (int)(at - digits);
}

/* A form value decoded (application/x-www-form-urlencoded); false: it is
 * spelled wrongly. */
static bool decode(struct buf *b, struct span value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];
		if (c == '%') {
			int high = i + 2 < value.len
					   ? hex_digit(value.ptr[i + 1])
					   : -1;
			int low = i + 2 < value.len
					  ? hex_digit(value.ptr[i + 2])
					  : -1;
			if (high < 0 || low < 0) {
				return false;
			}
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		buf_putc(b, c);
	}
	return !buf_is_over(b);
}

/* The value of a form member, still encoded; absent: { NULL, 0 }. */
static struct span form_member(struct span form, const char *name)
{
	size_t name_bytes = strlen(name);
	size_t at = 0;

	while (at < form.len) {
		const char *from = form.ptr + at;
		const char *end = memchr(from, '&', form.len - at);
		size_t len = end == NULL ? form.len - at : (size_t)(end - from);
		if (len > name_bytes && from[name_bytes] == '=' &&
			memcmp(from, name, name_bytes) == 0) {
			return (struct span){ from + name_bytes + 1,
				len - name_bytes - 1 };
		}
		at += len + 1;
	}
	return (struct span){ NULL, 0 };
}

static const char *grant_type_problem(struct span form)
{
	struct span value = form_member(form, "grant_type");
	struct buf text;
	bool is_good = false;

	if (value.ptr == NULL) {
		return "invalid_request";
	}
	buf_init(&text, sizeof(GRANT_TYPE) * 2);
	is_good = decode(&text, value) &&
		  span_is((struct span){ text.data, text.len }, GRANT_TYPE);
	buf_release(&text);
	return is_good ? NULL : "unsupported_grant_type";
}

static bool has_scope(struct span list)
{
	size_t at = 0;

	while (at < list.len) {
		const char *from = list.ptr + at;
		const char *end = memchr(from, ' ', list.len - at);
		size_t len = end == NULL ? list.len - at : (size_t)(end - from);
		struct span one = { from, len };
		if (span_is(one, SCOPE) || span_is(one, WIDE_SCOPE)) {
			return true;
		}
		at += len + 1;
	}
	return false;
}

/* The audience is the token endpoint: as the account's file names it, or as
 * it was reached here. */
static bool is_audience(const struct exchange *x,
	const struct google_account *account, struct span aud)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost" };
	char uri[URI_MAX_BYTES];

	if (span_is(aud, account->token_uri)) {
		return true;
	}
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		if (fmt_into(uri, sizeof(uri), "https://%s:%d/token", hosts[i],
			    x->peer->port) == 0 &&
			span_is(aud, uri)) {
			return true;
		}
	}
	return false;
}

static const char *time_problem(const struct json *claims, int64_t now_s)
{
	int64_t iat_s = 0;
	int64_t exp_s = 0;

	if (json_int(json_get(claims, "iat"), &iat_s) != 0 ||
		json_int(json_get(claims, "exp"), &exp_s) != 0 ||
		iat_s > now_s + CLOCK_SKEW_S || exp_s <= now_s ||
		exp_s <= iat_s || exp_s - iat_s > ASSERTION_LIFE_S) {
		return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.";
	}
	return NULL;
}

/* Checks the assertion; the account, or NULL with reason and detail set. */
static const struct google_account *check_assertion(
	const struct oauth *o, struct exchange *x, const struct jws *j)
{
	struct verdict *v = &x->verdict;
	const struct json *head = json_root(j->head);
	const struct json *claims = json_root(j->claims);
	const struct google_account *account = credentials_google(
		o->credentials, json_text(json_get(claims, "iss")));
	const struct json *kid = json_get(head, "kid");

	v->reason = "invalid_grant";
	if (account == NULL) {
		v->detail = "Invalid grant: account not found";
		return NULL;
	}
	if ((kid != NULL && !json_is_text(kid, account->kid)) ||
		!jws_is_rs256_by(j, account->key)) {
		v->detail = "Invalid JWT Signature.";
		return NULL;
	}
	if (!is_audience(x, account, json_text(json_get(claims, "aud")))) {
		v->detail = "Invalid JWT: Failed audience check.";
		return NULL;
	}
	v->detail = time_problem(claims, x->now_unix_ms / 1000);
	if (v->detail != NULL) {
		return NULL;
	}
	if (!has_scope(json_text(json_get(claims, "scope")))) {
		v->reason = "invalid_scope";
		v->detail =
			"Invalid OAuth scope or ID token audience provided.";
		return NULL;
	}
	return account;
}

static const struct google_account *check_form(
	const struct oauth *o, struct exchange *x)
{
	struct verdict *v = &x->verdict;
	struct span form = { x->body.len > 0 ? x->body.data : "", x->body.len };
	const struct google_account *account = NULL;
	struct buf text;
	struct jws j;

	v->reason = "invalid_request";
	v->detail = "Missing parameters.";
	if (!starts_with(exchange_field(x, FIELD_CONTENT_TYPE),
		    "application/x-www-form-urlencoded") ||
		buf_is_over(&x->body)) {
		return NULL;
	}
	const char *problem = grant_type_problem(form);
	if (problem != NULL) {
		v->reason = problem;
		v->detail = "Invalid grant_type.";
		return NULL;
	}
	buf_init(&text, BODY_MAX_BYTES);
	v->reason = "invalid_grant";
	v->detail = "Invalid JWT: malformed.";
	if (decode(&text, form_member(form, "assertion"))) {
		if (jws_parse(&j, (struct span){ text.data, text.len }) == 0) {
			account = check_assertion(o, x, &j);
		}
		jws_release(&j);
	}
	buf_release(&text);
	return account;
}

/* A new access token for `account'; the oldest one goes. */
static struct grant *grant_new(
	struct oauth *o, const struct google_account *account)
{
	struct grant *g = &o->grants[o->granted % GRANTS_MAX];
	unsigned char r[8];

	if (RAND_bytes(r, sizeof(r)) != 1 ||
		fmt_into(g->text, sizeof(g->text),
			"ya29.mock-%02x%02x%02x%02x%02x%02x%02x%02x-%llu", r[0],
			r[1], r[2], r[3], r[4], r[5], r[6], r[7],
			(unsigned long long)o->granted) != 0) {
		BUG("no access token could be made");
	}
	o->granted++;
	g->account = account;
	g->until_unix_ms = clock_unix_ms() + o->life_s * 1000;
	return g;
}

static void judge(void *self, struct exchange *x)
{
	struct oauth *o = self;
	struct verdict *v = &x->verdict;
	const struct google_account *account = NULL;

	if (!span_is(exchange_field(x, FIELD_PATH), "/token") ||
		!span_is(exchange_field(x, FIELD_METHOD), "POST")) {
		v->is_html = true;
		exchange_refuse(x, 404, NULL);
		return;
	}
	if (!x->is_early) {
		account = check_form(o, x);
	}
	if (account == NULL) {
		v->status = 400;
		return;
	}
	v->status = 200;
	v->reason = NULL;
	v->topic = span_of(account->email);
}

static void format(void *self, struct exchange *x)
{
	struct oauth *o = self;
	const struct verdict *v = &x->verdict;
	struct buf *b = &x->answer;

	x->answer_type = "application/json; charset=UTF-8";
	if (v->is_html) {
		x->answer_type = "text/html; charset=UTF-8";
		buf_text(b, "<!DOCTYPE html><title>Error</title>\n");
		return;
	}
	buf_putc(b, '{');
	if (v->status == 200) {
		const struct google_account *account =
			credentials_google(o->credentials, v->topic);
		const struct grant *g = grant_new(o, account);
		json_put_member(b, "access_token", span_of(g->text));
		json_put_int(b, "expires_in", o->life_s);
		json_put_member(b, "token_type", span_of("Bearer"));
	} else {
		json_put_member(b, "error",
			span_of(v->reason == NULL ? "internal_failure"
						  : v->reason));
		json_put_member(b, "error_description",
			span_of(v->detail == NULL ? "" : v->detail));
	}
	buf_putc(b, '}');
}

struct oauth *oauth_new(const struct credentials *credentials, int64_t life_s)
{
	struct oauth *o = mem_array(1, sizeof(*o));

	o->credentials = credentials;
	o->life_s = life_s;
	return o;
}

void oauth_free(struct oauth *o)
{
	mem_free(o);
}

struct vendor oauth_vendor(struct oauth *o)
{
	return (struct vendor){
		.id = VENDOR_OAUTH,
		.hosts = " oauth2.googleapis.com ",
		.self = o,
		.stream_limit = 100,
		.tells_date = true,
		.speaks_plain = true,
		.judge = judge,
		.format = format,
	};
}
