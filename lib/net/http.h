/*
 * Now and then an ordinary HTTP request, without blocking: Google's token
 * endpoint, Sentry.  Not for notifications (net/http2).
 */
#ifndef PUSH_NET_HTTP_H
#define PUSH_NET_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/span.h"

enum {
	HTTP_ANSWER_MAX_BYTES = 64 * 1024, /* the default */
	HTTP_HEADERS_MAX = 4,
};

struct http;      /* the client; connections are kept and used again */
struct http_call; /* one request under way */

/* A POST or a GET.  Everything is copied or used up by the call. */
struct http_ask {
	const char *url;
	const char
		*headers[HTTP_HEADERS_MAX]; /* "name: value", ended by NULL */
	struct span body;                   /* of a POST */
	const char *header;                 /* of the answer, wanted; or NULL */
	size_t answer_max_bytes; /* what is longer is cut; 0: the default */
	const char *ca_file;     /* PEM; NULL: the system's */
	int64_t timeout_ms;      /* for all of it */
};

struct http_answer {
	int status;             /* 0: no answer came */
	struct span body;       /* at most as long as was asked for */
	int64_t retry_after_ms; /* -1: not told */
	struct span header;     /* the one wanted; absent: not sent */
	const char *error;      /* with status 0: why, one lower-case line */
};

/* The call has ended; what `a' shows lives until this returns.  Told from the
 * loop only. */
typedef void http_done_cb(void *self, const struct http_answer *a);

struct http *http_new(struct loop *l);
/* Calls under way end untold.  Accepts NULL.  Not from within a callback. */
void http_free(struct http *h);

/* Begins; the handle is valid until `on_done' was called. */
struct http_call *http_post(struct http *h, const struct http_ask *ask,
	http_done_cb *on_done, void *self);

struct http_call *http_get(struct http *h, const struct http_ask *ask,
	http_done_cb *on_done, void *self);

/* Ends a call; on_done is not told.  Accepts NULL. */
void http_cancel(struct http_call *call);

#endif
