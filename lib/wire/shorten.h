/*
 * Makes a text shorter that is already written as JSON, without cutting a
 * character, an escape or what belongs to one sign on the screen into pieces.
 */
#ifndef PUSH_WIRE_SHORTEN_H
#define PUSH_WIRE_SHORTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* A text in a buffer of JSON, without its quotes.  len 0: there is none. */
struct shorten_place {
	size_t at;
	size_t len;
};

/* What is counted: bytes as they are written, or as they will be read. */
enum shorten_count { SHORTEN_WRITTEN, SHORTEN_READ };

/*
 * Takes at least `over_bytes' away from the end of the text and puts an
 * ellipsis there, whose bytes are counted, too.  The bytes that the text has
 * become shorter by; 0, with nothing changed, when nothing would be left.
 */
size_t shorten(struct buf *b, const struct shorten_place *place,
	size_t over_bytes, enum shorten_count count);

#endif
