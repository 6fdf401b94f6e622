/* Buckets by key; those of Redis by a script call for each key of a batch, those of
 * an LMDB file in rates_embedded.c. */
#include "store/rates.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/redis.h"
#include "policy/nameset.h"
#include "store/rates_embedded.h"

extern const char asset_rates_lua[];
extern const size_t asset_rates_lua_len;

enum {
	SWEEP_FIRST = 4096, /* buckets before full ones are thrown away */
	ARGS_BEFORE_UNITS = 4,
	NUMBER_BYTES = 24,
};

struct rates {
	char *url;                   /* owned */
	struct redis *redis;         /* owned; or NULL, as is the next */
	struct rates_embedded *file; /* owned; both NULL: here */
	struct redis_script script;

	/* here */
	struct nameset names; /* the count of an entry: its place + 1 */
	double *full_us;      /* owned; by place */
	size_t sweep_at;

	/* of one exchange */
	struct nameset groups; /* the count of an entry: its group + 1 */
	size_t *group_of;      /* owned; of each ask */
};

static bool is_redis(const char *url)
{
	return url != NULL &&
	       (strncmp(url, "redis", 5) == 0 || strncmp(url, "unix:", 5) == 0);
}

int rates_open(struct rates **out, const char *url, struct err *err)
{
	struct rates *rates = mem_array(1, sizeof(*rates));

	rates->sweep_at = SWEEP_FIRST;
	if (is_redis(url)) {
		redis_script_init(&rates->script,
			(struct span){ asset_rates_lua, asset_rates_lua_len });
		if (redis_open(&rates->redis, url, err) != 0) {
			mem_free(rates);
			return -1;
		}
	} else if (url != NULL && strncmp(url, "lmdb:", 5) == 0) {
		if (rates_embedded_open(&rates->file, url, err) != 0) {
			mem_free(rates);
			return -1;
		}
	} else if (url != NULL && strcmp(url, "memory:") != 0) {
		mem_free(rates);
		return err_usage(err, 0,
			"rate limits are kept in redis://..., lmdb:PATH or "
			"memory:, not in '%.*s'",
			(int)strcspn(url, ":/?@"), url);
	}
	rates->url = mem_text(url == NULL ? "memory:" : url);
	*out = rates;
	return 0;
}

int rates_follow(struct rates **rates, const char *url, struct err *err)
{
	struct rates *fresh = NULL;

	if (*rates != NULL && strcmp((*rates)->url, url) == 0) {
		return 0;
	}
	if (rates_open(&fresh, url, err) != 0) {
		return -1;
	}
	rates_close(*rates);
	*rates = fresh;
	return 0;
}

void rates_close(struct rates *rates)
{
	if (rates != NULL) {
		mem_free(rates->url);
		redis_close(rates->redis);
		rates_embedded_close(rates->file);
		nameset_release(&rates->names);
		nameset_release(&rates->groups);
		mem_free(rates->full_us);
		mem_free(rates->group_of);
		mem_free(rates);
	}
}

/* --- here --- */

/* Throws buckets away that are full again, which are as good as new ones. */
static void sweep(struct rates *rates, int64_t now_unix_us)
{
	struct nameset old = rates->names;
	double *full_us = mem_array(old.count + 1, sizeof(*full_us));

	rates->names = (struct nameset){ 0 };
	for (size_t i = 0; i < old.slot_count; i++) {
		const struct nameset_entry *e = &old.slots[i];

		if (e->name.ptr != NULL &&
			rates->full_us[e->count - 1] > (double)now_unix_us) {
			struct nameset_entry *kept =
				nameset_add(&rates->names, e->name);

			kept->count = rates->names.count;
			full_us[kept->count - 1] = rates->full_us[e->count - 1];
		}
	}
	nameset_release(&old);
	mem_free(rates->full_us);
	rates->full_us = full_us;
	rates->sweep_at = rates->names.count * 2 > SWEEP_FIRST
				  ? rates->names.count * 2
				  : (size_t)SWEEP_FIRST;
}

static void take_here(struct rates *rates, struct rate_ask *ask)
{
	struct nameset_entry *e;

	if (rates->names.count >= rates->sweep_at) {
		sweep(rates, ask->now_unix_us);
	}
	e = nameset_add(&rates->names, ask->key);
	if (e->count == 0) {
		e->count = rates->names.count;
		rates->full_us = mem_resize(rates->full_us, rates->names.count,
			sizeof(*rates->full_us));
		rates->full_us[e->count - 1] = 0;
	}
	rate_take(ask, &rates->full_us[e->count - 1]);
}

/* --- in Redis --- */

/* Gives each ask the number of its key; the number of keys. */
static size_t group(struct rates *rates, struct rate_ask *asks, size_t count)
{
	nameset_release(&rates->groups);
	rates->group_of =
		mem_resize(rates->group_of, count, sizeof(*rates->group_of));
	for (size_t i = 0; i < count; i++) {
		struct nameset_entry *e =
			nameset_add(&rates->groups, asks[i].key);

		if (e->count == 0) {
			e->count = rates->groups.count;
		}
		rates->group_of[i] = (size_t)e->count - 1;
	}
	return rates->groups.count;
}

static struct span put_number(char dst[NUMBER_BYTES], int64_t n)
{
	if (fmt_into(dst, NUMBER_BYTES, "%lld", (long long)n) != 0) {
		BUG("a number is too long");
	}
	return span_of(dst);
}

/* One call for the asks of one key; `args' has room for all asks. */
static void append_group(struct rates *rates, const struct rate_ask *asks,
	size_t count, size_t number, struct span *args)
{
	char(*units)[NUMBER_BYTES] = mem_array(count + 3, NUMBER_BYTES);
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct rate_ask *ask = &asks[i];

		if (rates->group_of[i] != number) {
			continue;
		}
		if (n == 0) {
			args[n++] = ask->key;
			args[1] = put_number(units[0], ask->rate.limit);
			args[2] = put_number(units[1], ask->rate.per_ms);
			args[3] = put_number(units[2], ask->rate.max_wait_ms);
			n = ARGS_BEFORE_UNITS;
		}
		args[n] = put_number(units[n - 1], ask->units);
		n++;
	}
	redis_append_script(rates->redis, &rates->script, 1, n, args);
	mem_free(units);
}

/* The answer to one call, to those who asked. */
static void read_group(struct rates *rates, struct rate_ask *asks, size_t count,
	size_t number, const struct redis_reply *reply)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (rates->group_of[i] == number) {
			asks[i].wait_ms = redis_int(redis_at(reply, n++));
		}
	}
}

static int take_there(struct rates *rates, struct rate_ask *asks, size_t count,
	struct err *err)
{
	size_t groups = group(rates, asks, count);
	struct span *args = mem_array(count + ARGS_BEFORE_UNITS, sizeof(*args));
	const struct redis_reply *reply;

	for (size_t g = 0; g < groups; g++) {
		append_group(rates, asks, count, g, args);
	}
	mem_free(args);
	for (size_t g = 0; g < groups; g++) {
		if (redis_reply(rates->redis, &reply, err) != 0) {
			return -1;
		}
		read_group(rates, asks, count, g, reply);
	}
	return 0;
}

int rates_exchange(struct rates *rates, struct rate_ask *asks, size_t count,
	struct err *err)
{
	if (count > 0 && rates->redis != NULL) {
		return take_there(rates, asks, count, err);
	}
	if (rates->file != NULL) {
		return rates_embedded_exchange(rates->file, asks, count, err);
	}
	for (size_t i = 0; i < count; i++) {
		take_here(rates, &asks[i]);
	}
	return 0;
}
