/*
 * The bytes of a connection: TLS in, TLS out, one record of up to 16 KiB holding
 * as many answers as there are.
 *
 * Reading only feeds the session; everything is written at the end of the
 * loop's turn, so that the answers to one read leave together.
 */
#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { READ_BYTES = 64 * 1024 };

void connection_touch(struct connection *c)
{
	if (!c->is_dirty) {
		c->is_dirty = true;
		c->next_dirty = c->mock->dirty;
		c->mock->dirty = c;
	}
}

void connection_doom(struct connection *c)
{
	c->is_doomed = true;
	connection_touch(c);
}

struct exchange *connection_take_exchange(struct connection *c)
{
	struct mock *m = c->mock;
	struct exchange *x = m->spare;

	if (x == NULL) {
		x = exchange_new();
	} else {
		m->spare = x->next;
		exchange_reset(x);
	}
	x->conn = c;
	x->peer = &c->peer;
	x->next = c->exchanges;
	if (x->next != NULL) {
		x->next->prev = x;
	}
	c->exchanges = x;
	c->open++;
	tally_streams(m->tally, c->vendor, c->open);
	return x;
}

void connection_drop_exchange(struct exchange *x)
{
	struct connection *c = x->conn;
	struct mock *m = c->mock;

	if (x->is_judged && !x->is_answered) {
		tally_event(m->tally, c->vendor, TALLY_UNANSWERED);
	}
	loop_timer_stop(m->loop, &x->timer);
	if (x->prev != NULL) {
		x->prev->next = x->next;
	} else {
		c->exchanges = x->next;
	}
	if (x->next != NULL) {
		x->next->prev = x->prev;
	}
	c->open--;
	x->next = m->spare;
	m->spare = x;
}

static void connection_close(struct connection *c)
{
	struct mock *m = c->mock;

	if (c->protocol != NULL) {
		const struct vendor *v = &m->vendors[c->vendor];
		c->protocol->close(c);
		if (v->forget != NULL) {
			v->forget(c->peer.memory);
		}
		tally_event(m->tally, c->vendor, TALLY_CLOSED);
		if (!c->is_doomed) {
			ERR_clear_error();
			(void)SSL_shutdown(c->ssl); /* a courtesy */
		}
	}
	loop_unwatch(c->watch);
	SSL_free(c->ssl);
	(void)close(c->fd); /* only a socket; nothing of ours can be lost */
	if (c->prev != NULL) {
		c->prev->next = c->next;
	} else {
		m->connections = c->next;
	}
	if (c->next != NULL) {
		c->next->prev = c->prev;
	}
	mem_free(c);
}

static bool is_frozen(const struct connection *c)
{
	return c->vendor != VENDOR_COUNT &&
	       c->mock->control.of[c->vendor].is_frozen;
}

static void wait_for(struct connection *c, unsigned events)
{
	loop_events(c->watch, is_frozen(c) ? 0 : events);
}

/* The handshake's server name tells the vendor where one port serves all. */
static void choose_vendor(struct connection *c)
{
	const char *host =
		SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
	struct mock *m = c->mock;

	c->peer.host = host == NULL ? "" : host;
	if (c->vendor != VENDOR_COUNT) {
		return;
	}
	c->vendor = VENDOR_APNS;
	for (int v = 0; v < VENDOR_COUNT; v++) {
		const char *at = strstr(m->vendors[v].hosts, c->peer.host);
		size_t len = strlen(c->peer.host);
		if (len > 0 && at != NULL && at[-1] == ' ' && at[len] == ' ') {
			c->vendor = (enum vendor_id)v;
		}
	}
}

bool connection_speaks_plain(struct ssl_st *ssl)
{
	struct connection *c = SSL_get_app_data(ssl);

	choose_vendor(c);
	return c->mock->vendors[c->vendor].speaks_plain;
}

/* What ALPN has settled; without it, what the vendor spoke before there was
 * ALPN. */
static int start(struct connection *c)
{
	const unsigned char *name = NULL;
	unsigned len = 0;

	SSL_get0_alpn_selected(c->ssl, &name, &len);
	if (len == 2 || !c->mock->vendors[c->vendor].speaks_plain) {
		return session_open(c);
	}
	plain_open(c);
	return 0;
}

/* The certificate that the client has shown, if it has. */
static void note_certificate(struct connection *c)
{
	X509 *certificate = SSL_get1_peer_certificate(c->ssl);

	if (certificate == NULL) {
		return;
	}
	c->peer.has_certificate = true;
	c->peer.is_certificate_good =
		SSL_get_verify_result(c->ssl) == X509_V_OK;
	if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
		    NID_userId, c->peer.certificate_user,
		    sizeof(c->peer.certificate_user)) < 0) {
		c->peer.certificate_user[0] = '\0';
	}
	X509_free(certificate);
}

