/*
 * Connecting, TLS, the greeting, and the words for what Redis refuses.  Kept to
 * what hiredis 0.14 and 1.2 have in common; TLS only where hiredis has it.
 */
#include "net/redis_link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/time.h>

#include <hiredis/hiredis.h>
#ifdef HAVE_HIREDIS_SSL
#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

#include "base/buf.h"
#include "base/num.h"

enum { PASSWORD_MAX_BYTES = 4096, MS_PER_S = 1000 };

/* --- errors in plain words --- */

/* Redis' error codes (the first word of the answer), from redis.io "Redis
 * serialization protocol" and the texts in the server, read 2026-11. */
static const struct {
	const char *code;
	const char *words;
	bool is_usage;
	bool is_elsewhere; /* another connection may reach a better server */
} words[] = {
	{ "OOM", "out of memory (maxmemory is reached)", false, false },
	{ "READONLY", "is a read-only replica", false, true },
	{ "LOADING", "is still loading its data", false, false },
	{ "MASTERDOWN", "has lost its primary", false, true },
	{ "MISCONF", "refuses writes because it cannot save to disk", false,
		false },
	{ "NOREPLICAS", "refuses writes because replicas are missing", false,
		false },
	{ "BUSY", "is busy with a long script", false, false },
	{ "CLUSTERDOWN", "is part of a cluster that is down", false, true },
	{ "TRYAGAIN", "is part of a cluster that is moving these keys", false,
		false },
	{ "MOVED",
		"is part of a cluster and the key is on another node (give a "
		"redis+cluster:// URL)",
		false, true },
	{ "NOAUTH", "wants a password", true, false },
	{ "WRONGPASS", "refuses the user name or password", true, false },
	{ "NOPERM", "does not permit this to our user", true, false },
	{ "WRONGTYPE", "has another kind of data under this name", true,
		false },
};

int redis_link_explain(
	const char *name, const char *text, bool *is_elsewhere, struct err *err)
{
	size_t code_len = strcspn(text, " ");

	if (is_elsewhere != NULL) {
		*is_elsewhere = false;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strlen(words[i].code) != code_len ||
			memcmp(text, words[i].code, code_len) != 0) {
			continue;
		}
		if (is_elsewhere != NULL) {
			*is_elsewhere = words[i].is_elsewhere;
		}
		return words[i].is_usage ? err_usage(err, 0, "%s: %s: %s", name,
						   words[i].words, text)
					 : err_set(err, 0, "%s: %s: %s", name,
						   words[i].words, text);
	}
	return err_set(err, 0, "%s: %s", name, text);
}

int redis_link_lost(const struct redisContext *c, const char *name,
	int64_t timeout_ms, struct err *err)
{
	int errnum = errno;

	if (c->err == REDIS_ERR_IO &&
		(errnum == EAGAIN || errnum == EWOULDBLOCK)) {
		return err_set(err, 0, "%s: no answer within %lld ms", name,
			(long long)timeout_ms);
	}
	return err_set(err, 0, "%s: connection lost: %s", name, c->errstr);
}

/* --- TLS --- */

