/*
 * One HTTP/2 client connection over TLS: many requests at once, each of which
 * ends exactly once, as answered, as never processed, or as unknown.
 *
 * Knows nothing of vendors, records and retries.  One connection per struct:
 * pools and reconnecting are the caller's (vendor/pool).
 *
 *   http2_open → on_ready → http2_submit … on_end … → on_closed → http2_free
 */
#ifndef PUSH_NET_HTTP2_H
#define PUSH_NET_HTTP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"

enum {
	HTTP2_FIELDS_MAX = 16,
	HTTP2_ANSWER_MAX_BYTES = 8 * 1024, /* of a body; the rest is dropped */
	HTTP2_VALUE_MAX_BYTES = 64,        /* of an answer's header field */
	HTTP2_DEBUG_MAX_BYTES = 256,       /* of a GOAWAY's debug data */
};

/* A header field of a request.  Texts are borrowed until it is written or ends. */
struct http2_field {
	struct span name; /* lower case */
	struct span value;
	bool is_unindexed; /* differs by request: kept out of the HPACK table */
};

/*
 * The head of a POST.  `coded' holds what is the same in every request, other
 * pseudo-fields first, from http2_code(); the fields are the request's own.
 */
struct http2_head {
	struct span coded;
	struct span path;
	const struct http2_field *fields;
	size_t field_count; /* at most HTTP2_FIELDS_MAX */
};

/* Appends the fields as HTTP/2 sends them; done once, not for each request. */
void http2_code(struct buf *coded, const struct http2_field *fields,
	size_t field_count);

/* How a request ended. */
enum http2_end {
	/* A status and the end of the header came.  The body may have been cut. */
	HTTP2_ANSWERED,
	/* It was never written, or is above the last stream of a GOAWAY: not
	 * looked at, and safe to send again on another connection. */
	HTTP2_UNPROCESSED,
	/* The server refused this stream (REFUSED_STREAM): not looked at either. */
	HTTP2_REFUSED,
	/* Written, and no answer came: it may have been processed. */
	HTTP2_UNKNOWN,
};

/* Header fields of an answer that somebody wants. */
enum http2_value {
	HTTP2_VALUE_APNS_ID,
	HTTP2_VALUE_RETRY_AFTER,
	HTTP2_VALUE_DATE,
	HTTP2_VALUE_COUNT
};

struct http2;
struct identity;

/*
 * The caller holds it from http2_submit() to the end and may then use it again.
 * Prepare with http2_request_init() once.
 */
struct http2_request {
	/* The caller's, set before http2_submit(). */
	struct span body; /* borrowed until it is written or ends */
	void *self;       /* for the caller */

	/* The answer, readable in on_end() of HTTP2_ANSWERED. */
	int status;

	/* Ours. */
	struct http2 *conn; /* NULL: not in flight */
	struct http2_request *prev;
	struct http2_request *next;
	int32_t stream_id;
	uint32_t head_at; /* in the connection's heads; length 0: packed */
	uint32_t head_len;
	size_t body_sent_bytes;
	uint64_t write_no; /* the write that carried its head; 0: none yet */
	bool has_head;     /* the end of the answer's header was seen */
	struct http2_answer *answer; /* owned; while it comes */
};

void http2_request_init(struct http2_request *q);

/* The answer's body, in on_end(); { NULL, 0 } when there was none. */
struct span http2_body(const struct http2_request *q);

/* Value of the answer's header field; { NULL, 0 } when absent or too long. */
struct span http2_value(const struct http2_request *q, enum http2_value which);

/*
 * What a connection tells.  All come from the loop, none from inside a call of
 * the caller's.  Each of them may call http2_submit(), http2_cancel() and
 * http2_close(); only on_closed may call http2_free().
 */
struct http2_events {
	/* Open, and the server's settings are known. */
	void (*on_ready)(void *self);
	/* Written, or nearly: fields and body are not needed any more.  May be
	 * NULL; calls nothing of this module's. */
	void (*on_written)(void *self, struct http2_request *q);
	/* This request has ended; it is the caller's again. */
	void (*on_end)(void *self, struct http2_request *q, enum http2_end end);
	/* There may be room for more requests now. */
	void (*on_room)(void *self);
	/* The server takes no new requests here; those in flight go on.  `code' is
	 * an HTTP/2 error code, `debug' what it says about it, maybe nothing. */
	void (*on_goaway)(void *self, uint32_t code, struct span debug);
	/* The end, told last and once, after the end of each request.  `err' is
	 * NULL when we wanted it.  Told also when it never became ready. */
	void (*on_closed)(void *self, const struct err *err);
};

struct http2_target {
	const char *url;     /* "https://host[:port]"; borrowed for the call */
	const char *ca_file; /* PEM; NULL: the system's */
	const struct identity *identity; /* our certificate, or NULL; lives
	                                    until on_closed */
	int64_t connect_timeout_ms; /* until the server's settings are there */
	int64_t ping_ms;            /* silence of an idle connection after which
	                       we ask; a busy one is asked sooner */
	size_t streams_max;         /* our own limit on requests at once */
};

/* Begins to connect.  `events' and `self' are borrowed until on_closed. */
struct http2 *http2_open(struct loop *l, const struct http2_target *target,
	const struct http2_events *events, void *self);

/*
 * True when one more request with a body of `body_bytes' would be sent at once:
 * the server's stream limit, ours, its flow-control window and the state of
 * the connection allow it.
 */
bool http2_has_room(const struct http2 *c, size_t body_bytes);

/* Sends a request; only with room.  Written when the loop turns. */
void http2_submit(struct http2 *c, struct http2_request *q,
	const struct http2_head *head);

/* Gives a request up: on_end is not told, and the stream is reset.  True when
 * it was written, so that it may have been processed. */
bool http2_cancel(struct http2_request *q);

/* Asks the server for a sign of life now; without one within 5 s the
 * connection is lost. */
void http2_ping(struct http2 *c);

/* Takes no new requests and closes once those in flight have ended. */
void http2_finish(struct http2 *c);

/* Closes on the next turn of the loop; what is in flight ends before. */
void http2_close(struct http2 *c);

/* Frees; on_end and on_closed are not told.  No request may be in flight
 * unless it was cancelled. Accepts NULL. */
void http2_free(struct http2 *c);

size_t http2_in_flight(const struct http2 *c);
/* Streams that the server allows, as far as we use them; 0 before ready. */
size_t http2_stream_limit(const struct http2 *c);

#endif
