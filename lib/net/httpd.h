/*
 * A small HTTP server for people and scrapers who look in: GET and HEAD, the
 * whole answer made at once, no threads.  It lives in the program's loop.
 * Not for the notifications' way, nor for the open Internet.
 */
#ifndef PUSH_NET_HTTPD_H
#define PUSH_NET_HTTPD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

struct httpd;

enum { HTTPD_BODY_MAX_BYTES = 16 * 1024 * 1024 };

struct httpd_reply {
	unsigned status; /* 404 unless the callback sets another */
	const char
		*type;   /* Content-Type; borrowed until the callback returns */
	struct buf body; /* the server's; empty at first */
};

/* Answers a GET of `path' (without what follows a '?').  Called from the
 * loop. */
typedef void httpd_cb(void *self, const char *path, struct httpd_reply *reply);

/*
 * Listens at `address', "127.0.0.1:9105", "[::1]:9105", "localhost:9105" or
 * ":9105" for every interface; port 0 takes a free one.  A text that is no
 * address is a usage failure, an address that is taken a temporary one.
 */
int httpd_open(struct httpd **out, struct loop *loop, const char *address,
	httpd_cb *on_get, void *self, struct err *err) MUST_CHECK;

/* Only whether it is an address. */
int httpd_check(const char *address, struct err *err) MUST_CHECK;

/* The port it listens at. */
unsigned httpd_port(const struct httpd *h);

/* Ends all connections; accepts NULL. */
void httpd_close(struct httpd *h);

#endif
