/*
 * Base64url without padding: RFC 4648 section 5, RFC 7515 section 2.
 */
#ifndef PUSH_WIRE_BASE64URL_H
#define PUSH_WIRE_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

void base64url_put(struct buf *out, const void *ptr, size_t len);

/*
 * Decodes strictly: no padding, no foreign bytes, and no bits to spare, so that
 * every value has one spelling.  `out' has room for what comes.
 */
bool base64url_decode(struct span text, struct buf *out);

#endif
