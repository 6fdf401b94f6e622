/* Pairs of names as keys. */
#include "store/registry_key.h"

#include <string.h>

static bool is_escaped(const struct registry_kind *kind, char c)
{
	return c == ':' || c == '%' ||
	       (kind->is_tagged && (c == '{' || c == '}'));
}

/* With its braces in a cluster.  Empty ones would be no tag. */
static void put_app(
	struct buf *b, const struct registry_kind *kind, struct span app)
{
	static const char hex[] = "0123456789ABCDEF";

	if (kind->is_tagged) {
		buf_text(b, app.len == 0 ? "{%" : "{");
	}
	for (size_t i = 0; i < app.len; i++) {
		unsigned char c = (unsigned char)app.ptr[i];

		if (is_escaped(kind, app.ptr[i])) {
			buf_putc(b, '%');
			buf_putc(b, hex[c >> 4]);
			c = (unsigned char)hex[c & 15];
		}
		buf_putc(b, (char)c);
	}
	if (kind->is_tagged) {
		buf_putc(b, '}');
	}
}

struct span registry_key(struct buf *b, const struct registry_kind *kind,
	struct span app, struct span name)
{
	buf_reset(b);
	buf_text(b, kind->prefix);
	put_app(b, kind, app);
	buf_putc(b, ':');
	buf_put(b, name.ptr, name.len);
	return (struct span){ b->data, b->len };
}

struct span registry_pattern(
	struct buf *b, const struct registry_kind *kind, struct span app)
{
	struct buf plain;

	buf_reset(b);
	buf_text(b, kind->prefix);
	if (kind->is_tagged) {
		buf_init(&plain, SIZE_MAX);
		put_app(&plain, kind, app);
		for (size_t i = 0; i < plain.len; i++) {
			if (strchr("*?[]\\", plain.data[i]) != NULL) {
				buf_putc(b, '\\');
			}
			buf_putc(b, plain.data[i]);
		}
		buf_release(&plain);
		buf_putc(b, ':');
	}
	buf_putc(b, '*');
	return (struct span){ b->data, b->len };
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Unescapes what stands before the ':', or in braces; false when it is not as
 * put_app() writes it. */
static bool parse_app(struct span text, struct buf *app)
{
	const char *end = text.ptr + text.len;

	for (const char *at = text.ptr; at < end; at++) {
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
	return true;
}

bool registry_key_parse(struct span key, const struct registry_kind *kind,
	struct buf *app, struct span *name)
{
	size_t len = strlen(kind->prefix);
	const char *colon;
	struct span text;

	buf_reset(app);
	if (key.len < len || memcmp(key.ptr, kind->prefix, len) != 0) {
		return false;
	}
	text = (struct span){ key.ptr + len, key.len - len };
	colon = memchr(text.ptr, ':', text.len);
	if (colon == NULL) {
		return false;
	}
	*name = (struct span){ colon + 1,
		(size_t)(text.ptr + text.len - colon - 1) };
	text.len = (size_t)(colon - text.ptr);
	if (!kind->is_tagged) {
		return parse_app(text, app);
	}
	if (text.len < 2 || text.ptr[0] != '{' ||
		text.ptr[text.len - 1] != '}') {
		return false;
	}
	text = (struct span){ text.ptr + 1, text.len - 2 };
	return span_is(text, "%") || parse_app(text, app);
}
