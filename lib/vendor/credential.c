/*
 * The table of apps and credentials, and the life of a bearer token.
 *
 * A token that is made here is made when it is due.  One that is fetched is
 * fetched by one call at a time, while the old one is shown as long as it is
 * valid; failures are tried again with backoff.
 */
#include "vendor/credential.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/identity.h"
#include "vendor/backoff.h"
#include "vendor/pool.h"
#include "vendor/skew.h"

enum {
	TOKEN_MAX_BYTES = 8 * 1024,
	IDENTITY_MAX_BYTES = 128 * 1024,
	FORM_MAX_BYTES = 16 * 1024,
	FETCH_TIMEOUT_MS = 10 * 1000,
	RENEW_AT_PERCENT = 85,        /* of the life of a fetched token */
	END_MARGIN_MS = 30 * 1000,    /* not shown so shortly before its end */
	REFUSED_PAUSE_MS = 60 * 1000, /* a refused credential is tried again */
};

struct credentials {
	struct credentials_setup setup;
	struct app **apps; /* owned, sorted by name */
	size_t app_count;
	struct credential *first; /* owned */
};

/* --- tokens --- */

static struct token *token_new(const char *scheme, struct span secret)
{
	const size_t head = strlen(scheme);
	struct token *t = mem_alloc(sizeof(*t) + head + secret.len);
	char *text = (char *)(t + 1);

	memcpy(text, scheme, head);
	memcpy(text + head, secret.ptr, secret.len);
	t->refs = 1;
	t->text = (struct span){ text, head + secret.len };
	return t;
}

struct token *token_hold(struct token *t)
{
	if (t != NULL) {
		t->refs++;
	}
	return t;
}

void token_release(struct token *t)
{
	if (t != NULL && --t->refs == 0) {
		mem_free(t);
	}
}

static void credential_set_token(
	struct credential *c, struct span secret, int64_t now_unix_ms)
{
	token_release(c->token);
	c->token = token_new(c->all->setup.vendor->token_scheme, secret);
	c->token_made_unix_ms = now_unix_ms;
	c->failures = 0;
	c->is_refused = false;
}

static void credential_fail(
	struct credential *c, const struct err *err, int64_t now_mono_ms)
{
	c->failures++;
	c->is_refused = err->is_usage;
	c->next_try_mono_ms =
		now_mono_ms +
		(c->is_refused ? REFUSED_PAUSE_MS : backoff_ms(c->failures));
	log_error("%s: no token: %s", c->all->setup.vendor->name, err->text);
}

static void credential_make(
	struct credential *c, int64_t now_unix_ms, int64_t now_mono_ms)
{
	const struct vendor *v = c->all->setup.vendor;
	struct err err = { 0 };
	struct buf text;

	buf_init(&text, TOKEN_MAX_BYTES);
	if (v->token(c->account, now_unix_ms, &text, &c->token_renew_unix_ms,
		    &err) != 0) {
		credential_fail(c, &err, now_mono_ms);
	} else {
		c->token_end_unix_ms = INT64_MAX; /* replaced when due */
		credential_set_token(
			c, (struct span){ text.data, text.len }, now_unix_ms);
	}
	buf_release(&text);
}

static void credential_on_answer(void *self, const struct http_answer *a)
{
	struct credential *c = self;
	const struct credentials_setup *setup = &c->all->setup;
	int64_t now_unix_ms = clock_unix_ms();
	struct err err = { 0 };
	struct buf text;
	int64_t life_s = 0;

	c->call = NULL;
	skew_note(setup->skew, a->header, now_unix_ms);
	buf_init(&text, TOKEN_MAX_BYTES);
	if (a->status == 0) {
		(void)err_set(&err, 0, "cannot reach the token endpoint: %s",
			a->error);
		credential_fail(c, &err, clock_mono_ms());
	} else if (setup->vendor->token_parse(
			   a->status, a->body, &text, &life_s, &err) != 0) {
		credential_fail(c, &err, clock_mono_ms());
	} else {
		credential_set_token(
			c, (struct span){ text.data, text.len }, now_unix_ms);
		c->token_renew_unix_ms =
			now_unix_ms + life_s * 10 * RENEW_AT_PERCENT;
		c->token_end_unix_ms =
			now_unix_ms + life_s * 1000 - END_MARGIN_MS;
		if (c->token_end_unix_ms < c->token_renew_unix_ms) {
			c->token_end_unix_ms = c->token_renew_unix_ms;
		}
		log_debug("%s: new access token for %lld s",
			setup->vendor->name, (long long)life_s);
	}
	buf_release(&text);
	setup->on_token(setup->self, c);
}

