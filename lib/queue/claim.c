/*
 * Calls the scripts that claim and take back, and reads the entries they give.
 *
 * A claim whose answer was lost (the connection broke) may have been carried
 * out.  `last_claim' is the newest one known here; what this worker has in
 * flight that is newer was never seen and is given out first.
 */
#include "queue/claim.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/redis.h"
#include "queue/entry.h"
#include "queue/hold.h"
#include "queue/key.h"
#include "queue/permission.h"
#include "queue/script.h"

enum {
	KEY_READY,
	KEY_INFLIGHT,
	KEY_LEASES,
	KEY_REDELIVER,
	KEY_DELAYED,
	KEY_DEAD,
	KEY_SEQ,
	KEY_FULL,
	KEY_WORKER,
	KEY_COUNT,
	CLAIM_ARGS = 10,
	NAMES_MAX_BYTES = 1024 * 1024,
};

struct claim {
	struct redis *redis;   /* owned */
	struct hold *hold;     /* owned */
	char *worker;          /* owned */
	char *prefix;          /* owned */
	char *keys[KEY_COUNT]; /* owned; KEY_READY is the queue's name */
	int64_t lease_ms;
	int64_t attempts;
	char uid_prefix[KEY_UID_PREFIX_LEN + 1];
	struct script take;
	struct script resume;
	char last_claim[ENTRY_CLAIM_BYTES + 1];
	bool is_unsure; /* a claim's answer was lost */
	bool is_displaced;
	int64_t recovered;
	struct claim_batch batch;
	size_t entry_room;
	struct buf names; /* receipts and uids of the batch */
};

/* --- opening --- */

static int take_back(struct claim *c, bool leaves, struct err *err)
{
	struct script script;
	const struct redis_reply *reply;
	char limit[21] = "";
	int failed;

	limit[num_format_u64(limit, (uint64_t)c->attempts)] = '\0';
	script_init(&script, SCRIPT_RECOVER);
	redis_append_script(c->redis, &script.call, 4, 9,
		(struct span[]){ span_of(c->keys[KEY_INFLIGHT]),
			span_of(c->keys[KEY_REDELIVER]),
			span_of(c->keys[KEY_DEAD]), span_of(c->keys[KEY_SEQ]),
			span_of(c->prefix), span_of(c->worker), span_of(limit),
			span_of(c->uid_prefix),
			span_of(leaves ? "leave" : "take") });
	failed = redis_reply(c->redis, &reply, err);
	if (failed == 0) {
		struct span last = redis_text(redis_at(reply, 1));

		c->recovered = redis_int(redis_at(reply, 0));
		if (last.len == ENTRY_CLAIM_BYTES) {
			memcpy(c->last_claim, last.ptr, ENTRY_CLAIM_BYTES);
		}
	}
	script_release(&script);
	return failed;
}

static struct claim *claim_new(
	const char *queue, const struct claim_settings *settings)
{
	static const char *const what[KEY_COUNT] = {
		[KEY_INFLIGHT] = "inflight",
		[KEY_LEASES] = "leases",
		[KEY_REDELIVER] = "redeliver",
		[KEY_DELAYED] = "delayed",
		[KEY_DEAD] = "dead",
		[KEY_SEQ] = "seq",
		[KEY_FULL] = "full",
		[KEY_WORKER] = "worker",
	};
	struct claim *c = mem_array(1, sizeof(*c));

	c->worker = mem_text(settings->worker);
	c->lease_ms = settings->lease_ms;
	c->attempts = settings->attempts;
	c->prefix = key_take(queue, "", NULL);
	c->keys[KEY_READY] = mem_text(queue);
	for (int k = KEY_READY + 1; k < KEY_COUNT; k++) {
		bool is_own =
			k == KEY_INFLIGHT || k == KEY_FULL || k == KEY_WORKER;

		c->keys[k] =
			key_take(queue, what[k], is_own ? c->worker : NULL);
	}
	key_uid_prefix(queue, c->uid_prefix);
	script_init(&c->take, SCRIPT_CLAIM);
	script_init(&c->resume, SCRIPT_RESUME);
	buf_init(&c->names, NAMES_MAX_BYTES);
	c->batch.queue = c->keys[KEY_READY];
	return c;
}

static int take_name(struct claim *c, const char *queue, bool is_hasty,
	bool *is_in_use, struct err *err)
{
	struct hold_want want = {
		.queue = queue, .worker = c->worker, .is_hasty = is_hasty
	};
	int result = hold_take(&c->hold, c->redis, &want, err);

	*is_in_use = want.is_in_use;
	return result;
}

static int check_queue(const char *queue, struct err *err)
{
	return key_is_queue(span_of(queue))
		       ? 0
		       : err_usage(err, 0,
				 "'%s' cannot name a queue: 1 to %d printable bytes, "
				 "no blank, no braces",
				 queue, KEY_NAME_MAX_BYTES);
}

int claim_check_queues(const char *const *queues, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (check_queue(queues[i], err) != 0) {
			return -1;
		}
		for (size_t k = 0; k < i; k++) {
			if (strcmp(queues[i], queues[k]) == 0) {
				return err_usage(err, 0,
					"queue '%s' is named twice", queues[i]);
			}
		}
	}
	return 0;
}

