/* What must be true of any input. */
#ifndef PUSH_FUZZ_EXPECT_H
#define PUSH_FUZZ_EXPECT_H

#include <stdlib.h>

static inline void expect(int is_true)
{
	if (!is_true) {
		abort();
	}
}

#endif
