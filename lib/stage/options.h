/*
 * The options that programs have in common: their rows and what they do.
 */
#ifndef PUSH_STAGE_OPTIONS_H
#define PUSH_STAGE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stage/opt.h"

/* Rows that stages and commands have alike. */
/* clang-format off */
#define OPT_CONFIG(target, does) \
	{ "config", 'c', _Generic((target), const char **: OPT_TYPE_TEXT), "FILE", target, NULL, 0, 0, \
		does "; default $PUSH_CONFIG" }
#define OPT_READY_FD(target, when) \
	OPT_INT("ready-fd", "N", target, 0, 1 << 20, NULL, \
		"write a newline to this descriptor when " when)
#define OPT_LOG_FORMAT(target) \
	OPT_TEXT("log-format", "text|json", target, NULL, \
		"form of the log; default text on a terminal, else json")
#define OPT_VERBOSE(target) \
	{ "verbose", 'v', _Generic((target), bool *: OPT_TYPE_FLAG), NULL, target, NULL, 0, 0, \
		"log more" }
/* clang-format on */

/* What --log-format and --verbose ask for; the texts as log_open() has them,
 * `format' is "auto" by default. */
int options_open_log(const char *program, const char *node, const char *format,
	bool is_verbose, struct err *err) MUST_CHECK;

/* Writes what --ready-fd promises, and closes it; nothing when `fd' is -1. */
int options_tell_ready(int64_t fd, struct err *err) MUST_CHECK;

#endif
