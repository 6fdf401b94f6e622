/*
 * State in Redis, shared by all workers.
 *
 * Reservations are SET NX GET, pipelined (Redis 7.0 or later); marks and windows
 * are scripts that take many keys a call.  Keys lie in all slots of a cluster,
 * and the scripts treat each key for itself, so a call may hold as few as one.
 * Expiry is Redis' own, by its clock.
 */
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "net/redis.h"
#include "store/backend.h"

enum {
	KEY_PREFIX_BYTES = 7,
	KEY_BYTES = KEY_PREFIX_BYTES + DIGEST_BYTES,
	CALL_KEYS_MAX = 128, /* keys a script call: bounds Redis' pauses */
	ARG_BYTES_MAX = 48,
	PIPELINE_MAX = 1024, /* asks under way at once */
};

extern const char asset_dedupe_lua[];
extern const size_t asset_dedupe_lua_len;
extern const char asset_fatigue_lua[];
extern const size_t asset_fatigue_lua_len;

/* How the answers of a family of verbs are asked for and read. */
enum family { FAMILY_RESERVE, FAMILY_DEDUPE, FAMILY_FATIGUE };

struct shared {
	struct redis *redis; /* owned */
	struct redis_script dedupe;
	struct redis_script fatigue;
	/* Keys and arguments of the call being put together. */
	char keys[CALL_KEYS_MAX][KEY_BYTES];
	char args[CALL_KEYS_MAX][ARG_BYTES_MAX];
	struct span spans[2 * CALL_KEYS_MAX];
	/* What the last reservation was for, which is mostly for the next one, too:
	 * its window, as a number and as text. */
	int64_t window_ms;
	char window[20];
	size_t window_len;
};

static enum family family_of(enum store_verb verb)
{
	switch (verb) {
	case STORE_DEDUPE_RESERVE:
		return FAMILY_RESERVE;
	case STORE_DEDUPE_EXTEND:
	case STORE_DEDUPE_DONE:
	case STORE_DEDUPE_RELEASE:
		return FAMILY_DEDUPE;
	case STORE_FATIGUE_TAKE:
	case STORE_FATIGUE_KEEP:
	case STORE_FATIGUE_RELEASE:
		return FAMILY_FATIGUE;
	}
	BUG("unknown verb %d", (int)verb);
}

/* As the scripts know the verbs. */
static char letter_of(enum store_verb verb)
{
	switch (verb) {
	case STORE_DEDUPE_EXTEND:
		return 'e';
	case STORE_DEDUPE_DONE:
		return 'd';
	case STORE_DEDUPE_RELEASE:
	case STORE_FATIGUE_RELEASE:
		return 'r';
	case STORE_FATIGUE_TAKE:
		return 't';
	case STORE_FATIGUE_KEEP:
		return 'k';
	case STORE_DEDUPE_RESERVE:
		break;
	}
	BUG("verb %d is not for a script", (int)verb);
}

static struct span put_key(const struct store_ask *ask, char dst[KEY_BYTES])
{
	bool is_fatigue = family_of(ask->verb) == FAMILY_FATIGUE;

	memcpy(dst, is_fatigue ? "push:f:" : "push:d:", KEY_PREFIX_BYTES);
	memcpy(dst + KEY_PREFIX_BYTES, ask->key.bytes, DIGEST_BYTES);
	return (struct span){ dst, KEY_BYTES };
}

/* --- asking --- */

static void append_reserve(struct shared *s, const struct store_ask *ask)
{
	char key[KEY_BYTES];
	char value[1 + DIGEST_BYTES] = { 'r' };

	memcpy(value + 1, ask->uid.bytes, DIGEST_BYTES);
	if (s->window_len == 0 || s->window_ms != ask->window_ms) {
		s->window_ms = ask->window_ms;
		s->window_len =
			num_format_u64(s->window, (uint64_t)ask->window_ms);
	}
	redis_append(s->redis, 7,
		(struct span[]){
			span_of("SET"),
			put_key(ask, key),
			{ value, sizeof(value) },
			span_of("PX"),
			{ s->window, s->window_len },
			span_of("NX"),
			span_of("GET"),
		});
}

static size_t put_u32(char *dst, int64_t n)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		*dst++ = (char)(n >> shift & 0xff);
	}
	return 4;
}

static struct span put_dedupe_arg(const struct store_ask *ask, char *dst)
{
	size_t len = 0;

	dst[len++] = letter_of(ask->verb);
	memcpy(dst + len, ask->uid.bytes, DIGEST_BYTES);
	len += DIGEST_BYTES;
	len += num_format_u64(dst + len, (uint64_t)ask->window_ms);
	return (struct span){ dst, len };
}

static struct span put_fatigue_arg(const struct store_ask *ask, char *dst)
{
	size_t len = 0;

