/*
 * The dedupe key of a record, the verdict, and the state under a key.
 *
 * The state is 17 bytes: 'r' (reserved) or 'd' (done), then the digest of the
 * uid that holds it.  dedupe.lua in lib/store does the same inside Redis.
 */
#include "policy/dedupe.h"

#include <string.h>

#include "base/err.h"

enum { STATE_RESERVED = 'r', STATE_DONE = 'd', STATE_BYTES = 1 + DIGEST_BYTES };

static struct digest_part part_of(struct span s)
{
	return (struct digest_part){ s.ptr, s.len };
}

/* The kind of target and its name: a token of iOS is never one of Android, and
 * a topic never a token. */
static void put_target(const struct record *r, struct digest_part target[2])
{
	struct span kind = span_of("task");
	struct span name = { "", 0 };

	if (r->token.ptr != NULL) {
		kind = span_of(platform_name(r->platform));
		name = r->token;
	} else if (r->topic.ptr != NULL) {
		kind = span_of("topic");
		name = r->topic;
	} else if (r->condition.ptr != NULL) {
		kind = span_of("condition");
		name = r->condition;
	} else if (r->channel.ptr != NULL) {
		kind = span_of("channel");
		name = r->channel;
	} else if (r->user.ptr != NULL) {
		kind = span_of("user");
		name = r->user;
	}
	target[0] = part_of(kind);
	target[1] = part_of(name);
}

struct store_ask dedupe_ask(
	const struct record *r, enum store_verb verb, int64_t window_ms)
{
	bool is_named = r->dedupe_key.ptr != NULL || r->id.ptr != NULL;
	struct span name = r->dedupe_key.ptr != NULL ? r->dedupe_key
			   : r->id.ptr != NULL       ? r->id
						     : r->uid;
	struct digest_part parts[5] = {
		part_of(span_of(is_named ? "dedupe" : "dedupe-uid")),
		part_of(r->app),
		part_of(name),
	};

	put_target(r, parts + 3);
	return (struct store_ask){
		.verb = verb,
		.key = digest_of_parts(parts, 5),
		.uid = digest_of(r->uid.ptr, r->uid.len),
		.now_unix_ms = r->now_unix_us / 1000,
		.window_ms = window_ms,
	};
}

enum dedupe_verdict dedupe_judge(enum store_answer answer)
{
	switch (answer) {
	case STORE_FREE:
	case STORE_MINE:
		return DEDUPE_PASS;
	case STORE_DONE:
		return DEDUPE_ALREADY_DONE;
	case STORE_OTHER:
		return DEDUPE_DUPLICATE;
	case STORE_OK:
	case STORE_OVER:
		break;
	}
	BUG("no answer to a reservation: %d", (int)answer);
}

static void put_state(
	const struct store_ask *ask, struct store_cell *cell, char state)
{
	buf_reset(&cell->bytes);
	buf_putc(&cell->bytes, state);
	buf_put(&cell->bytes, ask->uid.bytes, DIGEST_BYTES);
	cell->expires_unix_ms = ask->now_unix_ms + ask->window_ms;
	cell->is_changed = true;
}

enum store_answer dedupe_apply(
	const struct store_ask *ask, struct store_cell *cell)
{
	const char *held = cell->bytes.data;
	bool is_there = cell->bytes.len == STATE_BYTES;
	bool is_ours =
		is_there && memcmp(held + 1, ask->uid.bytes, DIGEST_BYTES) == 0;
	bool is_done = is_ours && held[0] == STATE_DONE;

	if (is_there && !is_ours) {
		return STORE_OTHER;
	}
	if (is_done && ask->verb != STORE_DEDUPE_DONE) {
		return STORE_DONE;
	}
	switch (ask->verb) {
	case STORE_DEDUPE_RESERVE:
		if (is_ours) {
			return STORE_MINE;
		}
		put_state(ask, cell, STATE_RESERVED);
		return STORE_FREE;
	case STORE_DEDUPE_EXTEND:
		put_state(ask, cell, STATE_RESERVED);
		return STORE_OK;
	case STORE_DEDUPE_DONE:
		put_state(ask, cell, STATE_DONE);
		return STORE_OK;
	case STORE_DEDUPE_RELEASE:
		buf_reset(&cell->bytes);
		cell->is_changed = is_there;
		return STORE_OK;
	case STORE_FATIGUE_TAKE:
	case STORE_FATIGUE_KEEP:
	case STORE_FATIGUE_RELEASE:
		break;
	}
	BUG("not a verb of dedupe: %d", (int)ask->verb);
}
