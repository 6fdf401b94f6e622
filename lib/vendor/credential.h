/*
 * What the apps send with: their accounts, which of these are one credential,
 * and each credential's bearer token, made here or fetched.
 *
 * Apps and credentials are counted, because a notification in flight outlives a
 * reload of the configuration.
 */
#ifndef PUSH_VENDOR_CREDENTIAL_H
#define PUSH_VENDOR_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"
#include "record/conf.h"
#include "vendor/vendor.h"

struct http;
struct http_call;
struct identity;
struct pool;
struct skew;

/* The value of an authorization field; lives while somebody counts it. */
struct token {
	unsigned refs;
	struct span text; /* borrowed from the bytes behind this struct */
};

struct token *token_hold(struct token *t); /* accepts NULL */
void token_release(struct token *t);       /* accepts NULL */

struct credentials;

struct credential {
	struct credentials *all;
	struct credential *next;
	unsigned refs; /* apps; freed by credentials_sweep() when 0 */
	struct digest identity;
	void *account; /* owned */

	/* The account's certificate, which takes the place of a token; or NULL. */
	const struct identity *certificate;
	int64_t certificate_end_unix_ms;

	struct token *token; /* counted; NULL: none yet, or none is needed */
	int64_t token_made_unix_ms;
	int64_t token_renew_unix_ms;
	int64_t token_end_unix_ms; /* not shown any more from then on */

	struct http_call *call; /* fetching, else NULL */
	int failures;           /* to make or fetch one, in a row */
	bool is_refused;        /* the last failure was final */
	int64_t next_try_mono_ms;

	int64_t held_mono_ms; /* the vendor wants nothing before this */

	struct pool
		*pools[VENDOR_ENDPOINTS_MAX]; /* owned; NULL: not used yet */
};

struct app {
	unsigned refs;
	char *name;    /* owned */
	void *account; /* owned; NULL: nothing with this vendor */
	struct credential *credential; /* counted; NULL with account */
};

struct app *app_hold(struct app *a);
void app_release(struct credentials *all, struct app *a); /* accepts NULL */

struct credentials_setup {
	const struct vendor *vendor;
	struct loop *loop;
	struct http *http;     /* for vendors whose token is fetched */
	const char *token_url; /* instead of the account's; or NULL */
	const char *ca_file;   /* or NULL */
	struct skew *skew;     /* of the vendor's clock */
	/* A token has come, or could not be had. */
	void (*on_token)(void *self, struct credential *c);
	void *self;
};

/* The texts are borrowed for as long as it lives. */
struct credentials *credentials_new(const struct credentials_setup *setup);
/* No app may be held by others.  Accepts NULL. */
void credentials_free(struct credentials *all);

/* Takes the apps over from `conf'; what did not change keeps its token and
 * connections.  -1, with everything as it was, when a file is wrong. */
int credentials_load(struct credentials *all, const struct conf *conf,
	struct err *err) MUST_CHECK;

/* Another token endpoint, or NULL; borrowed for as long as it lives. */
void credentials_set_token_url(struct credentials *all, const char *url);

/* NULL when the configuration has no such app; borrowed until the next load. */
struct app *credentials_app(const struct credentials *all, struct span name);

/* Frees the credentials that nobody has any more. */
void credentials_sweep(struct credentials *all);

struct credential *credentials_first(const struct credentials *all);

/* The first app that sends with it, to be named to a person; "?": none does any
 * more.  Borrowed until the next load. */
const char *credential_app_name(const struct credential *c);

/* Appends `,"credentials":[...]': of each its app, connections, token age and so
 * on. */
void credentials_count(const struct credentials *all, struct buf *json);

enum token_state {
	TOKEN_READY,
	TOKEN_COMING,  /* on_token will tell */
	TOKEN_FAILING, /* again later; see next_try_mono_ms */
	TOKEN_REFUSED, /* a person must change something */
};

/* The token for now: makes, fetches or renews one as needed. */
enum token_state credential_token(
	struct credential *c, int64_t now_unix_ms, int64_t now_mono_ms);

/* Says in the log what it means that a token made here is refused as too old
 * while it is the present one. */
void credential_blame_clock(const struct credential *c, const char *app);

/* The vendor does not want this token any more; nothing happens when it is not
 * the present one. */
void credential_drop_token(struct credential *c, const struct token *t);

#endif
