/*
 * What store.c expects of each place that state can live in.  Internal to
 * lib/store.
 */
#ifndef PUSH_STORE_BACKEND_H
#define PUSH_STORE_BACKEND_H

#include <stddef.h>

#include "base/err.h"
#include "policy/store_ask.h"

struct store_backend {
	/* As store_exchange() and store_close(). */
	int (*exchange)(void *self, struct store_ask *asks, size_t count,
		struct err *err);
	void (*close)(void *self);
};

/* Each sets *self to what its functions take; -1 as for store_open(). */
const struct store_backend *store_memory_open(void **self);
const struct store_backend *store_embedded_open(
	void **self, const char *url, struct err *err);
const struct store_backend *store_redis_open(
	void **self, const char *url, struct err *err);

enum { STORE_CELL_MAX_BYTES = 1024 * 1024 };

/* Carries an ask out on what is kept under its key: the policy that the verb
 * belongs to decides. */
enum store_answer store_apply(
	const struct store_ask *ask, struct store_cell *cell);

#endif
