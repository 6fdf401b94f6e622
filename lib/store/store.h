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

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

struct store;

enum store_verb {
	/* Dedupe.  `key' is (app, dedupe key, device), held by a uid in the state
	 * reserved or done for `window_ms'. */
	STORE_DEDUPE_RESERVE, /* FREE (now reserved for us), MINE, DONE, OTHER */
	STORE_DEDUPE_EXTEND, /* reserved by us for another window: OK or OTHER */
	STORE_DEDUPE_DONE, /* ours becomes done, also if it had run out: OK, OTHER */
	STORE_DEDUPE_RELEASE, /* deleted if held by us: OK or OTHER */
	/* Fatigue.  `key' is (app, user, rule), a sliding window of uids. */
	STORE_FATIGUE_TAKE, /* FREE (counted now), MINE (was counted), OVER */
	STORE_FATIGUE_KEEP, /* counted for good, even if given back before: OK */
	STORE_FATIGUE_RELEASE, /* given back unless kept: OK */
};

enum store_answer {
	STORE_OK,
	STORE_FREE,  /* nobody had it: now ours */
	STORE_MINE,  /* ours already: our own redelivery */
	STORE_DONE,  /* ours, and already delivered */
	STORE_OTHER, /* held by another uid */
	STORE_OVER,  /* the limit is reached */
};

struct store_ask {
	enum store_verb verb;
	struct digest key;
	struct digest uid;
	int64_t now_unix_ms;
	int64_t window_ms;
	int64_t limit;            /* fatigue: how many in the window */
	enum store_answer answer; /* set by store_exchange() */
};

/* Opens by URL; a wrong URL is a usage failure, an absent server temporary. */
int store_open(struct store **out, const char *url, struct err *err) MUST_CHECK;
void store_close(struct store *s); /* accepts NULL */

/*
 * Carries out the asks in order, in as few round trips as the place allows, and
 * sets their answers.  -1: a temporary failure; some may have been carried
 * out, and asking all again is harmless, since each is idempotent for its uid.
 */
int store_exchange(struct store *s, struct store_ask *asks, size_t count,
	struct err *err) MUST_CHECK;

#endif
