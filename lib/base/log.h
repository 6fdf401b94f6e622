/*
 * The program's log: one line an event on standard error, as text for a
 * terminal or one JSON object a line otherwise.
 *
 * Never pass a device token, payload text or key.  Show a notification by its
 * id.  A message repeated from the same place (same format string) more than
 * five times in ten seconds is held back and then counted in one line.
 */
#ifndef PUSH_BASE_LOG_H
#define PUSH_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON };

/*
 * Call once, first.  `program' is borrowed for the life of the process;
 * `node' likewise, or NULL.  LOG_AUTO is text on a terminal, else JSON.
 */
void log_open(const char *program, const char *node, enum log_format format,
	enum log_level most);

void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Tells what was held back and is due; the runtime calls it once a second. */
void log_tick(void);

/* Logs "fatal: ..." and exits with `status'. */
_Noreturn void fatal(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
