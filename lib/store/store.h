/*
 * Where dedupe and fatigue state lives: one interface, three places.
 *
 *   redis://…, unix://…   shared by all workers
 *   lmdb:PATH             embedded and durable, shared by this machine's programs
 *   memory:               this process alone, for debugging
 *
 * A stage asks for a whole batch at once and gets one answer an ask.
 * The meaning is the same in all three: design in push-queue(7).
 */
#ifndef PUSH_STORE_STORE_H
#define PUSH_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "policy/store_ask.h"
#include "record/conf.h"

struct store;

/*
 * The URL that push.conf gives: the member at `path' ("dedupe.store"), else
 * the file's `redis', else "memory:".  A file of lmdb: is taken from the folder
 * of push.conf.  The caller frees it.
 */
char *store_url_take(const struct conf *conf, const char *path);

/* Opens by URL; a wrong URL is a usage failure, an absent server temporary. */
int store_open(struct store **out, const char *url, struct err *err) MUST_CHECK;
void store_close(struct store *s); /* accepts NULL */

/*
 * The store of a stage, which HUP may move.  Start it as { 0 }.  The URL is
 * `option' (of the command line), or without one the configuration's; in a
 * replay memory:, which must not touch what the running chain keeps.
 */
struct store_place {
	struct store *store; /* owned */
	char *url;           /* owned */
};

/* Opens the store of the place unless it is the one that is open; -1 keeps what
 * was. */
struct store_choice {
	const char *option; /* or NULL */
	const char *path;   /* of the member, "dedupe.store" */
	bool is_replay;
};
/* The URL of it; the caller frees it. */
char *store_choice_take(
	const struct store_choice *choice, const struct conf *conf);
int store_place_open(struct store_place *p, const struct store_choice *choice,
	const struct conf *conf, struct err *err) MUST_CHECK;
void store_place_close(struct store_place *p);

/*
 * Carries out the asks in order, in as few round trips as the place allows, and
 * sets their answers.  -1: a temporary failure; some may have been carried
 * out, and asking all again is harmless, since each is idempotent for its uid.
 */
int store_exchange(struct store *s, struct store_ask *asks, size_t count,
	struct err *err) MUST_CHECK;

#endif
