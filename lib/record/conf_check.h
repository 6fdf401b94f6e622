/*
 * Holds push.conf against the table; for lib/record/conf.c.
 */
#ifndef PUSH_RECORD_CONF_CHECK_H
#define PUSH_RECORD_CONF_CHECK_H

#include "record/conf.h"

/* 0, or -1 with a usage failure for the first member that the table does not
 * know or that is of another type.  With `files', the same configuration, those
 * it names must be there, too. */
int conf_check(const struct json *root, const struct conf *files,
	struct err *err) MUST_CHECK;

#endif