/* 1: done; 0: later; -1: failed. */
static int handshake(struct connection *c)
{
	int rc = SSL_do_handshake(c->ssl);

	if (rc == 1) {
		choose_vendor(c);
		note_certificate(c);
		tally_event(c->mock->tally, c->vendor, TALLY_OPENED);
		return start(c) == 0 ? 1 : -1;
	}
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		wait_for(c, LOOP_READ);
		return 0;
	case SSL_ERROR_WANT_WRITE:
		wait_for(c, LOOP_WRITE);
		return 0;
	default:
		return -1;
	}
}

/* Reads until there is no more for now; -1 at the end of the connection. */
static int read_all(struct connection *c)
{
	static uint8_t bytes[READ_BYTES]; /* never kept over a call */

	while (!c->is_doomed) {
		int n = SSL_read(c->ssl, bytes, sizeof(bytes));
		if (n > 0) {
			if (c->protocol->read(c, bytes, (size_t)n) != 0) {
				return -1;
			}
			continue;
		}
		return SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	return 0;
}

/* 0, also when the socket takes no more; -1: the connection is broken. */
static int write_all(struct connection *c)
{
	for (;;) {
		if (!c->is_blocked && c->protocol->fill(c) != 0) {
			return -1;
		}
		if (c->out_bytes == 0) {
			return 0;
		}
		int n = SSL_write(c->ssl, c->out, (int)c->out_bytes);
		if (n > 0) {
			c->out_bytes = 0; /* all of it, or nothing */
			c->is_blocked = false;
			continue;
		}
		if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_WRITE) {
			return -1;
		}
		c->is_blocked = true;
		return 0;
	}
}

static void on_ready(void *self, int fd, unsigned ready)
{
	struct connection *c = self;

	(void)fd;
	ERR_clear_error();
	if (c->protocol == NULL) {
		int rc = handshake(c);
		if (rc < 0) {
			connection_doom(c);
		}
		if (rc <= 0) {
			return;
		}
		ready |= LOOP_READ; /* what came with the handshake */
	}
	if ((ready & LOOP_READ) != 0 && read_all(c) != 0) {
		connection_doom(c);
	}
	connection_touch(c);
}

/* Whether the connection lives on. */
static bool flush(struct connection *c)
{
	if (c->is_doomed) {
		return false;
	}
	if (c->protocol == NULL || is_frozen(c)) {
		return true;
	}
	ERR_clear_error();
	if (write_all(c) != 0) {
		c->is_doomed = true;
	}
	if (c->is_doomed || c->protocol->is_over(c) ||
		(c->is_last_word && c->out_bytes == 0)) {
		return false;
	}
	wait_for(c, c->is_blocked ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	return true;
}

void connection_flush_all(struct mock *m)
{
	while (m->dirty != NULL) {
		struct connection *c = m->dirty;
		m->dirty = c->next_dirty;
		/* Still marked, so that it cannot get into the list again. */
		if (flush(c)) {
			c->is_dirty = false;
		} else {
			connection_close(c);
		}
	}
}

void connection_reorder_all(struct mock *m)
{
	for (struct connection *c = m->connections; c != NULL; c = c->next) {
		if (c->vendor == VENDOR_COUNT) {
			continue;
		}
		if (m->control.of[c->vendor].is_down) {
			connection_doom(c);
		} else if (c->protocol != NULL) {
			c->protocol->limit(c);
		}
		wait_for(c, LOOP_READ);
	}
}

void connection_close_all(struct mock *m)
{
	connection_flush_all(m);
	while (m->connections != NULL) {
		connection_close(m->connections);
	}
}

void connection_open(struct mock *m, int fd, const struct listener *l)
{
	static const int on = 1;
	SSL *ssl = SSL_new(m->tls);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		(void)close(fd); /* the client sees it */
		return;
	}
	/* Without it answers would wait for acknowledgements; a failure only
	 * makes them later. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	SSL_set_accept_state(ssl);
	struct connection *c = mem_array(1, sizeof(*c));
	c->mock = m;
	c->vendor = l->vendor;
	c->peer.number = ++m->connection_count;
	c->peer.host = "";
	c->peer.port = l->port;
	c->fd = fd;
	c->ssl = ssl;
	c->goaway_id = -1;
	c->next = m->connections;
	if (c->next != NULL) {
		c->next->prev = c;
	}
	m->connections = c;
	(void)SSL_set_app_data(ssl, c); /* for connection_speaks_plain() */
	c->watch = loop_watch(m->loop, fd, LOOP_READ, on_ready, c);
	wait_for(c, LOOP_READ);
}
