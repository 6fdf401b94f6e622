/* Where a member stands in a JSON text: for messages that a person follows. */
#ifndef PUSH_RECORD_PLACE_H
#define PUSH_RECORD_PLACE_H

#include <stddef.h>

#include "base/span.h"

/*
 * The line, counted from 1, of the member at `path' ("apps.shop.keys",
 * "fatigue.rules[2].per") in a text that is JSON, comments and trailing commas
 * allowed.  When there is no such member, the line of the nearest one above it;
 * 0 when not even its first name is there.
 */
size_t place_line(struct span text, struct span path);

#endif
