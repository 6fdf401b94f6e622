/*
 * Whether the settings of a Redis are such that a queue may be lost in it.
 *
 * Asked by CONFIG GET, or INFO where that is not permitted or not there (as in
 * many hosted services); never guessed from a version.
 */
#ifndef PUSH_QUEUE_PERSISTENCE_H
#define PUSH_QUEUE_PERSISTENCE_H

#include <stdbool.h>

/* `text': what may be lost and how to repair it; or, with is_known false, why
 * nothing is known. */
typedef void persistence_cb(void *self, bool is_known, const char *text);

/* Asks the server that has `queue' and tells each thing that it finds, if any. */
void persistence_look(const char *url, const char *queue,
	persistence_cb *on_finding, void *self);

#endif
