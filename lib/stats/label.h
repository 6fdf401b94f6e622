/*
 * What may stand in a label of a metric: short text without control characters,
 * of which each user keeps a bounded number.
 */
#ifndef PUSH_STATS_LABEL_H
#define PUSH_STATS_LABEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum { STATS_LABEL_BYTES = 48 };

struct stats_label {
	size_t len;
	char text[STATS_LABEL_BYTES + 1];
};

/* `text', "" when it is absent, or "other" when it is too long or would disturb
 * a terminal. */
static inline struct span label_text(struct span text)
{
	if (text.ptr == NULL) {
		return span_of("");
	}
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c == 0x7f) {
			return span_of("other");
		}
	}
	return text.len > STATS_LABEL_BYTES ? span_of("other") : text;
}

/* `text' comes from label_text(). */
static inline void label_set(struct stats_label *l, struct span text)
{
	memcpy(l->text, text.ptr, text.len);
	l->text[text.len] = '\0';
	l->len = text.len;
}

static inline bool label_is(const struct stats_label *l, struct span text)
{
	return l->len == text.len && memcmp(l->text, text.ptr, text.len) == 0;
}

#endif
