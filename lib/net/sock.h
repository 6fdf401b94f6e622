/* Unix sockets: listening, connecting, datagrams.  All close on exec. */
#ifndef PUSH_NET_SOCK_H
#define PUSH_NET_SOCK_H

#include <stddef.h>

#include "base/err.h"

/* Listens at `path' (mode 0660); a stale socket there is replaced, a live one
 * is a usage failure.  The descriptor (non-blocking), or -1. */
int sock_listen(const char *path, struct err *err) MUST_CHECK;

/* Takes one waiting connection (blocking reads), -1 when there is none. */
int sock_accept(int listener);

/* Connects to `path'; the descriptor, or -1. */
int sock_connect(const char *path, struct err *err) MUST_CHECK;

/* A datagram socket bound at `path' (mode 0660), replacing what was there;
 * non-blocking. */
int sock_datagram_bind(const char *path, struct err *err) MUST_CHECK;

/* A datagram socket to send from; -1 with `err'. */
int sock_datagram_open(struct err *err) MUST_CHECK;

/* Sends one datagram without ever waiting; 0, or -1 when it was lost. */
int sock_datagram_send(int fd, const char *path, const void *ptr, size_t len);

#endif
