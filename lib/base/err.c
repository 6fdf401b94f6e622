/* Formats failures into fixed texts, and ends the program on broken promises. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Puts the formatted text and the system's reason into `dst'; cuts what is too
 * long, which for a message is better than no message. */
static void format(char *dst, size_t size, int errnum, const char *fmt,
	va_list args) PRINTF_LIKE(4, 0);

static void format(
	char *dst, size_t size, int errnum, const char *fmt, va_list args)
{
	int n = vsnprintf(dst, size, fmt, args);

	if (errnum != 0 && n >= 0 && (size_t)n < size) {
		char reason[128] = "";

		if (strerror_r(errnum, reason, sizeof(reason)) != 0) {
			(void)snprintf(
				reason, sizeof(reason), "error %d", errnum);
		}
		(void)snprintf(dst + n, size - (size_t)n, ": %s", reason);
	}
}

int err_set(struct err *err, int errnum, const char *fmt, ...)
{
	va_list args;

	if (err == NULL) {
		return -1;
	}
	err->is_usage = false;
	va_start(args, fmt);
	format(err->text, sizeof(err->text), errnum, fmt, args);
	va_end(args);
	return -1;
}

int err_usage(struct err *err, int errnum, const char *fmt, ...)
{
	va_list args;

	if (err == NULL) {
		return -1;
	}
	err->is_usage = true;
	va_start(args, fmt);
	format(err->text, sizeof(err->text), errnum, fmt, args);
	va_end(args);
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	struct err old;
	size_t used;
	va_list args;

	if (err == NULL) {
		return -1;
	}
	old = *err;
	va_start(args, fmt);
	format(err->text, sizeof(err->text), 0, fmt, args);
	va_end(args);
	used = strlen(err->text);
	(void)snprintf(
		err->text + used, sizeof(err->text) - used, ": %s", old.text);
	return -1;
}

int err_copy(struct err *err, const struct err *from)
{
	if (err != NULL) {
		*err = *from;
	}
	return -1;
}

int err_status(const struct err *err)
{
	return err->is_usage ? EXIT_USAGE : EXIT_TEMP;
}

void err_bug(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	(void)fprintf(stderr, "bug: %s:%d: ", file, line);
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputc('\n', stderr);
	_Exit(EXIT_BUG);
}
