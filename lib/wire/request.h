/*
 * One HTTP request to a vendor, ready to be sent: path, headers, body.
 *
 * Built by apns_build() and fcm_build(), sent by the engine, which adds what
 * belongs to the connection and not to the record (:method POST, :scheme,
 * :authority, authorization).  A request can be reset and used again.
 */
#ifndef PUSH_WIRE_REQUEST_H
#define PUSH_WIRE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "record/record.h"
#include "wire/shorten.h"

enum {
	REQUEST_REPLACE_ID_BYTES = 33, /* with its NUL */
	REQUEST_HEADERS_MAX = 10,
	REQUEST_PATH_MAX_BYTES = 2048,
	REQUEST_BODY_MAX_BYTES = 64 * 1024,
};

struct request_header {
	const char *name; /* a literal, lower case */
	unsigned at;      /* place of the value in `text' */
	unsigned len;
	bool is_unindexed; /* differs from request to request: to be sent
	                      as a literal, kept out of the HPACK table */
};

struct request {
	struct buf path; /* differs by request too: never to be indexed */
	struct buf body; /* JSON, not compressed */
	struct buf text; /* the headers' values */
	struct request_header headers[REQUEST_HEADERS_MAX];
	size_t header_count;
	struct shorten_place shown; /* the text that may be made shorter */
	size_t shortened_bytes;     /* what it has lost */
	struct request *next;       /* for whoever keeps several */
};

void request_init(struct request *req);
void request_release(struct request *req);

/* Empties it, keeps the memory. */
void request_reset(struct request *req);

/* Adds a header; the value is copied. */
void request_header(struct request *req, const char *name, struct span value,
	bool is_unindexed);

/* Value of the `index'th header; lives until the request is changed. */
struct span request_value(const struct request *req, size_t index);

/* The same by name; { NULL, 0 } when there is none. */
struct span request_find(const struct request *req, const char *name);

/*
 * A name for what the record shows, the same in every attempt, so that a
 * repeat replaces itself on the device: a hash of the task's id, or of its uid
 * where the producer gave none.
 */
void request_replace_id(
	const struct record *r, char dst[REQUEST_REPLACE_ID_BYTES]);

/* Visible ASCII, not empty: what may stand in a header without being quoted. */
bool request_is_word(struct span s, size_t max_bytes);

/* Appends `"name":' with a comma unless it is the first of its object. */
void request_put_name(struct buf *b, struct span name);

/* Appends a member. */
void request_put_member(
	struct buf *b, struct span name, const struct json *value);

/* The same, and remembers its text as the one that may be made shorter. */
void request_put_shown(
	struct request *req, struct span name, const struct json *text);

/* True when the object has a member of this name. */
bool request_has_member(const struct json *object, struct span name);

#endif
