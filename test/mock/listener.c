/*
 * Ports and the TLS settings that all of them share.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "mock.h"

enum { BACKLOG = 1024, ACCEPTS_A_TURN = 64 };

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned int in_len, void *self)
{
	/* The first three bytes alone are HTTP/2 and nothing else. */
	static const unsigned char want[] = "\x02h2\x08http/1.1";
	unsigned want_len = connection_speaks_plain(ssl) ? sizeof(want) - 1 : 3;
	unsigned char *chosen = NULL;

	(void)self;
	if (SSL_select_next_proto(&chosen, out_len, want, want_len, in,
		    in_len) != OPENSSL_NPN_NEGOTIATED) {
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

int listener_tls(
	struct mock *m, const char *cert, const char *key, struct err *err)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (tls == NULL) {
		return err_set(err, 0, "cannot set up TLS");
	}
	m->tls = tls;
	if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1) {
		return err_usage(err, 0, "cannot use certificate '%s'", cert);
	}
	if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
		return err_usage(err, 0, "cannot use key '%s'", key);
	}
	/* Apple: TLS 1.2 or later. */
	if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1) {
		return err_set(err, 0, "cannot set up TLS 1.2");
	}
	SSL_CTX_set_alpn_select_cb(tls, on_alpn, NULL);
	(void)SSL_CTX_set_mode(tls, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(tls, 1); /* many records with one read */
	SSL_CTX_set_default_read_buffer_len(tls, (size_t)64 * 1024);
	return 0;
}

/* One that is no good is the vendor's to refuse, in an answer. */
static int on_certificate(int is_good, X509_STORE_CTX *store)
{
	(void)is_good;
	(void)store;
	return 1;
}

int listener_ask(struct mock *m, const char *ca_file, struct err *err)
{
	static const unsigned char name[] = "push-mock";
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);

	if (names == NULL ||
		SSL_CTX_load_verify_locations(m->tls, ca_file, NULL) != 1 ||
		SSL_CTX_set_session_id_context(
			m->tls, name, sizeof(name) - 1) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return err_usage(err, 0, "cannot use CA '%s'", ca_file);
	}
	SSL_CTX_set_client_CA_list(m->tls, names);
	SSL_CTX_set_verify(m->tls, SSL_VERIFY_PEER, on_certificate);
	return 0;
}

static void on_ready(void *self, int fd, unsigned ready)
{
	struct listener *l = self;

	(void)ready;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int client = accept(fd, NULL, NULL);
		if (client < 0) {
			return; /* no more, or one that went away again */
		}
		if (l->vendor != VENDOR_COUNT &&
			l->mock->control.of[l->vendor].is_down) {
			(void)close(client); /* that is the order */
			continue;
		}
		if (fcntl(client, F_SETFD, FD_CLOEXEC) != 0 ||
			fcntl(client, F_SETFL, O_NONBLOCK) != 0) {
			(void)close(client); /* the client sees it */
			continue;
		}
		connection_open(l->mock, client, l);
	}
}

int listener_open(
	struct listener *l, const char *address, int port, struct err *err)
{
	static const int on = 1;
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);

	at.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
		return err_usage(err, 0, "not an IPv4 address: '%s'", address);
	}
	l->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (l->fd < 0) {
		return err_set(err, errno, "cannot make a socket");
	}
	if (fcntl(l->fd, F_SETFD, FD_CLOEXEC) != 0 ||
		fcntl(l->fd, F_SETFL, O_NONBLOCK) != 0 ||
		setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) !=
			0 ||
		bind(l->fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
		listen(l->fd, BACKLOG) != 0 ||
		getsockname(l->fd, (struct sockaddr *)&at, &len) != 0) {
		return err_set(err, errno, "cannot listen on %s port %d",
			address, port);
	}
	l->port = ntohs(at.sin_port);
	l->watch = loop_watch(l->mock->loop, l->fd, LOOP_READ, on_ready, l);
	return 0;
}

void listener_close(struct listener *l)
{
	loop_unwatch(l->watch);
	if (l->fd >= 0) {
		(void)close(l->fd); /* nothing is written to it */
	}
}
