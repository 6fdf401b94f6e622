/*
 * Memory for nghttp2, which asks for a handful of small pieces a request and
 * gives them back with the answer: kept by size and given out again, which is
 * cheaper than to have the heap put them together and cut them anew.  What is
 * kept is bounded by what a connection once used at the same time.
 */
#ifndef PUSH_NET_HTTP2_CELLS_H
#define PUSH_NET_HTTP2_CELLS_H

#include <stddef.h>

enum {
	CELL_STEP_BYTES = 32,
	CELL_SIZES = 16, /* larger pieces come from the heap */
};

struct cell;

struct cells {
	struct cell *spare[CELL_SIZES]; /* owned */
};

/* As malloc, free, calloc and realloc; `cells' is a struct cells.  NULL for
 * sizes that cannot be. */
void *cells_malloc(size_t size, void *cells);
void cells_free(void *ptr, void *cells);
void *cells_calloc(size_t count, size_t size, void *cells);
void *cells_realloc(void *ptr, size_t size, void *cells);

/* Frees what is spare; nothing may be out. */
void cells_release(struct cells *cells);

#endif
