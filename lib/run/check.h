/* Has every program of a plan check its options and the configuration. */
#ifndef PUSH_RUN_CHECK_H
#define PUSH_RUN_CHECK_H

#include "base/err.h"
#include "run/plan.h"

/*
 * Calls each of our programs with its arguments and --check, one after the
 * other; what they complain about is on the standard error that they share.
 * Waits for them, a moment each.  Sets *failed to how many did not agree.  -1
 * when one cannot be started.
 */
int check_plan(
	const struct plan *plan, size_t *failed, struct err *err) MUST_CHECK;

#endif
