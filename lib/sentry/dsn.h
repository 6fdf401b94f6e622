/*
 * Where Sentry is: a DSN, {scheme}://{key}[:{secret}]@{host}[:{port}][/{path}]/{project}.
 *
 * Source: Sentry's developer documentation, "Authentication" and "Envelopes",
 * read 2026-11.
 */
#ifndef PUSH_SENTRY_DSN_H
#define PUSH_SENTRY_DSN_H

#include "base/err.h"

enum { DSN_KEY_MAX_BYTES = 256 };

struct dsn {
	char *url; /* owned; of the envelope endpoint */
	char *key; /* owned; at most DSN_KEY_MAX_BYTES */
};

/* -1 with a usage failure; the text of the DSN is not repeated, for it is a
 * secret. */
int dsn_parse(struct dsn *out, const char *text, struct err *err) MUST_CHECK;
/* The same from a file; NULL is a usage failure. */
int dsn_load(struct dsn *out, const char *file, struct err *err) MUST_CHECK;
void dsn_release(struct dsn *d);

#endif