static void credential_fetch(
	struct credential *c, int64_t now_unix_ms, int64_t now_mono_ms)
{
	const struct credentials_setup *setup = &c->all->setup;
	struct err err = { 0 };
	struct buf form;

	buf_init(&form, FORM_MAX_BYTES);
	if (setup->vendor->token_request(
		    c->account, now_unix_ms, &form, &err) != 0) {
		credential_fail(c, &err, now_mono_ms);
	} else {
		const struct http_ask ask = {
			.url = setup->token_url != NULL
				       ? setup->token_url
				       : setup->vendor->token_url(c->account),
			.headers = { "content-type: "
				     "application/x-www-form-urlencoded" },
			.body = { form.data, form.len },
			.ca_file = setup->ca_file,
			.header = "date",
			.timeout_ms = FETCH_TIMEOUT_MS,
		};

		c->call = http_post(setup->http, &ask, credential_on_answer, c);
	}
	buf_release(&form);
}

const char *credential_app_name(const struct credential *c)
{
	for (size_t i = 0; i < c->all->app_count; i++) {
		if (c->all->apps[i]->credential == c) {
			return c->all->apps[i]->name;
		}
	}
	return "?";
}

/* A certificate needs no token, but ends. */
static enum token_state credential_certificate(
	struct credential *c, int64_t now_unix_ms, int64_t now_mono_ms)
{
	if (now_unix_ms < c->certificate_end_unix_ms) {
		return TOKEN_READY;
	}
	if (now_mono_ms >= c->next_try_mono_ms) {
		c->next_try_mono_ms = now_mono_ms + REFUSED_PAUSE_MS;
		log_error("%s: the certificate of app '%s' has ended",
			c->all->setup.vendor->name, credential_app_name(c));
	}
	return TOKEN_REFUSED;
}

enum token_state credential_token(
	struct credential *c, int64_t now_unix_ms, int64_t now_mono_ms)
{
	bool is_due = c->token == NULL ||
		      now_unix_ms >= c->token_renew_unix_ms ||
		      /* the clock was set back */
		      now_unix_ms < c->token_made_unix_ms;

	if (c->certificate != NULL) {
		return credential_certificate(c, now_unix_ms, now_mono_ms);
	}
	if (is_due && c->call == NULL &&
		(c->failures == 0 || now_mono_ms >= c->next_try_mono_ms)) {
		if (c->all->setup.vendor->token != NULL) {
			credential_make(c, now_unix_ms, now_mono_ms);
		} else {
			credential_fetch(c, now_unix_ms, now_mono_ms);
		}
	}
	if (c->token != NULL && now_unix_ms < c->token_end_unix_ms) {
		return TOKEN_READY;
	}
	if (c->call != NULL && c->failures == 0) {
		return TOKEN_COMING;
	}
	return c->is_refused ? TOKEN_REFUSED : TOKEN_FAILING;
}

void credential_blame_clock(const struct credential *c, const char *app)
{
	int64_t age_s = (clock_unix_ms() - c->token_made_unix_ms) / 1000;

	log_error("%s: the token of app '%s' is refused as too old %lld s "
		  "after it was made: this host's clock is wrong",
		c->all->setup.vendor->name, app, (long long)age_s);
}

void credential_drop_token(struct credential *c, const struct token *t)
{
	if (c->token != NULL && c->token == t) {
		token_release(c->token);
		c->token = NULL;
	}
}

/* --- apps and credentials --- */

struct app *app_hold(struct app *a)
{
	a->refs++;
	return a;
}

void app_release(struct credentials *all, struct app *a)
{
	if (a == NULL || --a->refs > 0) {
		return;
	}
	if (a->credential != NULL) {
		a->credential->refs--;
	}
	if (a->account != NULL) {
		all->setup.vendor->account_free(a->account);
	}
	mem_free(a->name);
	mem_free(a);
}

static void credential_free(struct credential *c)
{
	for (size_t i = 0; i < VENDOR_ENDPOINTS_MAX; i++) {
		pool_free(c->pools[i]);
	}
	http_cancel(c->call);
	token_release(c->token);
	c->all->setup.vendor->account_free(c->account);
	mem_free(c);
}

