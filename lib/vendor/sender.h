/*
 * The stage around the engine: what push-apns and push-fcm do alike.  Each of
 * them has one struct sender, fills in its setup by options, those it has alone
 * and those below, and runs as sender_main() makes it.
 */
#ifndef PUSH_VENDOR_SENDER_H
#define PUSH_VENDOR_SENDER_H

#include <stdbool.h>

#include "stage/stage.h"
#include "vendor/engine.h"

/* A URL: of the command line, else of push.conf, where HUP may change it, else
 * the usual one. */
struct sender_place {
	const char **target; /* an option's, in the setup; NULL ends a list */
	const char *conf;
	const char *usual; /* or NULL */
	bool is_fixed;     /* by the command line */
};

struct sender {
	struct engine_setup setup; /* what the options say */
	struct sender_place *places;
	bool is_dry_run;
	struct run *run;
	struct engine *engine; /* owned; from open to close */
};

/* What the setup of both begins with, and the options that change it, with `name'
 * for the vendor in push.conf.  `of' tells in a word more what connections are
 * counted by. */
/* clang-format off */
#define SENDER_USUAL \
	.connections = 4, \
	.window = 1000, \
	.timeout_ms = 10 * 1000, \
	.pace = { .ramp_ms = 60 * 1000 }

#define SENDER_OPTS(sender, name, of) \
	OPT_FILE("ca-file", "FILE", &(sender).setup.ca_file, name ".ca_file", \
		"certificates to trust instead of the system's"), \
	OPT_INT("connections", "N", &(sender).setup.connections, 1, 256, name ".connections", \
		"connections of a credential" of ", at most; default 4"), \
	OPT_INT("window", "N", &(sender).setup.window, 1, 100000, name ".window", \
		"records in flight at once, at most; default 1000"), \
	OPT_DURATION("timeout", "TIME", &(sender).setup.timeout_ms, name ".timeout", \
		"how long an answer may take; default 10s"), \
	OPT_INT("rate", "N", &(sender).setup.pace.per_s, 0, 1000000, name ".rate", \
		"notifications a second with one credential, at most; default 0, no limit"), \
	OPT_DURATION("ramp", "TIME", &(sender).setup.pace.ramp_ms, name ".ramp", \
		"how long --rate takes to rise from a tenth; default 60s"), \
	OPT_FLAG("dry-run", &(sender).is_dry_run, \
		"build the requests, send nothing")
/* clang-format on */

/* stage_main() of a stage that says its name, summary, options and, as `self',
 * its struct sender; all else is as both vendors have it. */
int sender_main(const struct stage *stage, int argc, char **argv);

#endif
