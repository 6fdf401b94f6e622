/*
 * The running push-mock: what its parts share.
 */
#ifndef PUSH_MOCK_MOCK_H
#define PUSH_MOCK_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "exchange.h"
#include "fault.h"
#include "tally.h"

struct ssl_ctx_st; /* SSL_CTX */

/* How the orders for one vendor have come along. */
struct progress {
	double error_share; /* adds up; an error is due at 1 */
	uint64_t errors;
	uint64_t begun;     /* streams, for refuse_every */
	uint64_t processed; /* requests, for reset_every */
};

struct mock {
	struct loop *loop; /* owned by main, like all below */
	struct ssl_ctx_st *tls;
	struct tally *tally;
	struct vendor vendors[VENDOR_COUNT];
	struct control control;
	struct progress progress[VENDOR_COUNT];
	struct connection *connections; /* open ones, newest first */
	struct connection *dirty;       /* those with something to write */
	struct exchange *spare;
	uint64_t connection_count; /* opened so far */
	bool is_record_each;       /* one TLS record for each answer */
	int64_t stream_limit;      /* 0: as the vendor does */
	int64_t first_streams;     /* before the first valid credential */
	size_t window_bytes;       /* HTTP/2 window of a connection */
};

/* --- listener.c --- */

enum { LISTENERS_MAX = VENDOR_COUNT + 1 };

/* A port.  vendor VENDOR_COUNT: the name in the handshake decides. */
struct listener {
	struct mock *mock;
	enum vendor_id vendor;
	int fd;
	int port;
	struct loop_fd *watch;
};

/* Loads certificate and key. */
int listener_tls(struct mock *m, const char *cert, const char *key,
	struct err *err) MUST_CHECK;

/* Has clients asked for a certificate by one of the CAs in the file. */
int listener_ask(
	struct mock *m, const char *ca_file, struct err *err) MUST_CHECK;

/* Listens on `address'; port 0 lets the system choose. */
int listener_open(struct listener *l, const char *address, int port,
	struct err *err) MUST_CHECK;
void listener_close(struct listener *l);

/* --- connection.c --- */

/* Takes the accepted descriptor. */
void connection_open(struct mock *m, int fd, const struct listener *l);

/* Whether the vendor that this handshake is with knows HTTP/1.1, too. */
struct ssl_st; /* SSL */
bool connection_speaks_plain(struct ssl_st *ssl);

/* Bytes wait to be written; they go out at the end of the loop's turn. */
void connection_touch(struct connection *c);

/* Closes the connection at the end of the turn, whatever is unsent. */
void connection_doom(struct connection *c);

/* The end of a turn: writes what waits, closes what is doomed. */
void connection_flush_all(struct mock *m);

/* The orders have changed: stream limits, frozen and down vendors. */
void connection_reorder_all(struct mock *m);

void connection_close_all(struct mock *m);

/* --- answer.c --- */

/* Value of a date field: the vendor's time. */
struct span answer_date(struct exchange *x);

/* The head is complete.  May answer at once, or refuse the stream. */
void answer_head(struct exchange *x);

/* The whole request is there: judges, counts, answers. */
void answer_request(struct exchange *x);

#endif
