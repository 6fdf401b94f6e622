/*
 * Where lines go: standard output, or a Unix socket.  Takes whole lines, writes
 * them in as few writes as possible and keeps what does not fit yet.
 */
#ifndef PUSH_STAGE_OUTPUT_H
#define PUSH_STAGE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

struct output;

/* `endpoint' is "-" or "unix:PATH" (connects, and again with backoff).  A
 * lossy output drops lines instead of waiting. */
int output_open(struct output **out, struct loop *loop, const char *endpoint,
	bool is_lossy, struct err *err) MUST_CHECK;
void output_close(struct output *o); /* accepts NULL */

/* Where the next whole lines are appended. */
struct buf *output_buf(struct output *o);

/* Says that `lines' were appended since the last call. */
void output_added(struct output *o, size_t lines);

/* Writes what can be written now.  -1: the reader is gone for good. */
int output_flush(struct output *o, struct err *err) MUST_CHECK;

/* Does it connect to a socket by path? */
bool output_is_socket(const struct output *o);

/* Bytes that wait for the reader. */
size_t output_pending(const struct output *o);

/* Lines dropped so far. */
uint64_t output_dropped(const struct output *o);

#endif
