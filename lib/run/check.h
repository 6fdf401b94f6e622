/* Has every program of the plans check its options and the configuration. */
#ifndef PUSH_RUN_CHECK_H
#define PUSH_RUN_CHECK_H

#include "base/err.h"
#include "run/plan.h"

/*
 * Calls each of our programs with its arguments and --check, one after the
 * other; what they complain about is on the standard error that they share.
 * Waits for them, a moment each.  A usage failure that tells how many did not
 * agree; another when one cannot be started.
 */
int check_plans(
	const struct plan *plans, size_t count, struct err *err) MUST_CHECK;

#endif
