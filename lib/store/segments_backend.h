/*
 * What segments.c expects of each place that segments can live in.  Internal
 * to lib/store.
 */
#ifndef PUSH_STORE_SEGMENTS_BACKEND_H
#define PUSH_STORE_SEGMENTS_BACKEND_H

#include "store/devices_backend.h"
#include "store/segments.h"

struct segments_backend {
	/* As the functions of segments.h; page() adds to the sink. */
	int (*put)(void *self, const struct membership *list, size_t count,
		uint64_t *added, struct err *err);
	int (*remove)(void *self, const struct membership *which,
		uint64_t *removed, struct err *err);
	int (*page)(void *self, const struct membership *after, size_t max,
		struct devices_sink *sink, struct err *err);
	int (*each)(void *self, devices_cb *cb, void *cb_self, struct err *err);
	void (*close)(void *self);
};

const struct segments_backend *segments_embedded_open(
	void **self, const char *url, struct err *err);
const struct segments_backend *segments_redis_open(
	void **self, const char *url, struct err *err);

#endif
