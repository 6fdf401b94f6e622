/*
 * Where lines come from: standard input, or any number of writers on a Unix
 * socket.  Reads big blocks and hands out whole lines; keeps what is partial.
 */
#ifndef PUSH_STAGE_INPUT_H
#define PUSH_STAGE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"

struct input;

/*
 * One line, without its newline.  A whole one stays where it is until
 * input_release(): it is lent, so that what only passes through is not copied.
 * What is left of one that was cut is good until the next call.
 */
struct input_line {
	struct span text;
	size_t total_bytes; /* > text.len: the line was too long and is cut */
	int64_t read_unix_us;
};

/* `endpoint' is "-" or "unix:PATH"; lines over `line_max_bytes' are cut. */
int input_open(struct input **out, struct loop *loop, const char *endpoint,
	size_t line_max_bytes, struct err *err) MUST_CHECK;
void input_close(struct input *in); /* accepts NULL */

/* The next whole line that was read; false: none is there. */
bool input_next(struct input *in, struct input_line *line);

/* None of the lines that were handed out is looked at any more. */
void input_release(struct input *in);

/* Read on, or leave what comes in the pipe.  Nothing may be read while lines
 * are lent: it would go over them. */
void input_read(struct input *in, bool is_wanted);

/* Stops taking lines in; what was read whole can still be had. */
void input_stop(struct input *in);

/* No line is there and none will come. */
bool input_is_done(const struct input *in);
/* Did standard input end by a failure, so that more may have been to come? */
bool input_has_failed(const struct input *in);

#endif
