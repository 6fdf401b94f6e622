/*
 * What the engine needs to know of Apple: which records are its, and which of two
 * endpoints a token belongs to.  An app's settings are in apns_account, the
 * protocol itself is in wire/apns.
 */
#include "vendor/apns.h"

#include "vendor/apns_account.h"
#include "wire/apns.h"

static void account_free(void *self)
{
	apns_account_free(self);
}

static void *account_new(
	const struct conf *conf, const struct json *settings, struct err *err)
{
	return apns_account_new(conf, settings, err);
}

static void account_identity(const void *self, struct buf *out)
{
	apns_account_identity(self, out);
}

static const struct identity *certificate(const void *self)
{
	const struct apns_account *a = self;

	return a->identity;
}

static bool takes(const struct record *r)
{
	return r->platform == PLATFORM_IOS ||
	       (r->device == NULL && r->channel.ptr != NULL);
}

static size_t endpoint(const void *self, const struct record *r)
{
	const struct apns_account *a = self;
	const struct json *name = json_get(r->device, "environment");

	if (name == NULL) {
		return a->is_sandbox ? APNS_SANDBOX : APNS_PRODUCTION;
	}
	return json_is_text(name, "sandbox") ? APNS_SANDBOX : APNS_PRODUCTION;
}

static bool tries_other(const void *self)
{
	const struct apns_account *a = self;

	return a->tries_other;
}

static bool drops_ambiguous(const void *self)
{
	const struct apns_account *a = self;

	return a->drops_ambiguous;
}

static enum reason build(const void *self, const struct record *r,
	struct request *req, const char **why)
{
	const struct apns_account *a = self;

	const struct apns_terms terms = { span_of(a->topic), a->shortens,
		a->identity != NULL };

	return apns_build(r, &terms, req, why);
}

static int token(const void *self, int64_t now_unix_ms, struct buf *out,
	int64_t *renew_unix_ms, struct err *err)
{
	const struct apns_account *a = self;

	*renew_unix_ms = (apns_token_issued_s(now_unix_ms) + APNS_GRID_S +
				 APNS_GRID_SHIFT_S) *
			 1000;
	return apns_token(a->key, span_of(a->key_id), span_of(a->team_id),
		now_unix_ms, out, err);
}

const struct vendor vendor_apns = {
	.name = "apns",
	.takes = takes,
	.account_new = account_new,
	.account_free = account_free,
	.account_identity = account_identity,
	.certificate = certificate,
	.endpoint = endpoint,
	.tries_other = tries_other,
	.drops_ambiguous = drops_ambiguous,
	.endpoint_names = { [APNS_PRODUCTION] = "production",
		[APNS_SANDBOX] = "sandbox" },
	.build = build,
	.classify = apns_classify,
	.goaway = apns_goaway_row,
	.retry_floor_ms = 1000, /* [A-err] wants backoff after 5xx; ours */
	.token_scheme = "bearer ",
	.token = token,
	.is_token_bound = true,
};
