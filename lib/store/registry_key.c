/* Pairs of names as keys. */
#include "store/registry_key.h"

#include <string.h>

struct span registry_key(
	struct buf *b, const char *prefix, struct span app, struct span name)
{
	static const char hex[] = "0123456789ABCDEF";

	buf_reset(b);
	buf_text(b, prefix);
	for (size_t i = 0; i < app.len; i++) {
		unsigned char c = (unsigned char)app.ptr[i];

		if (c == ':' || c == '%') {
			buf_putc(b, '%');
			buf_putc(b, hex[c >> 4]);
			c = (unsigned char)hex[c & 15];
		}
		buf_putc(b, (char)c);
	}
	buf_putc(b, ':');
	buf_put(b, name.ptr, name.len);
	return (struct span){ b->data, b->len };
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

bool registry_key_parse(
	struct span key, const char *prefix, struct buf *app, struct span *name)
{
	size_t len = strlen(prefix);
	const char *end = key.ptr + key.len;
	const char *at = key.ptr + len;

	buf_reset(app);
	if (key.len < len || memcmp(key.ptr, prefix, len) != 0) {
		return false;
	}
	for (; at < end && *at != ':'; at++) {
		if (*at != '%') {
			buf_putc(app, *at);
		} else if (end - at > 2 && hex_value(at[1]) >= 0 &&
			   hex_value(at[2]) >= 0) {
			buf_putc(app, (char)(hex_value(at[1]) * 16 +
					      hex_value(at[2])));
			at += 2;
		} else {
			return false;
		}
	}
	if (at == end) {
		return false;
	}
	*name = (struct span){ at + 1, (size_t)(end - at - 1) };
	return true;
}
