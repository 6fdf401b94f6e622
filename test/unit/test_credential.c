/* Apps, the credentials they share, and the life of a token made here. */
#include "test.h"

#include <stdint.h>

#include "base/log.h"
#include "vendor/credential.h"

/* A vendor whose account is a word, and whose tokens are numbered. */
static int made;
static int accounts;
static bool does_fail;
static bool is_final;

static void *fake_account_new(
	const struct conf *conf, const struct json *settings, struct err *err)
{
	struct span word = json_text(json_get(settings, "topic"));

	(void)conf;
	if (span_is(word, "bad")) {
		(void)err_usage(err, 0, "a bad word");
		return NULL;
	}
	accounts++;
	return mem_dup(word.ptr, word.len);
}

static void fake_account_free(void *account)
{
	accounts--;
	mem_free(account);
}

static void fake_identity(const void *account, struct buf *out)
{
	/* Only the first letter tells credentials apart. */
	buf_put(out, account, 1);
}

static int fake_token(const void *account, int64_t now_unix_ms, struct buf *out,
	int64_t *renew_unix_ms, struct err *err)
{
	(void)account;
	if (does_fail) {
		return is_final ? err_usage(err, 0, "no key")
				: err_set(err, 0, "no luck");
	}
	*renew_unix_ms = now_unix_ms + 1000;
	buf_fmt(out, "token%d", ++made);
	return 0;
}

static const struct vendor fake = {
	.name = "apns",
	.account_new = fake_account_new,
	.account_free = fake_account_free,
	.account_identity = fake_identity,
	.token_scheme = "bearer ",
	.token = fake_token,
};

static struct credentials *all;
static const struct credentials_setup setup = { .vendor = &fake };

static int load(const char *text, struct err *err)
{
	char path[] = "/tmp/push-test-XXXXXX";
	int fd = mkstemp(path);
	struct conf *conf = NULL;
	int result;

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
	CHECK(conf_load(&conf, path, err) == 0);
	(void)unlink(path);
	result = credentials_load(all, conf, err);
	conf_free(conf);
	return result;
}

static void begin(const char *text)
{
	struct err err = { 0 };

	log_open("test", NULL, LOG_TEXT, LOG_ERROR);
	made = 0;
	accounts = 0;
	does_fail = false;
	is_final = false;
	all = credentials_new(&setup);
	CHECK(load(text, &err) == 0);
}

static void end(void)
{
	credentials_free(all);
	CHECK(accounts == 0);
}

static struct credential *credential_of(const char *app)
{
	struct app *a = credentials_app(all, span_of(app));

	CHECK(a != NULL && a->credential != NULL);
	return a->credential;
}

#define ONE_APP "{\"apps\":{\"shop\":{\"apns\":{\"topic\":\"x.shop\"}}}}"

static void a_token_is_made_once_and_renewed_when_due(void)
{
	struct credential *c;

	begin(ONE_APP);
	c = credential_of("shop");
	CHECK(credential_token(c, 5000, 0) == TOKEN_READY);
	CHECK(span_is(c->token->text, "bearer token1"));
	CHECK(credential_token(c, 5999, 999) == TOKEN_READY && made == 1);
	CHECK(credential_token(c, 6000, 1000) == TOKEN_READY && made == 2);
	CHECK(span_is(c->token->text, "bearer token2"));
	end();
}

static void a_clock_that_is_set_back_makes_a_new_one(void)
{
	struct credential *c;

	begin(ONE_APP);
	c = credential_of("shop");
	CHECK(credential_token(c, 5000, 0) == TOKEN_READY);
	CHECK(credential_token(c, 1000, 1) == TOKEN_READY && made == 2);
	end();
}

static void a_token_lives_while_a_request_shows_it(void)
{
	struct credential *c;
	struct token *shown;

	begin(ONE_APP);
	c = credential_of("shop");
	CHECK(credential_token(c, 5000, 0) == TOKEN_READY);
	shown = c->token;
	shown->refs++;
	CHECK(credential_token(c, 6000, 0) == TOKEN_READY);
	CHECK(c->token != shown);
	CHECK(span_is(shown->text, "bearer token1"));
	/* The old one was refused, which says nothing of the new one. */
	credential_drop_token(c, shown);
	CHECK(c->token != NULL);
	credential_drop_token(c, c->token);
	CHECK(c->token == NULL);
	CHECK(credential_token(c, 6001, 0) == TOKEN_READY && made == 3);
	token_release(shown);
	end();
}

