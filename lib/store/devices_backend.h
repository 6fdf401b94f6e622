/*
 * What devices.c expects of each place that the registry can live in.  Internal
 * to lib/store.
 */
#ifndef PUSH_STORE_DEVICES_BACKEND_H
#define PUSH_STORE_DEVICES_BACKEND_H

#include "store/devices.h"

/* Gathers what was found. */
struct devices_sink {
	struct buf bytes; /* one after the other */
	size_t *ends;     /* owned; where each ends in bytes */
	size_t count;
	size_t cap;
};
void devices_sink_reset(struct devices_sink *sink);
void devices_sink_add(struct devices_sink *sink, struct span text);
/* Borrowed until the next change. */
struct span devices_sink_at(const struct devices_sink *sink, size_t place);

struct devices_backend {
	/* As the functions of devices.h. */
	int (*put)(void *self, const struct device *list, size_t count,
		struct devices_counts *counts, struct err *err);
	int (*remove)(void *self, const struct device *which, size_t *removed,
		struct err *err);
	int (*prune)(void *self, const struct device *which,
		int64_t dead_unix_ms, bool is_dry, size_t *removed,
		struct err *err);
	int (*find)(void *self, struct devices_query *queries, size_t count,
		struct devices_sink *sink, struct err *err);
	int (*each)(void *self, devices_cb *cb, void *cb_self, struct err *err);
	void (*close)(void *self);
};

const struct devices_backend *devices_embedded_open(
	void **self, const char *url, struct err *err);
const struct devices_backend *devices_redis_open(
	void **self, const char *url, struct err *err);

/* Appends a whole registration, as exported: app, user, and what
 * device_write() wrote. */
void device_write_whole(
	struct span app, struct span user, struct span json, struct buf *out);

#endif
