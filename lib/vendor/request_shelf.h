/*
 * Requests to be used again.  One is out only until it is written, so that few
 * are needed for many in flight.
 */
#ifndef PUSH_VENDOR_REQUEST_SHELF_H
#define PUSH_VENDOR_REQUEST_SHELF_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/request.h"

struct request_shelf {
	struct request *spare; /* owned, by next */
	size_t spare_count;
	size_t out;
};

struct request *request_shelf_take(struct request_shelf *s);
void request_shelf_put(struct request_shelf *s, struct request *req);
/* So many are out that those of flights that wait should come back; they are
 * built again when it is their turn. */
bool request_shelf_is_short(const struct request_shelf *s);
/* Frees the spare ones. */
void request_shelf_release(struct request_shelf *s);

#endif