int claim_check_worker(const char *worker, struct err *err)
{
	return key_is_worker(span_of(worker))
		       ? 0
		       : err_usage(err, 0,
				 "'%s' cannot name a worker: 1 to %d letters, "
				 "digits, '.', '_' and '-'",
				 worker, KEY_NAME_MAX_BYTES);
}

int claim_open(struct claim **out, const char *queue,
	const struct claim_settings *settings, bool *is_in_use, struct err *err)
{
	struct claim *c;

	if (check_queue(queue, err) != 0 ||
		claim_check_worker(settings->worker, err) != 0) {
		return -1;
	}
	c = claim_new(queue, settings);
	if (redis_open(&c->redis, settings->url, err) != 0 ||
		take_name(c, queue, settings->is_hasty, is_in_use, err) != 0 ||
		permission_look(c->redis, queue, c->worker, err) != 0 ||
		take_back(c, settings->leaves_own, err) != 0) {
		claim_close(c);
		return -1;
	}
	*out = c;
	return 0;
}

void claim_close(struct claim *c)
{
	if (c == NULL) {
		return;
	}
	hold_release(c->hold);
	redis_close(c->redis);
	for (size_t k = 0; k < KEY_COUNT; k++) {
		mem_free(c->keys[k]);
	}
	mem_free(c->prefix);
	mem_free(c->worker);
	mem_free(c->batch.entries);
	script_release(&c->take);
	script_release(&c->resume);
	buf_release(&c->names);
	mem_free(c);
}

/* --- reading entries --- */

/* Reads an entry that came back. */
static void read_entry(struct claim_entry *e, struct span text)
{
	struct entry entry;

	if (entry_parse(text, &entry) != 0) {
		BUG("an entry in flight has a broken head");
	}
	e->attempt = entry.attempt;
	e->first_unix_ms = entry.first_unix_ms;
	e->uid = entry.uid;
	e->bytes = entry.bytes;
	e->is_resumed = entry.origin == 'd' || entry.origin == 'w';
	e->is_whole = entry.origin == 'w';
	e->has_waited = entry.origin == 'n';
}

/* Adds an entry under its field, "claim.place" or "claim-place". */
static void add_entry(struct claim *c, struct span field, struct span entry,
	int64_t lease_unix_ms)
{
	struct claim_entry *e;
	size_t at = c->names.len;
	bool is_new = memchr(field.ptr, '-', field.len) != NULL;

	if (c->batch.count == c->entry_room) {
		c->entry_room = c->entry_room == 0 ? 64 : c->entry_room * 2;
		c->batch.entries = mem_resize(c->batch.entries, c->entry_room,
			sizeof(*c->batch.entries));
	}
	e = &c->batch.entries[c->batch.count++];
	*e = (struct claim_entry){ .lease_unix_ms = lease_unix_ms };
	/* The names' places are set when the buffer does not move any more. */
	buf_text(&c->names, c->worker);
	buf_putc(&c->names, ':');
	buf_put(&c->names, field.ptr, field.len);
	e->receipt.len = c->names.len - at;
	if (is_new) {
		e->attempt = 1;
		e->bytes = entry;
		buf_text(&c->names, c->uid_prefix);
		buf_put(&c->names, field.ptr, field.len);
		e->uid.len = KEY_UID_PREFIX_LEN + field.len;
	} else {
		read_entry(e, entry);
	}
}

static void set_names(struct claim *c)
{
	const char *at = c->names.data;

	if (buf_is_over(&c->names)) {
		BUG("the names of one claim exceed %d bytes", NAMES_MAX_BYTES);
	}
	for (size_t i = 0; i < c->batch.count; i++) {
		struct claim_entry *e = &c->batch.entries[i];

		e->receipt.ptr = at;
		at += e->receipt.len;
		if (e->uid.ptr == NULL) {
			e->uid.ptr = at;
			at += e->uid.len;
		}
	}
}

/* --- claiming --- */

static struct span int_text(char dst[20], int64_t n)
{
	return (struct span){ dst,
		num_format_u64(dst, (uint64_t)(n < 0 ? 0 : n)) };
}

static int displaced(struct claim *c, struct err *err)
{
	c->is_displaced = true;
	return err_usage(err, 0,
		"another push-pop has taken the worker name '%s' on queue "
		"'%s': give each its own --worker",
		c->worker, c->keys[KEY_READY]);
}

/* What a claim took whose answer was lost. */
static int resume(struct claim *c, struct err *err)
{
	const struct redis_reply *reply;
	int64_t lease_unix_ms = clock_unix_ms() + c->lease_ms;
	char lease[20];

	redis_append_script(c->redis, &c->resume.call, 2, 6,
		(struct span[]){ span_of(c->keys[KEY_INFLIGHT]),
			span_of(c->keys[KEY_LEASES]), span_of(c->worker),
			span_of(c->last_claim), int_text(lease, c->lease_ms),
			span_of(c->prefix) });
	if (redis_reply(c->redis, &reply, err) != 0) {
		return -1;
	}
	c->is_unsure = false;
	for (size_t i = 0; i + 2 < redis_count(reply); i += 3) {
		struct span field = redis_text(redis_at(reply, i));

		add_entry(c, field, redis_text(redis_at(reply, i + 1)),
			lease_unix_ms);
		c->batch.entries[c->batch.count - 1].apart =
			redis_text(redis_at(reply, i + 2));
		if (field.len > ENTRY_CLAIM_BYTES) {
			memcpy(c->last_claim, field.ptr, ENTRY_CLAIM_BYTES);
		}
	}
	set_names(c);
	c->batch.in_flight += (int64_t)c->batch.count;
	c->batch.next_ms = 0;
	return 0;
}

