/*
 * Opens a connection with libcurl's CONNECT_ONLY and hands its bytes out.
 *
 * Each connection has a multi handle of its own: a later connect in a shared
 * one would go through libcurl's pool and may take ours for an idle one to be
 * pruned.  libcurl's own ALPN is off and ours is put into the TLS context
 * directly, since otherwise libcurl would speak HTTP/2 on it itself.
 *
 * Sessions are not resumed: connections live for hours, and libcurl, which does
 * not know our certificates, would not keep the sessions of two of them apart.
 */
#include "net/tls.h"

#include <string.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "net/identity.h"
#include "net/multi.h"

enum {
	READ_AHEAD_BYTES = 17 * 1024, /* a full TLS record */
	CURL_BYTES = 1024,            /* of libcurl's own reading: none */
};

struct tls {
	struct multi *multi; /* owned */
	CURL *easy;          /* owned */
	int fd;              /* libcurl's; -1 until open */
	bool has_h2;         /* what the server chose */
	const struct identity *identity;
	tls_open_cb *on_open;
	void *self;
	char error[CURL_ERROR_SIZE]; /* libcurl's words */
};

/* Where a TLS context keeps whose it is. */
static int tls_slot(void)
{
	static int slot = -1;

	if (slot < 0) {
		slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	}
	return slot;
}

/* OpenSSL: the handshake is through.  libcurl does not let one look at the
 * connection later. */
static void tls_on_state(const SSL *ssl, int where, int result)
{
	struct tls *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_slot());
	const unsigned char *name = NULL;
	unsigned len = 0;

	(void)result;
	if (t != NULL && (where & SSL_CB_HANDSHAKE_DONE) != 0) {
		SSL_get0_alpn_selected(ssl, &name, &len);
		t->has_h2 = len == 2 && memcmp(name, "h2", 2) == 0;
	}
}

static CURLcode tls_on_context(CURL *easy, void *context, void *self)
{
	static const unsigned char h2[] = { 2, 'h', '2' };
	const struct tls *t = self;

	(void)easy;
	if (SSL_CTX_set_alpn_protos(context, h2, sizeof(h2)) != 0 ||
		SSL_CTX_set_ex_data(context, tls_slot(), self) != 1 ||
		(t->identity != NULL &&
			identity_show(t->identity, context) != 0)) {
		return CURLE_SSL_CONNECT_ERROR;
	}
	SSL_CTX_set_info_callback(context, tls_on_state);
	/* One system call for what is there, not two for each TLS record. */
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD_BYTES);
	return CURLE_OK;
}

/* The socket, and whether the server speaks HTTP/2. */
static int tls_look(struct tls *t, struct err *err)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd) !=
			CURLE_OK ||
		fd == CURL_SOCKET_BAD) {
		return err_set(err, 0, "connection lost while opening");
	}
	if (!t->has_h2) {
		return err_set(err, 0, "server does not speak HTTP/2");
	}
	t->fd = fd;
	return 0;
}

static void tls_on_done(void *self, void *easy, int code)
{
	struct tls *t = self;
	struct err err = { 0 };

	(void)easy;
	if (code != CURLE_OK) {
		(void)err_set(&err, 0, "%s",
			t->error[0] != '\0'
				? t->error
				: curl_easy_strerror((CURLcode)code));
		t->on_open(t->self, &err);
		return;
	}
	t->on_open(t->self, tls_look(t, &err) == 0 ? NULL : &err);
}

/* Every option exists in the oldest libcurl we build with. */
#define SET(easy, option, value)                                 \
	if (curl_easy_setopt(easy, option, value) != CURLE_OK) { \
		BUG("libcurl does not know " #option);           \
	}

struct tls *tls_open(struct loop *l, const struct tls_target *target,
	tls_open_cb *on_open, void *self)
{
	struct tls *t = mem_array(1, sizeof(*t));

	t->fd = -1;
	t->on_open = on_open;
	t->self = self;
	t->identity = target->identity;
	t->multi = multi_new(l, tls_on_done);
	t->easy = curl_easy_init();
	if (t->easy == NULL) {
		BUG("libcurl gives no handle");
	}
	SET(t->easy, CURLOPT_URL, target->url);
	SET(t->easy, CURLOPT_PROTOCOLS_STR, "https");
	SET(t->easy, CURLOPT_CONNECT_ONLY, 1L);
	SET(t->easy, CURLOPT_NOSIGNAL, 1L);
	SET(t->easy, CURLOPT_BUFFERSIZE, (long)CURL_BYTES);
	SET(t->easy, CURLOPT_ERRORBUFFER, t->error);
	SET(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
		(long)target->connect_timeout_ms);
	/* Apple: resolve the name again for each connection. */
	SET(t->easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	SET(t->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(t->easy, CURLOPT_TCP_NODELAY, 1L);
	SET(t->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(t->easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
	SET(t->easy, CURLOPT_SSL_CTX_FUNCTION, tls_on_context);
	SET(t->easy, CURLOPT_SSL_CTX_DATA, t);
	if (target->ca_file != NULL) {
		SET(t->easy, CURLOPT_CAINFO, target->ca_file);
		SET(t->easy, CURLOPT_CAPATH, NULL);
	}
	multi_add(t->multi, t->easy, t);
	return t;
}

void tls_close(struct tls *t)
{
	if (t == NULL) {
		return;
	}
	multi_remove(t->multi, t->easy);
	curl_easy_cleanup(t->easy);
	multi_free(t->multi);
	mem_free(t);
}

int tls_fd(const struct tls *t)
{
	return t->fd;
}

/* What became of `count' bytes. */
static ssize_t moved(
	CURLcode code, size_t count, const char *what, struct err *err)
{
	if (code == CURLE_AGAIN) {
		return TLS_AGAIN;
	}
	if (code != CURLE_OK) {
		(void)err_set(err, 0, "cannot %s: %s", what,
			curl_easy_strerror(code));
		return TLS_LOST;
	}
	return (ssize_t)count;
}

ssize_t tls_read(struct tls *t, char *dst, size_t size, struct err *err)
{
	size_t count = 0;
	CURLcode code = curl_easy_recv(t->easy, dst, size, &count);

	return moved(code, count, "read", err);
}

ssize_t tls_write(struct tls *t, const char *ptr, size_t len, struct err *err)
{
	size_t count = 0;
	CURLcode code = curl_easy_send(t->easy, ptr, len, &count);

	return moved(code, count, "write", err);
}
