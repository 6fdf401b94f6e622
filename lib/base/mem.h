/*
 * Memory that is there or the program is not.
 *
 * None of these returns NULL: when memory is gone the program ends with
 * EXIT_TEMP, which loses nothing, because what was not settled comes back.
 * Sizes that come from outside are checked before they get here.
 */
#ifndef PUSH_BASE_MEM_H
#define PUSH_BASE_MEM_H

#include <stddef.h>

/* `size' bytes, not zeroed.  Free with mem_free(). */
void *mem_alloc(size_t size);

/* `count' zeroed members of `size' bytes; overflow ends the program. */
void *mem_array(size_t count, size_t size);

/* Grows or shrinks what the others returned; new bytes are not zeroed. */
void *mem_resize(void *ptr, size_t count, size_t size);

/* A copy of `len' bytes with a NUL behind them. */
char *mem_dup(const void *ptr, size_t len);

/* A copy of a string; NULL stays NULL. */
char *mem_text(const char *text);

/* Accepts NULL. */
void mem_free(void *ptr);

/*
 * A zeroed array for a table that is touched all over, like one of hashes: in
 * huge pages where the system has them, since each small page that is touched
 * first costs about as much as the record that it is touched for.  Free with
 * mem_table_free() and the same numbers; that accepts NULL.
 */
void *mem_table(size_t count, size_t size);
void mem_table_free(void *table, size_t count, size_t size);

/*
 * For tests: the `nth' allocation from now on (1 is the next) fails as if
 * memory were gone.  0 turns it off.
 */
void mem_fail_at(unsigned long nth);

#endif