static struct credential *credentials_find(
	const struct credentials *all, const struct digest *identity)
{
	for (struct credential *c = all->first; c != NULL; c = c->next) {
		if (memcmp(&c->identity, identity, sizeof(*identity)) == 0) {
			return c;
		}
	}
	return NULL;
}

static void credential_set_certificate(struct credential *c)
{
	const struct vendor *v = c->all->setup.vendor;

	if (v->certificate != NULL) {
		c->certificate = v->certificate(c->account);
	}
	if (c->certificate != NULL) {
		c->certificate_end_unix_ms =
			identity_end_unix_ms(c->certificate);
	}
}

/* The credential of an account, an old one if there is; -1 only when it cannot
 * be read a second time. */
static int app_join(struct credentials *all, struct app *a,
	const struct conf *conf, const struct json *settings, struct err *err)
{
	const struct vendor *v = all->setup.vendor;
	struct digest identity;
	struct credential *c;
	struct buf text;

	buf_init(&text, IDENTITY_MAX_BYTES);
	v->account_identity(a->account, &text);
	identity = digest_of(text.data, text.len);
	buf_release(&text);

	c = credentials_find(all, &identity);
	if (c == NULL) {
		void *account = v->account_new(conf, settings, err);

		if (account == NULL) {
			return -1;
		}
		c = mem_array(1, sizeof(*c));
		c->all = all;
		c->identity = identity;
		c->account = account;
		credential_set_certificate(c);
		c->next = all->first;
		all->first = c;
	}
	c->refs++;
	a->credential = c;
	return 0;
}

static struct app *app_new(struct credentials *all, struct span name,
	const struct conf *conf, const struct json *settings, struct err *err)
{
	struct app *a = mem_array(1, sizeof(*a));

	a->refs = 1;
	a->name = mem_dup(name.ptr, name.len);
	if (settings == NULL) {
		return a;
	}
	a->account = all->setup.vendor->account_new(conf, settings, err);
	if (a->account == NULL || app_join(all, a, conf, settings, err) != 0) {
		(void)err_prefix(
			err, "app '%s': %s", a->name, all->setup.vendor->name);
		app_release(all, a);
		return NULL;
	}
	return a;
}

static int app_compare(const void *a, const void *b)
{
	return strcmp((*(struct app *const *)a)->name,
		(*(struct app *const *)b)->name);
}

static void apps_release(
	struct credentials *all, struct app **apps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		app_release(all, apps[i]);
	}
	mem_free(apps);
}

int credentials_load(
	struct credentials *all, const struct conf *conf, struct err *err)
{
	const struct json *list = conf_at(conf, "apps");
	struct json_iter it = json_iter(list);
	struct app **apps =
		mem_array(json_count(list) + 1, sizeof(struct app *));
	const struct json *item;
	size_t count = 0;

	while ((item = json_next(&it)) != NULL) {
		apps[count] = app_new(all, it.name, conf,
			json_get(item, all->setup.vendor->name), err);
		if (apps[count] == NULL) {
			apps_release(all, apps, count);
			credentials_sweep(all);
			return -1;
		}
		count++;
	}
	qsort(apps, count, sizeof(struct app *), app_compare);
	apps_release(all, all->apps, all->app_count);
	all->apps = apps;
	all->app_count = count;
	return 0;
}

void credentials_set_token_url(struct credentials *all, const char *url)
{
	all->setup.token_url = url;
}

struct app *credentials_app(const struct credentials *all, struct span name)
{
	size_t low = 0;
	size_t high = all->app_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct app *a = all->apps[middle];
		size_t len = strlen(a->name);
		int order = memcmp(
			name.ptr, a->name, name.len < len ? name.len : len);

		if (order == 0) {
			order = (name.len > len) - (name.len < len);
		}
		if (order == 0) {
			return a;
		}
		if (order < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return NULL;
}

struct credential *credentials_first(const struct credentials *all)
{
	return all->first;
}

void credentials_sweep(struct credentials *all)
{
	struct credential **at = &all->first;

	while (*at != NULL) {
		struct credential *c = *at;

		if (c->refs > 0) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		credential_free(c);
	}
}

struct credentials *credentials_new(const struct credentials_setup *setup)
{
	struct credentials *all = mem_array(1, sizeof(*all));

	all->setup = *setup;
	return all;
}

void credentials_free(struct credentials *all)
{
	if (all == NULL) {
		return;
	}
	apps_release(all, all->apps, all->app_count);
	credentials_sweep(all);
	if (all->first != NULL) {
		BUG("a credential is still held");
	}
	mem_free(all);
}
