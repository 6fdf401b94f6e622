/* A stretch of bytes that somebody else owns; not NUL-terminated. */
#ifndef PUSH_BASE_SPAN_H
#define PUSH_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *ptr; /* borrowed; NULL: absent */
	size_t len;
};

static inline struct span span_of(const char *text)
{
	return (struct span){ text, text == NULL ? 0 : strlen(text) };
}

/*
 * Are these `len' bytes the same?  Names are short: two loads that may overlap
 * cost less than a call, and a record has dozens of them.  (cppcheck takes the
 * lengths that the branches ask for to be those that some caller's array has.)
 */
static inline bool span_same_bytes(const char *a, const char *b, size_t len)
{
	uint64_t a8[2];
	uint64_t b8[2];
	uint32_t a4[2];
	uint32_t b4[2];

	if (len > sizeof(a8)) {
		return memcmp(a, b, len) == 0;
	}
	if (len >= sizeof(a8[0])) {
		memcpy(&a8[0], a, sizeof(a8[0]));
		memcpy(&b8[0], b, sizeof(b8[0]));
		memcpy(&a8[1], a + len - sizeof(a8[1]), sizeof(a8[1]));
		/* cppcheck-suppress pointerOutOfBoundsCond */
		memcpy(&b8[1], b + len - sizeof(b8[1]), sizeof(b8[1]));
		return ((a8[0] ^ b8[0]) | (a8[1] ^ b8[1])) == 0;
	}
	if (len >= sizeof(a4[0])) {
		memcpy(&a4[0], a, sizeof(a4[0]));
		memcpy(&b4[0], b, sizeof(b4[0]));
		memcpy(&a4[1], a + len - sizeof(a4[1]), sizeof(a4[1]));
		/* cppcheck-suppress pointerOutOfBoundsCond */
		memcpy(&b4[1], b + len - sizeof(b4[1]), sizeof(b4[1]));
		return ((a4[0] ^ b4[0]) | (a4[1] ^ b4[1])) == 0;
	}
	/* cppcheck-suppress arrayIndexOutOfBoundsCond */
	while (len > 0 && a[len - 1] == b[len - 1]) {
		len--;
	}
	return len == 0;
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && span_same_bytes(a.ptr, b.ptr, a.len);
}

static inline bool span_is(struct span s, const char *text)
{
	size_t len = strlen(text); /* known when this is compiled */

	return s.ptr != NULL && s.len == len &&
	       span_same_bytes(s.ptr, text, len);
}

#endif
