/*
 * What an operator has stopped: campaigns, apps, categories and single tasks,
 * kept in Redis so that every running chain hears of it within a second.
 *
 * One hash, STOPS_KEY.  A field is KIND:NAME ("campaign:spring-sale"), its
 * value the time since when and a note: "1763627000123 wrong price".  The field
 * "version" changes with every change, so that a watcher reads little as long as
 * nothing happens; adding or deleting a field by hand is noticed too.
 * push-queue(1) writes it, push-risk(1) obeys it.
 */
#ifndef PUSH_STORE_STOPS_H
#define PUSH_STORE_STOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"
#include "net/redis.h"

#define STOPS_KEY "push:stops"

enum {
	STOPS_NAME_MAX_BYTES = 256,
	STOPS_NOTE_MAX_BYTES = 512,
	STOPS_POLL_MS = 250,
};

enum stop_kind {
	STOP_CAMPAIGN,
	STOP_APP,
	STOP_CATEGORY,
	STOP_ID, /* a single task, by its producer's id */
	STOP_KIND_COUNT
};

struct stop {
	enum stop_kind kind;
	struct span name;      /* 1 to STOPS_NAME_MAX_BYTES */
	int64_t since_unix_ms; /* 0: not known */
	struct span note;      /* for people; may be absent */
};

/* "campaign", "app", "category", "id". */
const char *stop_kind_name(enum stop_kind kind);
/* 0 and *out, or -1 for another name. */
int stop_kind_parse(struct span name, enum stop_kind *out) MUST_CHECK;

/* --- the operator's side --- */

/* Stops it; what is stopped already gets the new time and note.  A usage failure
 * when name or note are empty or too long. */
int stops_add(
	struct redis *r, const struct stop *stop, struct err *err) MUST_CHECK;

/* Lets it go on; *was_there tells whether it was stopped. */
int stops_remove(struct redis *r, enum stop_kind kind, struct span name,
	bool *was_there, struct err *err) MUST_CHECK;

/* All that is stopped, by kind and name. */
struct stops {
	struct stop *items; /* owned, as are the texts */
	size_t count;
};
int stops_list(struct redis *r, struct stops *out, struct err *err) MUST_CHECK;
void stops_release(struct stops *stops);

/*
 * The same as people say and read them, for a command line; what there is to say
 * is appended to `out'.  stops_say() with `is_stop' false lets it go on.
 * stops_show() gives lines of JSON, or a table.
 */
struct stops_words {
	const char *kind;
	const char *name;
	const char *note; /* or NULL */
	bool is_stop;
};
int stops_say(struct redis *r, const struct stops_words *words, struct buf *out,
	struct err *err) MUST_CHECK;
int stops_show(struct redis *r, bool is_json, struct buf *out,
	struct err *err) MUST_CHECK;

/* --- the chain's side --- */

struct stops_watch;

struct stops_events {
	/* Something was stopped or goes on: `stops' is all of it, borrowed until
	 * this returns. */
	void (*on_change)(void *self, const struct stops *stops);
	/* Redis is away (what was known stays true), or NULL: it is back. */
	void (*on_trouble)(void *self, const struct err *err);
	void *self;
};

/*
 * Reads the stops, calls on_change() once before it returns, and from then on
 * through the loop, at most STOPS_POLL_MS and a round trip after a change.  A
 * thread of its own waits for Redis, so that the caller never does.  -1 when
 * they cannot be read at first: nothing is known then.
 */
int stops_watch_open(struct stops_watch **out, struct loop *loop,
	const char *url, const struct stops_events *events,
	struct err *err) MUST_CHECK;
void stops_watch_close(struct stops_watch *w); /* accepts NULL */

#endif
