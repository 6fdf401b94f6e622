/*
 * The numbers over HTTP while they grow, and what feeds them besides the
 * stream: the programs' reports, the queues' depth, the last two minutes.
 */
#ifndef PUSH_STATS_SERVE_H
#define PUSH_STATS_SERVE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "record/conf.h"
#include "stats/stats.h"

struct serve;

/* Borrowed for its life. */
struct serve_setup {
	struct loop *loop;
	const struct stats *stats;
	const char *counters; /* socket of the programs' reports; NULL: none */
	const char *listen;   /* "ADDRESS:PORT"; NULL: nobody may look in */
	const char *ports_file;  /* gets "http PORT"; NULL: none */
	bool is_watched;         /* print the live table once a second */
	const struct conf *conf; /* for the queues and their Redis */
};

int serve_open(struct serve **out, const struct serve_setup *setup,
	struct err *err) MUST_CHECK;
void serve_close(struct serve *s); /* accepts NULL */

#endif
