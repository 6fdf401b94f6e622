/*
 * The stage around the engine: what push-apns and push-fcm do alike.  Each of
 * them has one struct sender, fills in its setup by options, and hands these
 * functions to the runtime.
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

/* As struct stage has them; `self' is the struct sender. */
int sender_open(void *self, struct run *run, struct err *err);
int sender_reload(void *self, struct run *run, struct err *err);
int sender_handle(void *self, struct batch *batch, struct err *err);
void sender_drain(void *self);
void sender_count(void *self, struct buf *json);
void sender_close(void *self);

#endif
