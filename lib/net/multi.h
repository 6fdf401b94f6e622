/*
 * Drives libcurl in our loop, so that neither connecting nor transferring
 * blocks.  For net/tls and net/http only.
 *
 * An easy handle is passed as `void *', which is what libcurl's own type is, so
 * that no header of ours needs libcurl's.
 */
#ifndef PUSH_NET_MULTI_H
#define PUSH_NET_MULTI_H

#include "base/loop.h"

struct multi;

/* `code' is a CURLcode.  May remove the handle and free the multi. */
typedef void multi_done_cb(void *self, void *easy, int code);

struct multi *multi_new(struct loop *l, multi_done_cb *on_done);

/* Accepts NULL.  Handles must have been removed before.  May be called from
 * `on_done'. */
void multi_free(struct multi *m);

/* Starts the transfer; its end is told from the loop, never before this
 * returns.  The handle stays the caller's; its private pointer becomes
 * `self'. */
void multi_add(struct multi *m, void *easy, void *self);

/* Ends the transfer if it runs; nothing is told.  A CONNECT_ONLY connection is
 * closed by this. */
void multi_remove(struct multi *m, void *easy);

#endif
