/* Small pieces of memory, kept by size. */
#include "net/http2_cells.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

/* In front of each piece; `next' while it is spare. */
struct cell {
	union {
		struct cell *next;
		size_t size; /* that was asked for, rounded up */
	};
	max_align_t piece[];
};

static size_t rounded(size_t size)
{
	return (size + CELL_STEP_BYTES - 1) / CELL_STEP_BYTES * CELL_STEP_BYTES;
}

static struct cell *cell_of(void *ptr)
{
	return (struct cell *)(void *)((char *)ptr -
				       offsetof(struct cell, piece));
}

/* The list of the cells of a rounded size; NULL: none is kept. */
static struct cell **spare_of(struct cells *c, size_t size)
{
	size_t place = size / CELL_STEP_BYTES;

	return place > 0 && place <= CELL_SIZES ? &c->spare[place - 1] : NULL;
}

void *cells_malloc(size_t size, void *cells)
{
	struct cell **spare;
	struct cell *cell;

	if (size > SIZE_MAX / 2) {
		return NULL;
	}
	size = rounded(size == 0 ? 1 : size);
	spare = spare_of(cells, size);
	if (spare != NULL && *spare != NULL) {
		cell = *spare;
		*spare = cell->next;
	} else {
		cell = mem_alloc(sizeof(*cell) + size);
	}
	cell->size = size;
	return cell->piece;
}

void cells_free(void *ptr, void *cells)
{
	struct cell **spare;
	struct cell *cell;

	if (ptr == NULL) {
		return;
	}
	cell = cell_of(ptr);
	spare = spare_of(cells, cell->size);
	if (spare == NULL) {
		mem_free(cell);
		return;
	}
	cell->next = *spare;
	*spare = cell;
}

void *cells_calloc(size_t count, size_t size, void *cells)
{
	void *ptr = size > 0 && count > SIZE_MAX / size
			    ? NULL
			    : cells_malloc(count * size, cells);

	if (ptr != NULL) {
		memset(ptr, 0, count * size);
	}
	return ptr;
}

void *cells_realloc(void *ptr, size_t size, void *cells)
{
	size_t old = ptr == NULL ? 0 : cell_of(ptr)->size;
	void *moved;

	if (ptr != NULL && size <= old) {
		return ptr;
	}
	moved = cells_malloc(size, cells);
	if (moved != NULL && ptr != NULL) {
		memcpy(moved, ptr, old);
		cells_free(ptr, cells);
	}
	return moved;
}

void cells_release(struct cells *cells)
{
	for (size_t i = 0; i < CELL_SIZES; i++) {
		while (cells->spare[i] != NULL) {
			struct cell *cell = cells->spare[i];

			cells->spare[i] = cell->next;
			mem_free(cell);
		}
	}
}
