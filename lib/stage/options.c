/* The options that all stages share. */
#include "stage/options.h"

#include "record/record.h"

struct options stage_options = {
	.in = "-",
	.out = "-",
	.log_format = "auto",
	.max_line = RECORD_MAX_BYTES,
	.drain_ms = 30 * 1000,
	.ready_fd = -1,
};

/* clang-format off */
const struct opt stage_option_rows[] = {
	{ "config", 'c', OPT_TYPE_TEXT, "FILE", &stage_options.config, NULL, 0, 0,
		"read push.conf; default $PUSH_CONFIG" },
	{ "in", 'i', OPT_TYPE_TEXT, "ENDPOINT", &stage_options.in, NULL, 0, 0,
		"read from - (standard input) or unix:PATH" },
	{ "out", 'o', OPT_TYPE_TEXT, "ENDPOINT", &stage_options.out, NULL, 0, 0,
		"write to - (standard output) or unix:PATH" },
	OPT_TEXT("node", "NAME", &stage_options.node, NULL,
		"name of this node in traces; default: the program's without push-"),
	OPT_FLAG("check", &stage_options.is_check,
		"check options and configuration, and exit"),
	OPT_FLAG("replay", &stage_options.is_replay,
		"take the time from captured records and decide them again"),
	OPT_FLAG("drop-decided", &stage_options.drops_decided,
		"write undecided records only"),
	OPT_BYTES("max-line", "BYTES", &stage_options.max_line, NULL,
		"longest task; default 64K"),
	OPT_DURATION("drain", "TIME", &stage_options.drain_ms, NULL,
		"finish what is in flight within this time; default 30s"),
	OPT_FILE("counters", "PATH", &stage_options.counters, "counters",
		"Unix socket of the collector; default $PUSH_COUNTERS"),
	OPT_INT("ready-fd", "N", &stage_options.ready_fd, 0, 1 << 20, NULL,
		"write a newline to this descriptor when ready"),
	OPT_TEXT("log-format", "text|json", &stage_options.log_format, NULL,
		"form of the log; default text on a terminal, else json"),
	{ "verbose", 'v', OPT_TYPE_FLAG, NULL, &stage_options.is_verbose, NULL, 0, 0,
		"log more" },
	OPT_END,
};
/* clang-format on */
