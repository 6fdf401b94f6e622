/*
 * A TLS connection that libcurl opened (names, addresses, proxies of the
 * environment, certificate checks) and whose bytes are the caller's.
 *
 * ALPN offers "h2" alone, and a server that chose anything else is a failure.
 * Not for HTTP: see net/http2 and net/http.
 */
#ifndef PUSH_NET_TLS_H
#define PUSH_NET_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"

struct identity;
struct tls;

struct tls_target {
	const char *url;     /* "https://host[:port]" */
	const char *ca_file; /* PEM, instead of the system's; or NULL */
	const struct identity *identity; /* shown when asked; or NULL;
	                                    lives until it is open */
	int64_t connect_timeout_ms;
};

enum { TLS_AGAIN = -1, TLS_LOST = -2 };

/* `err' is NULL when the connection is open, else tells why it is not.  May
 * close it. */
typedef void tls_open_cb(void *self, const struct err *err);

/* Begins to connect; never calls back before it returns.  The target's texts
 * are borrowed for this call only. */
struct tls *tls_open(struct loop *l, const struct tls_target *target,
	tls_open_cb *on_open, void *self);

/* Closes at once and frees; accepts NULL.  The caller has unwatched the
 * descriptor before. */
void tls_close(struct tls *t);

/* The descriptor to watch, once open. */
int tls_fd(const struct tls *t);

/* Bytes read; TLS_AGAIN when there are none now; 0 at the end; TLS_LOST with
 * `err' set.  With room for 16 KiB nothing stays behind inside when it says
 * TLS_AGAIN. */
ssize_t tls_read(struct tls *t, char *dst, size_t size, struct err *err);

/*
 * Bytes written, TLS_AGAIN, or TLS_LOST with `err' set.  After TLS_AGAIN the
 * next write must offer the same bytes from the same place.
 */
ssize_t tls_write(struct tls *t, const char *ptr, size_t len, struct err *err);

#endif
