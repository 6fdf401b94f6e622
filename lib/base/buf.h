/*
 * Bytes of unknown length, up to a maximum that the owner sets.
 *
 * Going over the maximum is remembered, not fatal: the put that would have
 * gone over and all later ones do nothing, and buf_is_over() tells.
 */
#ifndef PUSH_BASE_BUF_H
#define PUSH_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct buf {
	char *data; /* owned; valid up to len, may be NULL while len is 0 */
	size_t len;
	size_t cap;
	size_t max;
	bool is_over;
};

/* Prepares an empty buffer that may grow to `max' bytes; allocates nothing. */
void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);

/* Empties it, keeps the memory, forgets an overflow. */
void buf_reset(struct buf *b);

/* Empties it and makes it hold `size' bytes, without the slack that growing
 * leaves: for what is kept in great numbers. */
void buf_fit(struct buf *b, size_t size);

static inline void buf_put(struct buf *b, const void *ptr, size_t len);
static inline void buf_putc(struct buf *b, char c);
static inline void buf_text(struct buf *b, const char *text);
void buf_u64(struct buf *b, uint64_t n);
void buf_i64(struct buf *b, int64_t n);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Room for `len' more bytes at b->data + b->len, or NULL and over. */
char *buf_room(struct buf *b, size_t len);

/* Drops the first `len' bytes by moving the rest down. */
void buf_consume(struct buf *b, size_t len);

/* Drops what is behind `len'; also forgets an overflow. */
void buf_cut(struct buf *b, size_t len);

/* Adds a NUL behind the text (not counted in len) and returns the text. */
const char *buf_string(struct buf *b);

bool buf_is_over(const struct buf *b);

/*
 * Formats into a fixed array; 0, or -1 when the text did not fit (dst then
 * holds an empty string).  For formats whose length is bounded.
 */
int fmt_into(char *dst, size_t size, const char *fmt, ...)
	PRINTF_LIKE(3, 4) MUST_CHECK;

/* The same for a function that takes the arguments of a format itself. */
int fmt_into_v(char *dst, size_t size, const char *fmt, va_list args)
	PRINTF_LIKE(3, 0) MUST_CHECK;

/* Reads a whole file of at most b->max bytes behind what `b' holds. */
int buf_read_file(struct buf *b, const char *path, struct err *err) MUST_CHECK;

/* Writes all of it, waiting where the descriptor makes it wait. */
int buf_write_fd(const struct buf *b, int fd, struct err *err) MUST_CHECK;
/* The same into a file, which is made or emptied first. */
int buf_write_file(
	const struct buf *b, const char *path, struct err *err) MUST_CHECK;

/* --- inline: what a record is put together with --- */

/* buf_put() where there is no room yet. */
void buf_put_more(struct buf *b, const void *ptr, size_t len);

static inline void buf_put(struct buf *b, const void *ptr, size_t len)
{
	if (len < b->cap - b->len && !b->is_over && len > 0) {
		memcpy(b->data + b->len, ptr, len);
		b->len += len;
	} else {
		buf_put_more(b, ptr, len);
	}
}

static inline void buf_putc(struct buf *b, char c)
{
	if (b->len < b->cap && !b->is_over) {
		b->data[b->len++] = c;
	} else {
		buf_put_more(b, &c, 1);
	}
}

static inline void buf_text(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

#endif
