/*
 * A client's connection: TLS below, HTTP above.  Inner header of connection.c,
 * session.c (HTTP/2), plain.c (HTTP/1.1) and answer.c.
 */
#ifndef PUSH_MOCK_CONNECTION_H
#define PUSH_MOCK_CONNECTION_H

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

#include "mock.h"

/* What one TLS record holds (RFC 8446 section 5.1). */
enum { RECORD_MAX_BYTES = 16384 };

/* What HTTP is spoken, which the client chooses by ALPN. */
struct protocol {
	/* Feeds what the client sent; 0 or -1: the connection is to be closed. */
	int (*read)(struct connection *c, const uint8_t *ptr, size_t len);
	/* Fills c->out as far as there is something to send; 0 or -1. */
	int (*fill)(struct connection *c);
	/* Lets go of every open exchange and of its own memory. */
	void (*close)(struct connection *c);
	/* Whether nothing more can happen on it. */
	bool (*is_over)(const struct connection *c);
	/* Announces the stream limit that holds now. */
	void (*limit)(struct connection *c);
	/* Takes no more requests than it has; `reason' may be "". */
	void (*goaway)(struct connection *c, const char *reason);
	/* Ends one exchange without an answer; an HTTP/2 error code. */
	void (*reset)(struct connection *c, int32_t stream_id, uint32_t code);
	/* Submits the answer that x->verdict and x->answer hold. */
	void (*answer)(struct exchange *x);
};

/* Starts to speak; 0 or -1. */
int session_open(struct connection *c) MUST_CHECK;
void plain_open(struct connection *c);

/* An exchange of the connection's, until it is dropped. */
struct exchange *connection_take_exchange(struct connection *c);
void connection_drop_exchange(struct exchange *x);

struct connection {
	struct mock *mock;
	enum vendor_id vendor;
	struct peer peer;
	int fd;
	SSL *ssl;
	struct loop_fd *watch;
	const struct protocol *protocol; /* NULL until the handshake is done */
	nghttp2_session *h2;             /* session.c's, or NULL */
	struct plain *plain;             /* plain.c's, or NULL */
	struct connection *next;         /* among all open ones */
	struct connection *prev;
	struct connection *next_dirty;
	bool is_dirty;
	bool is_doomed;
	bool is_blocked;   /* the socket takes no more for now */
	bool is_unlimited; /* the full stream limit was announced */
	uint64_t begun;    /* streams taken */
	uint64_t processed;
	uint64_t open;              /* streams open now */
	struct exchange *exchanges; /* the open ones */
	int32_t newest_id;          /* of a stream that was taken */
	int32_t goaway_id;   /* no stream above it is taken; -1: all are */
	bool is_last_word;   /* close as soon as what is in out has left */
	const uint8_t *rest; /* of a frame that did not fit into out */
	size_t rest_bytes;
	size_t out_bytes;
	unsigned char out[RECORD_MAX_BYTES];
};

#endif
