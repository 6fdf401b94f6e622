/* The files of the page for people, from lib/stats/page/. */
#ifndef PUSH_STATS_PAGE_H
#define PUSH_STATS_PAGE_H

#include "base/span.h"

struct page_file {
	const char *path; /* as in the URL */
	const char *type; /* Content-Type */
	struct span bytes;
};

/* Whether there is such a file. */
bool page_find(const char *path, struct page_file *out);

#endif