	dst[len++] = letter_of(ask->verb);
	len += put_u32(dst + len, ask->now_unix_ms / 1000);
	len += put_u32(dst + len, (ask->window_ms + 999) / 1000);
	len += put_u32(dst + len, ask->limit);
	memcpy(dst + len, ask->uid.bytes, 8);
	dst[len + 7] = (char)(ask->uid.bytes[7] & 0xfe);
	return (struct span){ dst, len + 8 };
}

/* How many asks from the first on go into one call. */
static size_t call_size(
	const struct shared *s, const struct store_ask *asks, size_t count)
{
	enum family family = family_of(asks[0].verb);
	size_t most = redis_is_cluster(s->redis) ? 1 : CALL_KEYS_MAX;
	size_t n = 1;

	while (n < count && n < most && family != FAMILY_RESERVE &&
		family_of(asks[n].verb) == family) {
		n++;
	}
	return n;
}

static void append_call(
	struct shared *s, const struct store_ask *asks, size_t count)
{
	bool is_fatigue = family_of(asks[0].verb) == FAMILY_FATIGUE;

	if (family_of(asks[0].verb) == FAMILY_RESERVE) {
		append_reserve(s, asks);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		s->spans[i] = put_key(asks + i, s->keys[i]);
		s->spans[count + i] =
			is_fatigue ? put_fatigue_arg(asks + i, s->args[i])
				   : put_dedupe_arg(asks + i, s->args[i]);
	}
	redis_append_script(s->redis, is_fatigue ? &s->fatigue : &s->dedupe,
		count, 2 * count, s->spans);
}

/* --- answers --- */

static enum store_answer reserve_answer(
	const struct store_ask *ask, const struct redis_reply *reply)
{
	struct span held = redis_text(reply);

	if (redis_type(reply) == REDIS_TYPE_NIL) {
		return STORE_FREE;
	}
	if (held.len != 1 + DIGEST_BYTES ||
		memcmp(held.ptr + 1, ask->uid.bytes, DIGEST_BYTES) != 0) {
		return STORE_OTHER;
	}
	return held.ptr[0] == 'd' ? STORE_DONE : STORE_MINE;
}

/* What a script's number means for the verb; -1 for one that means nothing. */
static int script_answer(enum store_verb verb, int64_t n)
{
	static const enum store_answer dedupe[] = { STORE_OK, STORE_DONE,
		STORE_OTHER };
	static const enum store_answer take[] = { STORE_FREE, STORE_MINE,
		STORE_OVER };

	if (n < 0 || n > 2) {
		return -1;
	}
	if (family_of(verb) == FAMILY_DEDUPE) {
		return (int)dedupe[n];
	}
	return verb == STORE_FATIGUE_TAKE ? (int)take[n] : (int)STORE_OK;
}

static int read_call(
	struct shared *s, struct store_ask *asks, size_t count, struct err *err)
{
	const struct redis_reply *reply;

	if (redis_reply(s->redis, &reply, err) != 0) {
		return -1;
	}
	if (family_of(asks[0].verb) == FAMILY_RESERVE) {
		asks[0].answer = reserve_answer(asks, reply);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		const struct redis_reply *item = redis_at(reply, i);
		int answer =
			redis_type(item) == REDIS_TYPE_INT
				? script_answer(asks[i].verb, redis_int(item))
				: -1;

		if (answer < 0) {
			return err_set(err, 0,
				"%s: unexpected answer of a script",
				redis_name(s->redis));
		}
		asks[i].answer = (enum store_answer)answer;
	}
	return 0;
}

static int exchange_some(
	struct shared *s, struct store_ask *asks, size_t count, struct err *err)
{
	for (size_t at = 0; at < count;) {
		size_t n = call_size(s, asks + at, count - at);

		append_call(s, asks + at, n);
		at += n;
	}
	for (size_t at = 0; at < count;) {
		size_t n = call_size(s, asks + at, count - at);

		if (read_call(s, asks + at, n, err) != 0) {
			return -1;
		}
		at += n;
	}
	return 0;
}

static int shared_exchange(
	void *self, struct store_ask *asks, size_t count, struct err *err)
{
	for (size_t at = 0; at < count; at += PIPELINE_MAX) {
		size_t left = count - at;

		if (exchange_some(self, asks + at,
			    left < PIPELINE_MAX ? left : PIPELINE_MAX,
			    err) != 0) {
			return -1;
		}
	}
	return 0;
}

static void shared_close(void *self)
{
	struct shared *s = self;

	redis_close(s->redis);
	mem_free(s);
}

const struct store_backend *store_redis_open(
	void **self, const char *url, struct err *err)
{
	static const struct store_backend backend = {
		.exchange = shared_exchange,
		.close = shared_close,
	};
	struct redis *redis;
	struct shared *s;

	if (redis_open(&redis, url, err) != 0) {
		return NULL;
	}
	s = mem_array(1, sizeof(*s));
	s->redis = redis;
	redis_script_init(&s->dedupe,
		(struct span){ asset_dedupe_lua, asset_dedupe_lua_len });
	redis_script_init(&s->fatigue,
		(struct span){ asset_fatigue_lua, asset_fatigue_lua_len });
	*self = s;
	return &backend;
}
