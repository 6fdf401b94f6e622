/*
 * What no text may hold: PCRE2 patterns, compiled once, in UTF mode.  The
 * library is included in words.c only.
 */
#ifndef PUSH_POLICY_WORDS_H
#define PUSH_POLICY_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

struct words; /* opaque; used by one thread at a time */

/* None at first.  `is_caseless': upper and lower case are the same. */
struct words *words_new(bool is_caseless);
void words_free(struct words *words); /* accepts NULL */

/* Adds a pattern, which is copied.  -1 and a usage failure, with the offset,
 * when it is none. */
int words_add(
	struct words *words, struct span pattern, struct err *err) MUST_CHECK;
size_t words_count(const struct words *words);

struct words_hit {
	struct span pattern; /* as it was added; lives as long as the words */
	bool is_costly;      /* it took more work than a text is worth */
};

/* The first pattern that matches the text, which is valid UTF-8; one that takes
 * too much work counts as matched.  False, and *hit as it was: none does. */
bool words_find(struct words *words, struct span text, struct words_hit *hit);

#endif
