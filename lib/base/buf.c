/* A byte buffer that doubles up to its maximum. */
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

enum { FIRST_BYTES = 128 };

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_release(struct buf *b)
{
	mem_free(b->data);
	*b = (struct buf){ .max = b->max };
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->is_over = false;
}

char *buf_room(struct buf *b, size_t len)
{
	if (b->is_over || len > b->max || b->len > b->max - len) {
		b->is_over = true;
		return NULL;
	}
	if (b->data == NULL || b->len + len > b->cap) {
		size_t cap = b->cap == 0 ? FIRST_BYTES : b->cap;

		while (cap < b->len + len) {
			cap *= 2;
		}
		b->cap = cap < b->max ? cap : b->max;
		b->data = mem_resize(b->data, b->cap, 1);
	}
	return b->data + b->len;
}

void buf_fit(struct buf *b, size_t size)
{
	b->len = 0;
	b->is_over = size > b->max;
	if (size > b->cap && !b->is_over) {
		mem_free(b->data);
		b->data = NULL;
		b->cap = 0; /* should this allocation be the one that fails */
		b->data = mem_alloc(size);
		b->cap = size;
	}
}

void buf_put_more(struct buf *b, const void *ptr, size_t len)
{
	char *dst = buf_room(b, len);

	if (dst != NULL && len > 0) {
		memcpy(dst, ptr, len);
		b->len += len;
	}
}

void buf_u64(struct buf *b, uint64_t n)
{
	char digits[NUM_U64_BYTES];

	if (b->cap - b->len >= NUM_U64_BYTES && !b->is_over) {
		b->len += num_format_u64(b->data + b->len, n);
	} else {
		buf_put(b, digits, num_format_u64(digits, n));
	}
}

void buf_i64(struct buf *b, int64_t n)
{
	if (n < 0) {
		buf_putc(b, '-');
		buf_u64(b, (uint64_t)0 - (uint64_t)n);
		return;
	}
	buf_u64(b, (uint64_t)n);
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0) {
		BUG("cannot format '%s'", fmt);
	}

	char *dst = buf_room(b, (size_t)n + 1);

	if (dst != NULL) {
		va_start(args, fmt);
		(void)vsnprintf(dst, (size_t)n + 1, fmt, args);
		va_end(args);
		b->len += (size_t)n;
	}
}

void buf_consume(struct buf *b, size_t len)
{
	if (len > b->len) {
		BUG("consuming %zu of %zu bytes", len, b->len);
	}
	b->len -= len;
	if (len > 0 && b->len > 0) {
		memmove(b->data, b->data + len, b->len);
	}
}

void buf_cut(struct buf *b, size_t len)
{
	if (len > b->len) {
		BUG("cutting %zu bytes to %zu", b->len, len);
	}
	b->len = len;
	b->is_over = false;
}

const char *buf_string(struct buf *b)
{
	char *end = buf_room(b, 1);

	if (end == NULL) {
		if (b->len == 0) {
			return "";
		}
		b->data[b->len - 1] = '\0';
		return b->data;
	}
	*end = '\0';
	return b->data;
}

bool buf_is_over(const struct buf *b)
{
	return b->is_over;
}

int fmt_into_v(char *dst, size_t size, const char *fmt, va_list args)
{
	int n = vsnprintf(dst, size, fmt, args);

	if (n < 0 || (size_t)n >= size) {
		dst[0] = '\0';
		return -1;
	}
	return 0;
}

int fmt_into(char *dst, size_t size, const char *fmt, ...)
{
	va_list args;
	int result;

	va_start(args, fmt);
	result = fmt_into_v(dst, size, fmt, args);
	va_end(args);
	return result;
}

int buf_read_file(struct buf *b, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result = 0;

	if (fd < 0) {
		return err_usage(err, errno, "cannot read '%s'", path);
	}
	for (;;) {
		size_t room = b->max - b->len < 16384 ? b->max - b->len : 16384;
		/* One byte more than fits tells a file that is too long. */
		char *dst = room > 0 ? buf_room(b, room) : NULL;
		char extra;
		ssize_t n =
			dst != NULL ? read(fd, dst, room) : read(fd, &extra, 1);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			result =
				err_usage(err, errno, "cannot read '%s'", path);
			break;
		}
		if (n == 0) {
			break;
		}
		if (dst == NULL) {
			result = err_usage(err, 0,
				"file '%s' is longer than %zu bytes", path,
				b->max);
			break;
		}
		b->len += (size_t)n;
	}
	(void)close(fd); /* only read from */
	return result;
}

int buf_write_fd(const struct buf *b, int fd, struct err *err)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = write(fd, b->data + done, b->len - done);

		if (n < 0 && errno != EINTR) {
			return err_set(err, errno, "cannot write");
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int buf_write_file(const struct buf *b, const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int result;

	if (fd < 0) {
		return err_usage(err, errno, "cannot write '%s'", path);
	}
	result = buf_write_fd(b, fd, err);
	if (result != 0) {
		(void)err_prefix(err, "'%s'", path);
	}
	if (close(fd) != 0 && result == 0) {
		result = err_set(err, errno, "cannot write '%s'", path);
	}
	return result;
}