static void failures_are_tried_again_with_pauses(void)
{
	struct credential *c;

	begin(ONE_APP);
	c = credential_of("shop");
	does_fail = true;
	CHECK(credential_token(c, 5000, 100) == TOKEN_FAILING);
	CHECK(c->failures == 1 && c->next_try_mono_ms > 100);
	CHECK(credential_token(c, 5000, 101) == TOKEN_FAILING);
	CHECK(c->failures == 1); /* not yet */
	CHECK(credential_token(c, 5000, c->next_try_mono_ms) == TOKEN_FAILING);
	CHECK(c->failures == 2);
	is_final = true;
	CHECK(credential_token(c, 5000, c->next_try_mono_ms) == TOKEN_REFUSED);
	does_fail = false;
	CHECK(credential_token(c, 5000, c->next_try_mono_ms) == TOKEN_READY);
	CHECK(c->failures == 0);
	end();
}

static void a_valid_token_is_shown_while_its_renewal_fails(void)
{
	struct credential *c;

	begin(ONE_APP);
	c = credential_of("shop");
	CHECK(credential_token(c, 5000, 0) == TOKEN_READY);
	does_fail = true;
	CHECK(credential_token(c, 6000, 0) == TOKEN_READY);
	CHECK(span_is(c->token->text, "bearer token1") && c->failures == 1);
	end();
}

static void apps_are_found_by_their_whole_name(void)
{
	begin("{\"apps\":{\"shop\":{},\"a\":{},\"shop2\":{},\"sho\":{},\"z\":{}}}");
	CHECK(credentials_app(all, span_of("shop")) != NULL);
	CHECK(credentials_app(all, span_of("shop"))->account == NULL);
	CHECK(strcmp(credentials_app(all, span_of("sho"))->name, "sho") == 0);
	CHECK(credentials_app(all, span_of("z")) != NULL);
	CHECK(credentials_app(all, span_of("a")) != NULL);
	CHECK(credentials_app(all, span_of("sh")) == NULL);
	CHECK(credentials_app(all, span_of("shop22")) == NULL);
	CHECK(credentials_app(all, (struct span){ "", 0 }) == NULL);
	end();
}

static void a_reload_keeps_what_did_not_change(void)
{
	struct err err = { 0 };
	struct credential *c;
	struct credential *other;
	struct app *held;

	begin("{\"apps\":{\"shop\":{\"apns\":{\"topic\":\"x.shop\"}},"
	      "\"news\":{\"apns\":{\"topic\":\"x.news\"}},"
	      "\"game\":{\"apns\":{\"topic\":\"y.game\"}}}}");
	c = credential_of("shop");
	other = credential_of("game");
	CHECK(credential_of("news") == c && other != c);
	CHECK(credential_token(c, 5000, 0) == TOKEN_READY);
	held = app_hold(credentials_app(all, span_of("game")));
	CHECK(load("{\"apps\":{\"more\":{\"apns\":{\"topic\":\"x.more\"}}}}",
		      &err) == 0);
	credentials_sweep(all);
	CHECK(credential_of("more") == c && c->token != NULL);
	CHECK(credentials_app(all, span_of("shop")) == NULL);
	/* A notification in flight still has its own. */
	CHECK(held->credential == other && other->refs == 1);
	app_release(all, held);
	credentials_sweep(all);
	CHECK(credentials_first(all) == c && c->next == NULL);
	end();
}

static void a_wrong_reload_changes_nothing(void)
{
	struct err err = { 0 };
	struct credential *c;

	begin(ONE_APP);
	c = credential_of("shop");
	CHECK(load("{\"apps\":{\"new\":{\"apns\":{\"topic\":\"new\"}},"
		   "\"worse\":{\"apns\":{\"topic\":\"bad\"}}}}",
		      &err) == -1);
	CHECK(err.is_usage && strstr(err.text, "app 'worse'") != NULL);
	CHECK(credential_of("shop") == c);
	CHECK(credentials_app(all, span_of("new")) == NULL);
	CHECK(credentials_first(all) == c && c->next == NULL);
	end();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_token_is_made_once_and_renewed_when_due),
		TEST(a_clock_that_is_set_back_makes_a_new_one),
		TEST(a_token_lives_while_a_request_shows_it),
		TEST(failures_are_tried_again_with_pauses),
		TEST(a_valid_token_is_shown_while_its_renewal_fails),
		TEST(apps_are_found_by_their_whole_name),
		TEST(a_reload_keeps_what_did_not_change),
		TEST(a_wrong_reload_changes_nothing),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
