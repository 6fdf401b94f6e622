/*
 * The names of a queue's keys in Redis.  All but the queue's own begin with
 * {QUEUE}: so that in a cluster they live where the queue lives.
 */
#ifndef PUSH_QUEUE_KEY_H
#define PUSH_QUEUE_KEY_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

enum { KEY_NAME_MAX_BYTES = 128 };

/* A queue's name: 1 to 128 printable bytes of ASCII without blank or braces. */
bool key_is_queue(struct span name);

/* A worker's name: 1 to 128 of letters, digits, '.', '_' and '-'. */
bool key_is_worker(struct span name);

/* The host's name as a worker's name: what such a name cannot hold becomes '-';
 * "worker" when the host has none. */
void key_host_worker(char dst[KEY_NAME_MAX_BYTES + 1]);

/* What the uids of this queue's tasks begin with. */
enum { KEY_UID_PREFIX_LEN = 6 };
void key_uid_prefix(const char *queue, char dst[KEY_UID_PREFIX_LEN + 1]);

/* "{queue}:what" or "{queue}:what:worker"; the caller frees it. */
char *key_take(const char *queue, const char *what, const char *worker);

#endif
