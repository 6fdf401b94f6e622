/*
 * Lines of a file that may be about something: read in blocks, from either end,
 * and sorted out by their bytes before anybody parses them.
 */
#ifndef PUSH_STATS_SEARCH_H
#define PUSH_STATS_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum {
	SEARCH_BLOCK_BYTES = 4 * 1024 * 1024
}; /* a line longer than that is
						  not looked at */

/* Gets one line without its newline, borrowed; false ends the search. */
typedef bool search_line_cb(void *self, struct span line);

/* How far it is; `all' is 0 when nobody knows. */
typedef void search_progress_cb(void *self, uint64_t done, uint64_t all);

struct search {
	struct span text; /* a JSON string's value that lines must hold */
	search_line_cb *on_line;
	search_progress_cb *on_progress; /* now and then; NULL: nobody asks */
	void *self;
	uint64_t skipped; /* lines that are too long; the caller's 0 at first */
};

/* Whether the line may hold the text as a JSON string, or as one within a
 * string: true for too many, false for none that does. */
bool search_may_hold(struct span text, struct span line);

/* From the first line to the last, of anything that can be read, "-" for the
 * standard input; or back, of a regular file as it is now. */
int search_file(struct search *s, const char *path, bool is_back,
	struct err *err) MUST_CHECK;

#endif
