/* The options that all stages share, and what some of them do. */
#include "stage/options.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "record/record.h"
#include "stage/run.h"

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
	OPT_CONFIG(&stage_options.config, "read push.conf"),
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
	OPT_READY_FD(&stage_options.ready_fd, "ready"),
	OPT_LOG_FORMAT(&stage_options.log_format),
	OPT_VERBOSE(&stage_options.is_verbose),
	OPT_END,
};
/* clang-format on */

int options_open_log(const char *program, const char *node, const char *format,
	bool is_verbose, struct err *err)
{
	enum log_format form = LOG_AUTO;

	if (strcmp(format, "text") == 0) {
		form = LOG_TEXT;
	} else if (strcmp(format, "json") == 0) {
		form = LOG_JSON;
	} else if (strcmp(format, "auto") != 0) {
		return err_usage(err, 0,
			"--log-format wants text or json, not '%s'", format);
	}
	log_open(program, node, form, is_verbose ? LOG_DEBUG : LOG_INFO);
	return 0;
}

int options_tell_ready(int64_t fd, struct err *err)
{
	ssize_t written;

	if (fd < 0) {
		return 0;
	}
	written = write((int)fd, "\n", 1);
	(void)close((int)fd); /* the byte was taken, or nobody waits */
	return written == 1 ? 0
			    : err_usage(err, 0, "cannot write to --ready-fd %d",
				      (int)fd);
}
