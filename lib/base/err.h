/*
 * Errors of resources: what failed, in words a person can act on.
 *
 * Not for outcomes of records (record/outcome.h) and not for broken promises of
 * ours (BUG below).
 */
#ifndef PUSH_BASE_ERR_H
#define PUSH_BASE_ERR_H

#include <stdbool.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum {
	EXIT_OK = 0,
	EXIT_USAGE =
		100,     /* options, configuration or key file: call a person */
	EXIT_BUG = 101,  /* a promise of ours broke */
	EXIT_TEMP = 111, /* a resource failed: restart with backoff */
};

/* One failure.  Start it as { 0 }; plain data, nothing to release. */
struct err {
	bool is_usage; /* a person must change something: EXIT_USAGE */
	char text[488];
};

/*
 * Records a temporary failure and returns -1, so that callers can write
 * `return err_set(...)'.  `errnum' is an errno value whose reason is appended,
 * or 0 for none.  Text too long is cut.  `err' may be NULL.
 */
int err_set(struct err *err, int errnum, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* The same for what only a person can repair: wrong option, bad key file. */
int err_usage(struct err *err, int errnum, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/*
 * Puts "prefix: " before the text already recorded; returns -1.  The kind of
 * failure stays as it was.
 */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Hands on a failure that was recorded elsewhere; returns -1. */
int err_copy(struct err *err, const struct err *from);

/* The exit status that fits this failure. */
int err_status(const struct err *err);

/* An impossible state: prints file and line, exits 101 with no clean-up. */
#define BUG(...) err_bug(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void err_bug(const char *file, int line, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#endif
