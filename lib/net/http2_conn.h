/*
 * A connection from the inside, for the files that make it up:
 *
 *   http2.c          opened, used, watched, closed
 *   http2_bytes.c    what is read and written, and when
 *   http2_head.c     the heads of requests
 *   http2_session.c  what nghttp2 says of it
 *
 * nghttp2 calls back while it reads and writes; nothing is freed and no
 * connection is ended from in there, only marked, and settled by http2_settle(),
 * which each callback of the loop ends with.
 */
#ifndef PUSH_NET_HTTP2_CONN_H
#define PUSH_NET_HTTP2_CONN_H

#include "net/http2.h"
#include "net/http2_cells.h"
#include "net/tls.h"

struct nghttp2_session;

enum {
	HTTP2_PACK_BYTES = 16 * 1024, /* one TLS record */
	HTTP2_UNPACKED_MAX = 64, /* requests; more wait for the next turn */
};

/*
 * CONNECTING: TLS is being opened.
 * GREETING:   open; our settings are sent, the server's not yet here.
 * READY:      takes requests.
 * FINISHING:  takes no new ones (GOAWAY, http2_finish, ids used up); those in
 *             flight go on, and with the last of them it closes.
 * CLOSING:    lost or to be closed; ended by http2_settle().
 */
enum http2_state { CONNECTING, GREETING, READY, FINISHING, CLOSING };

/* What came of an answer; few requests have one at the same time. */
struct http2_answer {
	struct buf body;
	uint8_t len[HTTP2_VALUE_COUNT];
	char text[HTTP2_VALUE_COUNT][HTTP2_VALUE_MAX_BYTES];
};

struct http2 {
	enum http2_state state;
	struct loop *loop;
	const struct http2_events *events;
	void *self;
	struct tls *tls;                 /* owned */
	struct loop_fd *watch;           /* owned */
	struct nghttp2_session *session; /* owned; NULL while CONNECTING */
	struct cells cells;              /* the session's memory */
	struct http2_request *first;     /* in flight, newest first */
	size_t in_flight;
	size_t streams_max;
	size_t body_waiting_bytes; /* of bodies submitted and not yet framed */

	struct loop_timer flush; /* due: bytes to write, or state to settle */
	struct loop_timer deadline; /* of connecting, then the watchdog's */
	int64_t ping_ms;
	int64_t quiet_mono_ms; /* since when nothing was heard */
	int64_t ping_mono_ms;  /* when we asked; 0: no question is open */
	bool is_busy;          /* http2_settle() will come: no need to wake */
	bool has_unread;       /* stopped reading to let others have a turn */

	bool is_write_blocked; /* out[] is offered again when writable */
	uint64_t write_no;     /* of the write that out[] will be, from 1 */
	size_t out_len;
	struct span rest; /* of a frame that did not fit */
	struct err err;   /* why CLOSING */
	bool is_lost;     /* err is set: not our wish */

	bool has_goaway; /* to be told */
	uint32_t goaway_code;
	int32_t goaway_last_id; /* streams above it are not processed */
	struct buf goaway_debug;

	struct buf heads; /* our part of those that are not packed yet */
	size_t heads_waiting;
	struct http2_request *packed; /* whose head nghttp2 has just made */
	struct buf head;              /* the frame that is packed */

	char out[HTTP2_PACK_BYTES];
};

/* --- requests in flight (http2.c) --- */

void http2_link(struct http2 *c, struct http2_request *q);
void http2_unlink(struct http2_request *q);

/* Has an answer there, empty if it is new; and none any more. */
struct http2_answer *http2_answer(struct http2_request *q);
void http2_answer_free(struct http2_answer *a); /* accepts NULL */

/* The one end of a request that is told; `error_code' is HTTP/2's. */
void http2_end(struct http2_request *q, uint32_t error_code);

/* --- the connection's state (http2.c) --- */

/* It has come as far as the server's settings. */
void http2_greeted(struct http2 *c);

/* Has http2_settle() and http2_flush() called on the next turn. */
void http2_wake(struct http2 *c);

/* Marks it as lost. */
void http2_lose(struct http2 *c, const char *why);

/* All that ends with the connection; `c' is gone if the caller frees it. */
void http2_end_all(struct http2 *c);

/* --- bytes (http2_bytes.c) --- */

/* Tells what was marked, flushes, and ends the connection if its time has
 * come: `c' may be gone afterwards. */
void http2_settle(struct http2 *c);
void http2_on_flush_due(void *self);
void http2_on_fd(void *self, int fd, unsigned ready);

/* --- the session (http2_session.c) --- */

/* Makes c->session with our settings; -1 when there is no memory. */
int http2_session_open(struct http2 *c);
/* Hands the request over to be sent.  Its stream id, or nghttp2's error. */
int32_t http2_session_submit(struct http2 *c, struct http2_request *q,
	const struct http2_head *head);

/* --- heads (http2_head.c) --- */

/* Keeps what nghttp2 does not code of a head, until its frame is packed. */
void http2_head_put(struct http2 *c, struct http2_request *q,
	const struct http2_head *head);
/* Forgets it, if it is still there. */
void http2_head_drop(struct http2 *c, struct http2_request *q);
/* The frame that nghttp2 made, made whole; lives until the next one. */
struct span http2_head_frame(
	struct http2 *c, struct http2_request *q, struct span frame);

#endif
