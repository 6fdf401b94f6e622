/*
 * What devices and segments in Redis have in common: where their keys are, and
 * a walk over all of them.
 *
 * push:apps  set of the apps that have any, in a cluster only: there keys are
 *            looked for on the node of each app
 */
#ifndef PUSH_STORE_REGISTRY_REDIS_H
#define PUSH_STORE_REGISTRY_REDIS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "net/redis.h"
#include "policy/nameset.h"
#include "store/devices_backend.h"
#include "store/registry_key.h"

/* Remembers an app before anything of it is written, at most once a process.
 * For a server that is no cluster there is nothing to remember. */
int registry_note_app(struct redis *r, struct nameset *noted, struct span app,
	struct err *err) MUST_CHECK;

/* Gets some of the keys.  1 to go on, 0 to stop, -1: it failed. */
typedef int registry_cb(
	void *self, const struct devices_sink *keys, struct err *err);

/* All keys of a kind. */
int registry_walk(struct redis *r, const struct registry_kind *kind,
	registry_cb *cb, void *self, struct err *err) MUST_CHECK;

#endif
