/*
 * The platforms that apps may send to: `platforms' of their sections in
 * push.conf.  push-auth asks about the devices that a task names, push-lookup
 * about those that it finds.
 */
#ifndef PUSH_POLICY_PLATFORMS_H
#define PUSH_POLICY_PLATFORMS_H

#include <stdbool.h>

#include "base/span.h"
#include "record/conf.h"
#include "record/record.h"

struct platforms_set {
	bool is_listed; /* false: all are allowed */
	bool has[PLATFORM_ANDROID + 1];
};

/* Reads one app's section, whose types have been checked. */
struct platforms_set platforms_read(const struct json *app);

bool platforms_allow(const struct platforms_set *set, enum platform platform);

/* Those of all apps; `conf' NULL: no app lists any. */
struct platforms;
struct platforms *platforms_new(const struct conf *conf);
void platforms_free(struct platforms *p); /* accepts NULL */

/* The app's set; NULL: all are allowed.  Borrowed. */
const struct platforms_set *platforms_of(
	const struct platforms *p, struct span app);

#endif