#ifdef HAVE_HIREDIS_SSL
static int tls_context(
	const struct redis_url *u, SSL_CTX **out, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	*out = ctx;
	if (ctx == NULL ||
		SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
		return err_set(err, 0, "cannot set up TLS");
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (u->ca_file != NULL ? SSL_CTX_load_verify_locations(
					 ctx, u->ca_file, NULL) != 1
			       : SSL_CTX_set_default_verify_paths(ctx) != 1) {
		return err_usage(err, 0, "cannot read the certificates of '%s'",
			u->ca_file != NULL ? u->ca_file : "the system");
	}
	if (u->cert_file != NULL &&
		(SSL_CTX_use_certificate_chain_file(ctx, u->cert_file) != 1 ||
			SSL_CTX_use_PrivateKey_file(
				ctx, u->key_file, SSL_FILETYPE_PEM) != 1)) {
		return err_usage(err, 0,
			"cannot use the certificate '%s' with the key '%s'",
			u->cert_file, u->key_file);
	}
	return 0;
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 ||
	       inet_pton(AF_INET6, host, bytes) == 1;
}

/* The certificate must be for the host that we were told. */
static int tls_expect(SSL *ssl, const char *host)
{
	return is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(
					  SSL_get0_param(ssl), host)
				: SSL_set1_host(ssl, host) &&
					  SSL_set_tlsext_host_name(ssl, host);
}

static int start_tls(const struct redis_url *u, redisContext *c,
	const struct redis_place *place, struct err *err)
{
	SSL_CTX *ctx = NULL;
	SSL *ssl = NULL;
	int failed = tls_context(u, &ctx, err);

	if (failed == 0) {
		ssl = SSL_new(ctx);
		failed = ssl != NULL && tls_expect(ssl, place->host) == 1
				 ? 0
				 : err_set(err, 0, "%s: cannot set up TLS",
					   place->name);
	}
	SSL_CTX_free(ctx); /* `ssl' has its share */
	ERR_clear_error();
	if (failed == 0 && redisInitiateSSL(c, ssl) != REDIS_OK) {
		long verdict = SSL_get_verify_result(ssl);

		failed = err_set(err, 0, "%s: no TLS: %s", place->name,
			verdict == X509_V_OK
				? c->errstr
				: X509_verify_cert_error_string(verdict));
	} else if (failed == 0) {
		return 0; /* `ssl' belongs to `c' now */
	}
	SSL_free(ssl);
	return failed;
}
#else
static int start_tls(const struct redis_url *u, redisContext *c,
	const struct redis_place *place, struct err *err)
{
	(void)u;
	(void)c;
	return err_usage(err, 0, "%s: no TLS in this build", place->name);
}
#endif

/* --- greeting --- */

struct greeting {
	const struct redis_url *url;
	const struct redis_place *place;
	int64_t timeout_ms;
	redisContext *context;
};

/* One command of the greeting; nothing else is on its way. */
static int greet(
	struct greeting *g, int argc, const char **argv, struct err *err)
{
	redisReply *reply = redisCommandArgv(g->context, argc, argv, NULL);
	int failed = 0;

	if (reply == NULL) {
		return redis_link_lost(
			g->context, g->place->name, g->timeout_ms, err);
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		failed = redis_link_explain(
			g->place->name, reply->str, NULL, err);
	}
	freeReplyObject(reply);
	return failed;
}

static int read_password(struct buf *file, const char *path, struct err *err)
{
	if (buf_read_file(file, path, err) != 0) {
		err->is_usage = true;
		return -1;
	}
	while (file->len > 0 && (file->data[file->len - 1] == '\n' ||
					file->data[file->len - 1] == '\r')) {
		buf_cut(file, file->len - 1);
	}
	return 0;
}

static int greet_password(struct greeting *g, struct err *err)
{
	const struct redis_url *u = g->url;
	bool is_sentinel = g->place->is_sentinel;
	const char *user = is_sentinel ? u->sentinel_user : u->user;
	const char *path =
		is_sentinel ? u->sentinel_password_file : u->password_file;
	const char *password = is_sentinel ? NULL : u->password;
	struct buf file;
	int failed = 0;

	buf_init(&file, PASSWORD_MAX_BYTES);
	if (path != NULL) {
		failed = read_password(&file, path, err);
		password = buf_string(&file);
	}
	if (failed == 0 && password != NULL && user != NULL) {
		failed = greet(
			g, 3, (const char *[]){ "AUTH", user, password }, err);
	} else if (failed == 0 && password != NULL) {
		failed = greet(g, 2, (const char *[]){ "AUTH", password }, err);
	}
	buf_release(&file);
	return failed;
}

static int greet_all(struct greeting *g, struct err *err)
{
	char db[21] = "";

	if (greet_password(g, err) != 0) {
		return -1;
	}
	/* Behind the first answer nothing of the handshake is on its way, so a
	 * readable descriptor means an answer from here on. */
	if (g->url->is_tls &&
		greet(g, 1, (const char *[]){ "PING" }, err) != 0) {
		return -1;
	}
	db[num_format_u64(db, (uint64_t)g->url->db)] = '\0';
	return g->url->db == 0 || g->place->is_sentinel
		       ? 0
		       : greet(g, 2, (const char *[]){ "SELECT", db }, err);
}

/* --- connecting --- */

static int set_up(struct greeting *g, struct timeval limit, struct err *err)
{
	redisContext *c = g->context;
	const char *name = g->place->name;

	if (c->err != 0) {
		return err_set(
			err, 0, "%s: cannot connect: %s", name, c->errstr);
	}
	if (fcntl(c->fd, F_SETFD, FD_CLOEXEC) != 0 ||
		redisSetTimeout(c, limit) != REDIS_OK) {
		return err_set(err, errno, "%s: cannot set up", name);
	}
	if (g->place->host != NULL && redisEnableKeepAlive(c) != REDIS_OK) {
		return err_set(
			err, 0, "%s: cannot set up: %s", name, c->errstr);
	}
	if (g->url->is_tls && start_tls(g->url, c, g->place, err) != 0) {
		return -1;
	}
	return greet_all(g, err);
}

struct redisContext *redis_link_open(const struct redis_url *u,
	const struct redis_place *place, int64_t timeout_ms, struct err *err)
{
	const struct timeval limit = { timeout_ms / MS_PER_S,
		timeout_ms % MS_PER_S * 1000 };
	struct greeting g = { u, place, timeout_ms, NULL };

	g.context = place->host == NULL
			    ? redisConnectUnixWithTimeout(u->path, limit)
			    : redisConnectWithTimeout(
				      place->host, place->port, limit);
	if (g.context == NULL) {
		(void)err_set(err, ENOMEM, "%s", place->name);
		return NULL;
	}
	if (set_up(&g, limit, err) != 0) {
		redisFree(g.context);
		return NULL;
	}
	return g.context;
}
