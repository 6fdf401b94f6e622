/* Allocation that ends the program instead of returning NULL. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

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

void mem_fail_at(unsigned long nth)
{
	fail_in = nth;
}
