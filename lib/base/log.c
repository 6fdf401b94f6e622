/*
 * Log lines, one write each, with a small table that remembers how often each
 * place has spoken lately.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	LINE_BYTES = 1024,
	PLACES = 64,
	BURST = 5, /* lines a place may write in a window */
	WINDOW_MS = 10 * 1000,
};

/* One place in the code that logs, named by its format string. */
struct place {
	const char *fmt;
	enum log_level level;
	int64_t window_mono_ms; /* when the current window began */
	unsigned written;
	unsigned held;
};

static struct {
	const char *program;
	const char *node;
	bool is_json;
	enum log_level most;
	struct place places[PLACES];
} logger = { .program = "push", .most = LOG_INFO };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log_open(const char *program, const char *node, enum log_format format,
	enum log_level most)
{
	logger.program = program;
	logger.node = node;
	logger.is_json = format == LOG_JSON ||
			 (format == LOG_AUTO && isatty(STDERR_FILENO) == 0);
	logger.most = most;
}

/* Appends `text' as the inside of a JSON string; what does not fit is cut. */
static size_t put_escaped(char *dst, size_t at, size_t size, const char *text)
{
	for (; *text != '\0' && at + 7 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			dst[at++] = '\\';
			dst[at++] = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			at += (size_t)snprintf(
				dst + at, size - at, "\\u%04x", c);
		} else {
			dst[at++] = (char)c;
		}
	}
	return at;
}

static void write_line(enum log_level level, const char *text)
{
	char line[LINE_BYTES * 2];
	size_t at;

	if (logger.is_json) {
		int n = snprintf(line, sizeof(line),
			"{\"time_ms\":%lld,\"level\":\"%s\",\"program\":\"%s\","
			"\"node\":\"%s\",\"pid\":%ld,\"text\":\"",
			(long long)clock_unix_ms(), level_names[level],
			logger.program,
			logger.node != NULL ? logger.node : logger.program,
			(long)getpid());

		at = put_escaped(line, (size_t)n, sizeof(line) - 3, text);
		line[at++] = '"';
		line[at++] = '}';
	} else {
		bool is_plain =
			level == LOG_INFO || strncmp(text, "fatal:", 6) == 0;
		int n = snprintf(line, sizeof(line) - 1, "%s: %s%s%s",
			logger.program, is_plain ? "" : level_names[level],
			is_plain ? "" : ": ", text);

		at = (size_t)n < sizeof(line) - 1 ? (size_t)n
						  : sizeof(line) - 2;
	}
	line[at++] = '\n';
	/* Nobody is left to tell when standard error is gone. */
	ssize_t done = write(STDERR_FILENO, line, at);
	(void)done;
}

static void tell_held(struct place *p)
{
	char text[LINE_BYTES];

	if (p->held > 0) {
		(void)snprintf(text, sizeof(text), "… and %u more like '%s'",
			p->held, p->fmt);
		write_line(p->level, text);
		p->held = 0;
	}
}

/* May this place write another line now? */
static bool is_due(const char *fmt, enum log_level level)
{
	int64_t now = clock_mono_ms();
	struct place *p = &logger.places[((uintptr_t)fmt >> 3) % PLACES];

	if (p->fmt != fmt || now - p->window_mono_ms >= WINDOW_MS) {
		if (p->fmt != NULL) {
			tell_held(p);
		}
		*p = (struct place){ fmt, level, now, 0, 0 };
	}
	if (p->written < BURST) {
		p->written++;
		return true;
	}
	p->held++;
	return false;
}

void log_tick(void)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < PLACES; i++) {
		struct place *p = &logger.places[i];

		if (p->held > 0 && now - p->window_mono_ms >= WINDOW_MS) {
			tell_held(p);
			p->window_mono_ms = now;
			p->written = 0;
		}
	}
}

static void say(enum log_level level, const char *fmt, va_list args)
	PRINTF_LIKE(2, 0);

static void say(enum log_level level, const char *fmt, va_list args)
{
	char text[LINE_BYTES];

	if (level > logger.most || !is_due(fmt, level)) {
		return;
	}
	(void)vsnprintf(text, sizeof(text), fmt, args);
	write_line(level, text);
}

#define SAY(level)                     \
	{                              \
		va_list args;          \
		va_start(args, fmt);   \
		say(level, fmt, args); \
		va_end(args);          \
	}

void log_error(const char *fmt, ...) SAY(LOG_ERROR)

	void log_warn(const char *fmt, ...) SAY(LOG_WARN)

		void log_info(const char *fmt, ...) SAY(LOG_INFO)

			void log_debug(const char *fmt, ...) SAY(LOG_DEBUG)

				void fatal(int status, const char *fmt, ...)
{
	char text[LINE_BYTES] = "fatal: ";
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text + 7, sizeof(text) - 7, fmt, args);
	va_end(args);
	write_line(LOG_ERROR, text);
	exit(status);
}
