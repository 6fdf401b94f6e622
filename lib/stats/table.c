/* Columns of text.  Cells are kept until all widths are known. */
#include "stats/table.h"

#include <string.h>

#include "base/err.h"
#include "base/num.h"

void table_init(struct table *t, size_t columns)
{
	*t = (struct table){ .columns = columns, .is_left = { true } };
	if (columns == 0 || columns > TABLE_COLUMNS_MAX) {
		BUG("a table of %zu columns", columns);
	}
	buf_init(&t->cells, TABLE_MAX_BYTES);
}

void table_init_heads(struct table *t, const char *const *heads)
{
	size_t columns = 0;

	while (heads[columns] != NULL) {
		columns++;
	}
	table_init(t, columns);
	for (size_t i = 0; i < columns; i++) {
		t->is_left[i] = heads[i][0] == '<' || i == 0;
		table_text(t, heads[i] + (heads[i][0] == '<'));
	}
}

void table_release(struct table *t)
{
	buf_release(&t->cells);
}

void table_text(struct table *t, const char *text)
{
	size_t len = strlen(text);
	size_t *width = &t->widths[t->count % t->columns];

	buf_put(&t->cells, text, len + 1);
	t->count++;
	if (len > *width) {
		*width = len;
	}
}

void table_u64(struct table *t, uint64_t n)
{
	char text[21];

	text[num_format_u64(text, n)] = '\0';
	table_text(t, text);
}

void table_ms(struct table *t, int64_t us)
{
	char text[32];

	if (fmt_into(text, sizeof(text), "%lld.%03lld", (long long)(us / 1000),
		    (long long)(us % 1000)) != 0) {
		BUG("a time longer than %zu digits", sizeof(text));
	}
	table_text(t, text);
}

void table_write(struct table *t, struct buf *out)
{
	const char *cell = t->cells.data;

	if (buf_is_over(&t->cells)) {
		buf_text(out, "(too many rows)\n");
		return;
	}
	for (size_t i = 0; i < t->count; i++) {
		size_t column = i % t->columns;
		size_t len = strlen(cell);
		size_t pad = t->widths[column] - len;

		if (column > 0) {
			buf_text(out, "  ");
		}
		if (!t->is_left[column]) {
			buf_fmt(out, "%*s", (int)pad, "");
		}
		buf_put(out, cell, len);
		if (column + 1 == t->columns) {
			buf_putc(out, '\n');
		} else if (t->is_left[column]) {
			buf_fmt(out, "%*s", (int)pad, "");
		}
		cell += len + 1;
	}
}
