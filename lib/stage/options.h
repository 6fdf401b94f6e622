/*
 * What every stage's command line can say; for the files of this folder only.
 */
#ifndef PUSH_STAGE_OPTIONS_H
#define PUSH_STAGE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stage/opt.h"

struct options {
	const char *config;
	const char *in;
	const char *out;
	const char *node;
	const char *counters;
	const char *log_format;
	size_t max_line;
	int64_t drain_ms;
	int64_t ready_fd;
	bool is_check;
	bool is_replay;
	bool drops_decided;
	bool is_verbose;
};

/* The one that the table below fills: a program runs one stage. */
extern struct options stage_options;
extern const struct opt stage_option_rows[];

#endif
