/* Two digests are a key, two names stand in front of a value. */
#include "store/pair.h"

#include <string.h>

struct digest pair_digest(struct span app, struct span name)
{
	struct digest_part parts[] = {
		{ app.ptr, app.len },
		{ name.ptr, name.len },
	};

	return digest_of_parts(parts, 2);
}

struct pair_key pair_key_of(const void *first, const void *second)
{
	struct pair_key key;

	memcpy(key.bytes, first, DIGEST_BYTES);
	memcpy(key.bytes + DIGEST_BYTES, second, DIGEST_BYTES);
	return key;
}

struct span pair_key_span(const struct pair_key *key)
{
	return (struct span){ key->bytes, PAIR_KEY_BYTES };
}

bool pair_key_has(struct span key, const void *first)
{
	return key.len == PAIR_KEY_BYTES &&
	       memcmp(key.ptr, first, DIGEST_BYTES) == 0;
}

void pair_put_number(struct buf *b, uint64_t n, int bytes)
{
	while (bytes-- > 0) {
		buf_putc(b, (char)(n >> (8 * bytes) & 0xff));
	}
}

uint64_t pair_number_at(const char *ptr, int bytes)
{
	uint64_t n = 0;

	while (bytes-- > 0) {
		n = n << 8 | (unsigned char)*ptr++;
	}
	return n;
}

void pair_write(struct buf *b, struct span app, struct span name)
{
	pair_put_number(b, app.len, 2);
	pair_put_number(b, name.len, 2);
	buf_put(b, app.ptr, app.len);
	buf_put(b, name.ptr, name.len);
}

bool pair_parse(struct span value, struct span *app, struct span *name,
	struct span *rest)
{
	size_t app_len;
	size_t name_len;

	if (value.len < 4) {
		return false;
	}
	app_len = (size_t)pair_number_at(value.ptr, 2);
	name_len = (size_t)pair_number_at(value.ptr + 2, 2);
	if (value.len - 4 < app_len + name_len) {
		return false;
	}
	*app = (struct span){ value.ptr + 4, app_len };
	*name = (struct span){ app->ptr + app_len, name_len };
	*rest = (struct span){ name->ptr + name_len,
		value.len - 4 - app_len - name_len };
	return true;
}
