/*
 * A client's connection: TLS below, an HTTP/2 session above.  Inner header of
 * connection.c, session.c and answer.c.
 */
#ifndef PUSH_MOCK_CONNECTION_H
#define PUSH_MOCK_CONNECTION_H

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

#include "mock.h"

/* What one TLS record holds (RFC 8446 section 5.1). */
enum { RECORD_MAX_BYTES = 16384 };

struct connection {
	struct mock *mock;
	enum vendor_id vendor;
	struct peer peer;
	int fd;
	SSL *ssl;
	struct loop_fd *watch;
	nghttp2_session *h2;     /* NULL until the handshake is done */
	struct connection *next; /* among all open ones */
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

/* Starts the session; 0 or -1. */
int session_open(struct connection *c) MUST_CHECK;

/* Feeds what the client sent; 0 or -1: the connection is to be closed. */
int session_read(
	struct connection *c, const uint8_t *ptr, size_t len) MUST_CHECK;

/* Fills c->out as far as there are frames; 0 or -1. */
int session_fill(struct connection *c) MUST_CHECK;

/* Lets go of every open exchange and of the session, which may be NULL. */
void session_close(struct connection *c);

/* Whether nothing more can happen on it. */
bool session_is_over(const struct connection *c);

/* Announces the stream limit that holds now. */
void session_limit(struct connection *c);

/* Sends GOAWAY; streams above the newest one are not taken any more. */
void session_goaway(struct connection *c, const char *reason);

void session_reset(struct connection *c, int32_t stream_id, uint32_t code);

/* Submits the answer that x->verdict and x->answer hold. */
void session_answer(struct exchange *x);

#endif
