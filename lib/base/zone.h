/*
 * Time zones by their IANA names, from the system's tzdata.
 *
 * The files are TZif (tzfile(5), RFC 9636); they stand in $TZDIR, else
 * /usr/share/zoneinfo, as tzset(3) says.  The process's own time zone is
 * neither read nor changed.  For one thread.
 */
#ifndef PUSH_BASE_ZONE_H
#define PUSH_BASE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum { ZONE_FILE_MAX_BYTES = 256 * 1024 }; /* ours; they have a few thousand */

struct zone;

/* Reads the bytes of a TZif file of version 2 or later.  -1: it is none. */
int zone_parse(struct zone **out, struct span file) MUST_CHECK;
void zone_free(struct zone *z); /* accepts NULL */

/* What local clocks are ahead of UTC at an instant, in seconds. */
int64_t zone_offset_s(struct zone *z, int64_t unix_s);

/* The first instant after this one at which that may change; INT64_MAX: never
 * again. */
int64_t zone_next_change(struct zone *z, int64_t unix_s);

/*
 * The first instant, not before this one, at which local clocks are out of
 * [from_s, to_s), seconds of a day; a stretch with to_s below from_s goes past
 * midnight.  Where clocks are put forward over to_s it is the instant of
 * the change.
 */
int64_t zone_end_of(
	struct zone *z, int64_t unix_s, int64_t from_s, int64_t to_s);

/* Those that were asked for, each read once. */
struct zones;
struct zones *zones_new(void);
void zones_free(struct zones *zones); /* accepts NULL */

/* NULL for a name that the system does not know.  Borrowed until the next
 * call. */
struct zone *zones_get(struct zones *zones, struct span name);

#endif
