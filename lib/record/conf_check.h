/*
 * Holds push.conf against the table; for lib/record/conf.c.
 */
#ifndef PUSH_RECORD_CONF_CHECK_H
#define PUSH_RECORD_CONF_CHECK_H

#include "record/conf.h"

/*
 * 0, or -1 with a usage failure for the first member that the table does not
 * know or that is of another type; with `told' (or NULL) for the last one, and
 * `told' has heard of those before it.  With `has_files' those that the
 * configuration names must be there, too.  Failures have their place.
 */
int conf_check(const struct conf *c, bool has_files, conf_told *told,
	void *self, struct err *err) MUST_CHECK;

#endif
