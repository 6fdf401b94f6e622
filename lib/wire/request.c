/*
 * A request's path, headers and body in three buffers that are used again.
 *
 * Header values lie one behind the other in one buffer, and headers refer to
 * them by place, because the buffer may move while it grows.
 */
#include "wire/request.h"

#include <string.h>

#include "base/digest.h"

void request_init(struct request *req)
{
	*req = (struct request){ 0 };
	buf_init(&req->path, REQUEST_PATH_MAX_BYTES);
	buf_init(&req->body, REQUEST_BODY_MAX_BYTES);
	buf_init(&req->text, REQUEST_BODY_MAX_BYTES);
}

void request_release(struct request *req)
{
	buf_release(&req->path);
	buf_release(&req->body);
	buf_release(&req->text);
	req->header_count = 0;
}

void request_reset(struct request *req)
{
	buf_reset(&req->path);
	buf_reset(&req->body);
	buf_reset(&req->text);
	req->header_count = 0;
	req->shown = (struct shorten_place){ 0, 0 };
	req->shortened_bytes = 0;
}

void request_header(struct request *req, const char *name, struct span value,
	bool is_unindexed)
{
	struct request_header *h;

	if (req->header_count == REQUEST_HEADERS_MAX) {
		BUG("no room for header '%s'", name);
	}
	h = &req->headers[req->header_count++];
	h->name = name;
	h->at = (unsigned)req->text.len; /* bounded by the buffer */
	h->len = (unsigned)value.len;
	h->is_unindexed = is_unindexed;
	buf_put(&req->text, value.ptr, value.len);
	if (buf_is_over(&req->text)) {
		BUG("header '%s' of %zu bytes", name, value.len);
	}
}

struct span request_value(const struct request *req, size_t index)
{
	const struct request_header *h = &req->headers[index];

	return (struct span){ req->text.data + h->at, h->len };
}

struct span request_find(const struct request *req, const char *name)
{
	for (size_t i = 0; i < req->header_count; i++) {
		if (strcmp(req->headers[i].name, name) == 0) {
			return request_value(req, i);
		}
	}
	return (struct span){ NULL, 0 };
}

void request_replace_id(
	const struct record *r, char dst[REQUEST_REPLACE_ID_BYTES])
{
	struct span name = r->id.ptr != NULL ? r->id : r->uid;
	struct digest_part parts[] = {
		{ r->app.ptr, r->app.len },
		{ name.ptr, name.len },
	};
	struct digest d = digest_quick_parts(parts, 2);

	digest_hex(&d, DIGEST_BYTES, dst);
}

bool request_is_word(struct span s, size_t max_bytes)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < 0x21 || s.ptr[i] > 0x7e) {
			return false;
		}
	}
	return s.len > 0 && s.len <= max_bytes;
}

void request_put_name(struct buf *b, struct span name)
{
	if (b->len > 0 && b->data[b->len - 1] != '{') {
		buf_putc(b, ',');
	}
	json_put_span(b, name);
	buf_putc(b, ':');
}

void request_put_member(
	struct buf *b, struct span name, const struct json *value)
{
	request_put_name(b, name);
	json_write(b, value);
}

void request_put_shown(
	struct request *req, struct span name, const struct json *text)
{
	struct buf *b = &req->body;
	size_t at;

	request_put_name(b, name);
	at = b->len + 1;
	json_write(b, text);
	if (json_type(text) == JSON_TEXT && !buf_is_over(b)) {
		req->shown = (struct shorten_place){ at, b->len - at - 1 };
	}
}

bool request_has_member(const struct json *object, struct span name)
{
	struct json_iter it = json_iter(object);

	while (json_next(&it) != NULL) {
		if (span_equal(it.name, name)) {
			return true;
		}
	}
	return false;
}