/* Adds entries of one claim; `kind' stands before the place in their fields. */
static void add_list(struct claim *c, struct span claim, char kind,
	const struct redis_reply *list, int64_t lease_unix_ms)
{
	char field[ENTRY_CLAIM_BYTES + 1 + 20];

	for (size_t i = 0; i < redis_count(list); i++) {
		size_t len = ENTRY_CLAIM_BYTES;

		memcpy(field, claim.ptr, len);
		field[len++] = kind;
		len += num_format_u64(field + len, c->batch.count);
		add_entry(c, (struct span){ field, len },
			redis_text(redis_at(list, i)), lease_unix_ms);
	}
}

static int take(struct claim *c, const struct claim_want *want, struct err *err)
{
	char n[5][20];
	const struct redis_reply *reply;
	struct span args[KEY_COUNT + CLAIM_ARGS];
	int64_t lease_unix_ms = clock_unix_ms() + c->lease_ms;
	struct span claim;

	for (size_t k = 0; k < KEY_COUNT; k++) {
		args[k] = span_of(c->keys[k]);
	}
	args[KEY_COUNT] = span_of(c->prefix);
	args[KEY_COUNT + 1] = span_of(c->worker);
	args[KEY_COUNT + 2] = span_of(hold_token(c->hold));
	args[KEY_COUNT + 3] = int_text(n[0], HOLD_LIFE_MS);
	args[KEY_COUNT + 4] = int_text(n[1], c->lease_ms);
	args[KEY_COUNT + 5] = int_text(n[2], want->max);
	args[KEY_COUNT + 6] = int_text(n[3], want->window);
	args[KEY_COUNT + 7] = int_text(n[4], want->wake_step);
	char attempts[20];
	args[KEY_COUNT + 8] = int_text(attempts, c->attempts);
	args[KEY_COUNT + 9] = span_of(c->uid_prefix);
	redis_append_script(c->redis, &c->take.call, KEY_COUNT,
		KEY_COUNT + CLAIM_ARGS, args);
	c->is_unsure = true;
	if (redis_reply(c->redis, &reply, err) != 0) {
		return -1;
	}
	c->is_unsure = false;
	if (redis_int(redis_at(reply, 0)) == 0) {
		return displaced(c, err);
	}
	c->batch.in_flight = redis_int(redis_at(reply, 1));
	c->batch.next_ms = redis_int(redis_at(reply, 2));
	c->batch.is_full = redis_int(redis_at(reply, 3)) == 1;
	claim = redis_text(redis_at(reply, 4));
	if (claim.len == ENTRY_CLAIM_BYTES) {
		memcpy(c->last_claim, claim.ptr, ENTRY_CLAIM_BYTES);
	}
	add_list(c, claim, '.', redis_at(reply, 5), lease_unix_ms);
	for (size_t i = 0; i < c->batch.count; i++) {
		c->batch.entries[i].apart =
			redis_text(redis_at(redis_at(reply, 7), i));
	}
	add_list(c, claim, '-', redis_at(reply, 6), lease_unix_ms);
	set_names(c);
	return 0;
}

int claim_take(struct claim *c, const struct claim_want *want,
	const struct claim_batch **out, struct err *err)
{
	c->batch.count = 0;
	c->batch.is_full = false;
	buf_reset(&c->names);
	if (c->is_unsure && resume(c, err) != 0) {
		return err_prefix(
			err, "cannot claim from '%s'", c->keys[KEY_READY]);
	}
	if (c->batch.count == 0 && take(c, want, err) != 0) {
		return c->is_displaced
			       ? -1
			       : err_prefix(err, "cannot claim from '%s'",
					 c->keys[KEY_READY]);
	}
	*out = &c->batch;
	return 0;
}

int claim_renew(struct claim *c, struct err *err)
{
	if (hold_renew(c->hold, err) == 0) {
		return 0;
	}
	return err->is_usage ? displaced(c, err) : -1;
}

bool claim_is_displaced(const struct claim *c)
{
	return c->is_displaced;
}

int claim_count(struct claim *c, int64_t *in_flight, struct err *err)
{
	const struct redis_reply *reply;

	if (redis_command(c->redis, &reply, 2,
		    (struct span[]){
			    span_of("HLEN"), span_of(c->keys[KEY_INFLIGHT]) },
		    err) != 0) {
		return -1;
	}
	*in_flight = redis_int(reply);
	return 0;
}

int64_t claim_recovered(const struct claim *c)
{
	return c->recovered;
}
