/* Allocation that ends the program instead of returning NULL. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise() */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"

enum { HUGE_PAGE_BYTES = 2 * 1024 * 1024 }; /* of most systems */

/* Counts down to the allocation that a test wants to fail; 0: off. */
static unsigned long fail_in;

static _Noreturn void gone(size_t size)
{
	(void)fprintf(stderr, "fatal: out of memory (%zu bytes)\n", size);
	_Exit(EXIT_TEMP);
}

static void *checked(void *ptr, size_t size)
{
	if (ptr == NULL || (fail_in > 0 && --fail_in == 0)) {
		gone(size);
	}
	return ptr;
}

void *mem_alloc(size_t size)
{
	size = size == 0 ? 1 : size;
	return checked(malloc(size), size);
}

void *mem_array(size_t count, size_t size)
{
	count = count == 0 ? 1 : count;
	return checked(calloc(count, size == 0 ? 1 : size), count);
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size) {
		gone(SIZE_MAX);
	}
	size *= count;
	size = size == 0 ? 1 : size;
	return checked(realloc(ptr, size), size);
}

char *mem_dup(const void *ptr, size_t len)
{
	char *copy = mem_alloc(len + 1);

	if (len > 0) {
		memcpy(copy, ptr, len);
	}
	copy[len] = '\0';
	return copy;
}

char *mem_text(const char *text)
{
	return text == NULL ? NULL : mem_dup(text, strlen(text));
}

void mem_free(void *ptr)
{
	free(ptr);
}

/* --- tables --- */

/* Whole huge pages; 0: too small for one. */
static size_t table_bytes(size_t count, size_t size)
{
	if (size != 0 && count > (SIZE_MAX / 2) / size) {
		gone(SIZE_MAX);
	}
	size *= count;
	return size < HUGE_PAGE_BYTES
		       ? 0
		       : (size + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES *
				 HUGE_PAGE_BYTES;
}

/* Fresh memory at a multiple of HUGE_PAGE_BYTES, or NULL. */
static void *map_aligned(size_t bytes)
{
	char *all = mmap(NULL, bytes + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
		/* cppcheck-suppress invalidFunctionArg ; -1 is no file */
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *table;
	size_t before;

	if (all == MAP_FAILED) {
		return NULL;
	}
	before = HUGE_PAGE_BYTES - (uintptr_t)all % HUGE_PAGE_BYTES;
	table = all + before;
	/* What cannot be given back is address space, and no memory. */
	(void)munmap(all, before);
	(void)munmap(table + bytes, HUGE_PAGE_BYTES - before);
	return table;
}

void *mem_table(size_t count, size_t size)
{
	size_t bytes = table_bytes(count, size);
	void *table;

	if (bytes == 0) {
		return mem_array(count, size);
	}
	table = checked(map_aligned(bytes), bytes);
#ifdef MADV_HUGEPAGE
	/* Else it is in small pages. */
	(void)madvise(table, bytes, MADV_HUGEPAGE);
#endif
	return table;
}

void mem_table_free(void *table, size_t count, size_t size)
{
	size_t bytes = table_bytes(count, size);

	if (bytes == 0) {
		mem_free(table);
	} else if (table != NULL && munmap(table, bytes) != 0) {
		BUG("not a table of %zu bytes", bytes);
	}
}

void mem_fail_at(unsigned long nth)
{
	fail_in = nth;
}
