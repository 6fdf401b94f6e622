/*
 * What the policies ask of the store, and what it answers: plain data.
 *
 * dedupe and fatigue build asks from records and judge the answers; lib/store
 * carries them out in between.  A stage asks for a whole batch at once.
 * push-ack asks about the same keys later, with the verbs that mark and give
 * back.  Every ask is idempotent for its uid.
 */
#ifndef PUSH_POLICY_STORE_ASK_H
#define PUSH_POLICY_STORE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"

enum store_verb {
	/* Dedupe.  `key' is (app, dedupe key, device), held by a uid in the state
	 * reserved or done for `window_ms'. */
	STORE_DEDUPE_RESERVE, /* FREE (now reserved for us), MINE, DONE, OTHER */
	STORE_DEDUPE_EXTEND, /* reserved by us for another window, also if it had
	                         run out: OK, DONE (stays so), OTHER */
	STORE_DEDUPE_DONE, /* ours becomes done, also if it had run out: OK, OTHER */
	STORE_DEDUPE_RELEASE, /* deleted if reserved by us, or not there at all:
	                         OK, DONE (stays so), OTHER */
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

/* A growing list of asks.  Start it as { 0 }. */
struct store_asks {
	struct store_ask *items; /* owned */
	size_t count;
	size_t cap;
};

/* Appends an ask for the caller to write; its place is good until the next. */
struct store_ask *store_asks_add(struct store_asks *list);
/* Empties it, keeps the memory. */
void store_asks_reset(struct store_asks *list);
void store_asks_release(struct store_asks *list);

/*
 * What a store keeps under one key, for the stores that compute here.  Nothing
 * there, or run out: `bytes' is empty.  The policies' apply functions change it
 * and set is_changed; empty bytes then mean deletion.
 */
struct store_cell {
	struct buf bytes;
	int64_t expires_unix_ms;
	bool is_changed;
};

#endif
