/*
 * Segments: named sets of an app's users, of any size.  They stand beside the
 * devices, at the same URLs; a user may be in one without having a device.
 *
 * A segment is read page by page, in an order that stays: whoever is in it
 * from the first page to the last is seen once.  So a fan-out can be put aside
 * after any page with nothing but the last user's name.
 */
#ifndef PUSH_STORE_SEGMENTS_H
#define PUSH_STORE_SEGMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "record/json.h"
#include "store/devices.h"

enum {
	SEGMENT_NAME_MAX_BYTES = 256,
	SEGMENTS_BATCH_MAX = 1000, /* for segments_put() */
};

/* Borrowed texts. */
struct membership {
	struct span app; /* absent: as in tasks without */
	struct span segment;
	struct span user;
};

/* Reads one as exported: {"app":…,"segment":…,"user":…}; borrowed from `v'.
 * -1 is a usage failure. */
int membership_parse(struct membership *out, const struct json *v,
	struct err *err) MUST_CHECK;
/* Checks the texts; also done by membership_parse(). */
int membership_check(const struct membership *m, struct err *err) MUST_CHECK;
void membership_write(const struct membership *m, struct buf *out);

struct segments;

/* As devices_open(). */
int segments_open(
	struct segments **out, const char *url, struct err *err) MUST_CHECK;
void segments_close(struct segments *s); /* accepts NULL */

/* Puts up to SEGMENTS_BATCH_MAX users in; adds to *added how many were not
 * there. */
int segments_put(struct segments *s, const struct membership *list,
	size_t count, uint64_t *added, struct err *err) MUST_CHECK;

/* Takes one user out, or with no user all of them; adds to *removed. */
int segments_remove(struct segments *s, const struct membership *which,
	uint64_t *removed, struct err *err) MUST_CHECK;

/* Reads the next `max' users behind `after->user' (absent: the first ones);
 * *count says how many there were, fewer than `max' at the end. */
int segments_page(struct segments *s, const struct membership *after,
	size_t max, size_t *count, struct err *err) MUST_CHECK;
/* One of them, borrowed until the next call of segments_page(). */
struct span segments_user(const struct segments *s, size_t place);

/* Calls for every user in the segment behind `which->user' (absent: all), until
 * false comes back. */
int segments_each_of(struct segments *s, const struct membership *which,
	devices_cb *cb, void *self, struct err *err) MUST_CHECK;

/* Calls for every membership of every app, as devices_each(). */
int segments_each(struct segments *s, devices_cb *cb, void *self,
	struct err *err) MUST_CHECK;

#endif
