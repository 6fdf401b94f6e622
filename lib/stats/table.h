/*
 * Columns of text, as wide as what is in them: numbers flush right, words flush
 * left.
 */
#ifndef PUSH_STATS_TABLE_H
#define PUSH_STATS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { TABLE_COLUMNS_MAX = 24, TABLE_MAX_BYTES = 1024 * 1024 };

struct table {
	struct buf cells; /* texts, each with its NUL */
	size_t columns;
	size_t count; /* cells so far */
	size_t widths[TABLE_COLUMNS_MAX];
	bool is_left[TABLE_COLUMNS_MAX];
};

/* The first column is flush left. */
void table_init(struct table *t, size_t columns);
/* With these headings; one that begins with '<' makes its column flush left.
 * NULL ends the list. */
void table_init_heads(struct table *t, const char *const *heads);
void table_release(struct table *t);

/* Adds the next cell, row by row from the left; ASCII only counts right. */
void table_text(struct table *t, const char *text);
void table_u64(struct table *t, uint64_t n);
/* Microseconds, shown as milliseconds with all their digits. */
void table_ms(struct table *t, int64_t us);

/* Appends the rows, without blanks at their ends. */
void table_write(struct table *t, struct buf *out);

#endif
