/*
 * The device registry: which devices a user of an app has.
 *
 *   redis://…, unix://…   shared by all workers
 *   lmdb:PATH             embedded, shared by this machine's programs
 *
 * A token of an app belongs to one user: registering it for another one moves
 * it.  The newest registration wins: one that was made before what is there
 * changes nothing, so that old exports can be imported in any order.
 */
#ifndef PUSH_STORE_DEVICES_H
#define PUSH_STORE_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/span.h"
#include "record/json.h"
#include "record/record.h"

enum {
	DEVICE_APP_MAX_BYTES = 128,
	DEVICE_USER_MAX_BYTES = 512,
	DEVICE_TOKEN_MAX_BYTES = 4096,
	DEVICE_LABEL_MAX_BYTES = 64, /* locale, time zone */
	DEVICES_BATCH_MAX = 1000,    /* for devices_put() */
};

/* One registration.  Texts are borrowed; absent ones are { NULL, 0 }. */
struct device {
	struct span app;
	struct span user;
	enum platform platform;
	struct span token;
	struct span environment; /* "production" or "sandbox" */
	struct span locale;      /* BCP 47: "zh-Hans-CN" */
	struct span time_zone;   /* IANA: "Asia/Shanghai" */
	int64_t registered_unix_ms;
};

/* Reads a registration as exported; borrowed from `v'.  An absent
 * registered_ms becomes `now_unix_ms'.  -1 is a usage failure. */
int device_parse(struct device *out, const struct json *v, int64_t now_unix_ms,
	struct err *err) MUST_CHECK;

/* Checks platform, token, texts and time; also done by device_parse(). */
int device_check(const struct device *d, struct err *err) MUST_CHECK;

/* Appends the object that a record carries as `device'. */
void device_write(const struct device *d, struct buf *out);

struct devices;

/* A usage failure for a wrong URL (memory: is one), temporary otherwise. */
int devices_open(
	struct devices **out, const char *url, struct err *err) MUST_CHECK;
void devices_close(struct devices *d); /* accepts NULL */

/* What became of registrations; devices_put() adds to it. */
struct devices_counts {
	uint64_t added;
	uint64_t updated;
	uint64_t moved;   /* from another user */
	uint64_t too_old; /* a newer registration was there */
};

/* Registers up to DEVICES_BATCH_MAX devices; again after a failure is
 * harmless. */
int devices_put(struct devices *d, const struct device *list, size_t count,
	struct devices_counts *counts, struct err *err) MUST_CHECK;

/*
 * Removes the device with the token, whoever has it or only if `user' does; or,
 * with no token, all devices of `user'.  *removed is how many.  A usage failure
 * when that names no device.
 */
int devices_remove(struct devices *d, const struct device *which,
	size_t *removed, struct err *err) MUST_CHECK;

/*
 * Removes the device with the token unless it was registered at or after
 * `dead_unix_ms', when the vendor knew it for dead: then it is alive again.
 * With `is_dry' it is only told.  *removed is 0 or 1.
 */
int devices_prune(struct devices *d, const struct device *which,
	int64_t dead_unix_ms, bool is_dry, size_t *removed,
	struct err *err) MUST_CHECK;

/*
 * The token as its devices are told apart by it: hexadecimal digits mean the same
 * in either case, so that an Apple token comes in small letters.  Borrowed from
 * `d' or in `dst'.
 */
struct span device_token(
	const struct device *d, char dst[DEVICE_TOKEN_MAX_BYTES]);

/* What a device is known by: (app, platform, token). */
struct digest device_key(const struct device *d);

/* A question and the places of its answers for devices_found(). */
struct devices_query {
	struct span app;
	struct span user;
	size_t first;
	size_t count;
};

/* A growing list of queries.  Start it as { 0 }; texts stay borrowed. */
struct devices_queries {
	struct devices_query *items; /* owned */
	size_t count;
	size_t cap;
};
void devices_queries_add(
	struct devices_queries *list, struct span app, struct span user);
void devices_queries_reset(struct devices_queries *list);
void devices_queries_release(struct devices_queries *list);

/* Answers all queries in one round trip. */
int devices_find(struct devices *d, struct devices_query *queries, size_t count,
	struct err *err) MUST_CHECK;

/* One found device as it is written in a record; borrowed until the next
 * call of devices_find().  Written by us, but checked by nobody since. */
struct span devices_found(const struct devices *d, size_t place);

/* Calls for every device; `json' is the whole registration.  False from the
 * callback ends the walk.  Changes made meanwhile may be seen or not. */
typedef bool devices_cb(void *self, struct span json);
int devices_each(struct devices *d, devices_cb *cb, void *self,
	struct err *err) MUST_CHECK;
/* The same for the devices of one user. */
int devices_each_of(struct devices *d, const struct devices_query *user,
	devices_cb *cb, void *self, struct err *err) MUST_CHECK;

#endif
