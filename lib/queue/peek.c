/* Reads pages of a queue's keys and shows their entries as JSON. */
#include "queue/peek.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "queue/entry.h"
#include "queue/inspect.h"
#include "queue/key.h"
#include "record/json.h"

enum { PAGE = 100, NUMBER_BYTES = 24, ID_BYTES = 48 };

static const char *const state_names[PEEK_STATE_COUNT] = { "ready", "redeliver",
	"delayed", "inflight", "dead" };

int peek_state_parse(const char *name, enum peek_state *out)
{
	for (int i = 0; i < PEEK_STATE_COUNT; i++) {
		if (strcmp(name, state_names[i]) == 0) {
			*out = (enum peek_state)i;
			return 0;
		}
	}
	return -1;
}

struct look {
	struct redis *redis;
	const char *queue;
	const struct peek *want;
	char uid_prefix[KEY_UID_PREFIX_LEN + 1];
	int64_t left;
	struct buf line;
};

/* --- lines --- */

static void begin_line(struct look *l)
{
	buf_reset(&l->line);
	buf_putc(&l->line, '{');
	json_put_name(&l->line, "q");
	json_put_span(&l->line, span_of(l->queue));
	json_put_name(&l->line, "state");
	json_put_span(&l->line, span_of(state_names[l->want->state]));
}

static bool end_line(struct look *l)
{
	buf_text(&l->line, "}\n");
	l->left--;
	return l->want->on_line(l->want->self,
		       (struct span){ l->line.data, l->line.len }) &&
	       l->left > 0;
}

static void put_raw(struct look *l, struct span bytes)
{
	buf_putc(&l->line, ',');
	entry_put_raw(&l->line, bytes);
}

static void put_entry(struct look *l, const struct entry *e)
{
	json_put_name(&l->line, "uid");
	json_put_span(&l->line, e->uid);
	json_put_name(&l->line, "attempt");
	buf_i64(&l->line, e->attempt);
	json_put_name(&l->line, "kind");
	buf_text(&l->line, e->origin == 'd'   ? "\"device\""
			   : e->origin == 'w' ? "\"whole\""
					      : "\"task\"");
	json_put_name(&l->line, "first_ms");
	buf_i64(&l->line, e->first_unix_ms);
	json_put_name(&l->line, "history");
	entry_put_history(&l->line, e->history);
	put_raw(l, e->bytes);
}

static void put_text_entry(struct look *l, struct span text)
{
	struct entry e;

	if (entry_parse(text, &e) == 0) {
		put_entry(l, &e);
	} else {
		put_raw(l, text);
	}
}

static bool show_ready(struct look *l, struct span bytes)
{
	begin_line(l);
	put_raw(l, bytes);
	return end_line(l);
}

static bool show_redeliver(struct look *l, struct span text)
{
	begin_line(l);
	put_text_entry(l, text);
	return end_line(l);
}

static bool show_delayed(struct look *l, struct span text, struct span score)
{
	int64_t due_unix_ms;

	begin_line(l);
	if (num_parse(score.ptr, 0, INT64_MAX, &due_unix_ms) == 0) {
		json_put_name(&l->line, "due_ms");
		buf_i64(&l->line, due_unix_ms);
	}
	put_text_entry(l, text);
	return end_line(l);
}

/* A letter is an object already. */
static bool show_dead(struct look *l, struct span letter)
{
	begin_line(l);
	if (letter.len > 2 && letter.ptr[0] == '{' &&
		letter.ptr[letter.len - 1] == '}') {
		buf_putc(&l->line, ',');
		buf_put(&l->line, letter.ptr + 1, letter.len - 2);
	} else {
		put_raw(l, letter);
	}
	return end_line(l);
}

static bool show_in_flight(
	struct look *l, const char *worker, struct span field, struct span text)
{
	bool is_new = memchr(field.ptr, '-', field.len) != NULL;

	begin_line(l);
	json_put_name(&l->line, "worker");
	json_put_span(&l->line, span_of(worker));
	json_put_name(&l->line, "claimed_ms");
	buf_i64(&l->line, entry_claim_unix_ms(field));
	if (is_new) {
		struct buf uid;
		struct entry e = { .attempt = 1,
			.first_unix_ms = entry_claim_unix_ms(field),
			.origin = 't',
			.history = span_of("-"),
			.bytes = text };

		buf_init(&uid, SIZE_MAX);
		buf_text(&uid, l->uid_prefix);
		buf_put(&uid, field.ptr, field.len);
		e.uid = (struct span){ uid.data, uid.len };
		put_entry(l, &e);
		buf_release(&uid);
	} else {
		put_text_entry(l, text);
	}
	return end_line(l);
}

/* --- pages --- */

static struct span number(char dst[NUMBER_BYTES], int64_t n)
{
	if (fmt_into(dst, NUMBER_BYTES, "%" PRId64, n) != 0) {
		BUG("a number is too long");
	}
	return span_of(dst);
}

/* Entries `from' to `to' of a list, or of the sorted set of what is delayed: by
 * two, each with its score. */
static int ask_page(struct look *l, const char *key, int64_t from, int64_t to,
	const struct redis_reply **reply, struct err *err)
{
	bool is_set = l->want->state == PEEK_DELAYED;
	char begin[NUMBER_BYTES];
	char end[NUMBER_BYTES];
	const struct span words[] = { span_of(is_set ? "ZRANGE" : "LRANGE"),
		span_of(key), number(begin, from), number(end, to),
		span_of("WITHSCORES") };

	return redis_command(l->redis, reply, is_set ? 5 : 4, words, err);
}

/* A list from its right end, or from its left one for the dead. */
static int look_list(struct look *l, const char *key, struct err *err)
{
	bool is_dead = l->want->state == PEEK_DEAD;
	bool goes_on = true;
	size_t got = PAGE;

	for (int64_t skip = 0; goes_on && got == PAGE; skip += PAGE) {
		const struct redis_reply *reply;

		if (ask_page(l, key, is_dead ? skip : -(skip + PAGE),
			    is_dead ? skip + PAGE - 1 : -(skip + 1), &reply,
			    err) != 0) {
			return -1;
		}
		got = redis_count(reply);
		for (size_t i = 0; goes_on && i < got; i++) {
			struct span text = redis_text(
				redis_at(reply, is_dead ? i : got - 1 - i));

			goes_on = is_dead ? show_dead(l, text)
				  : l->want->state == PEEK_READY
					  ? show_ready(l, text)
					  : show_redeliver(l, text);
		}
	}
	return 0;
}

static int look_delayed(struct look *l, const char *key, struct err *err)
{
	bool goes_on = true;
	size_t got = PAGE;

	for (int64_t skip = 0; goes_on && got == PAGE; skip += PAGE) {
		const struct redis_reply *reply;

		if (ask_page(l, key, skip, skip + PAGE - 1, &reply, err) != 0) {
			return -1;
		}
		got = redis_count(reply) / 2;
		for (size_t i = 0; goes_on && i < got; i++) {
			goes_on = show_delayed(l,
				redis_text(redis_at(reply, 2 * i)),
				redis_text(redis_at(reply, 2 * i + 1)));
		}
	}
	return 0;
}

static int look_worker(struct look *l, const char *worker, struct err *err)
{
	char *key = key_take(l->queue, "inflight", worker);
	char cursor[NUMBER_BYTES] = "0";
	bool goes_on = l->left > 0;
	int result = 0;

	while (goes_on) {
		const struct redis_reply *reply;
		const struct redis_reply *page;
		char count[NUMBER_BYTES];

		result = redis_command(l->redis, &reply, 5,
			(struct span[]){ span_of("HSCAN"), span_of(key),
				span_of(cursor), span_of("COUNT"),
				number(count, PAGE) },
			err);
		if (result != 0) {
			break;
		}
		page = redis_at(reply, 1);
		for (size_t i = 0; goes_on && i + 1 < redis_count(page);
			i += 2) {
			goes_on = show_in_flight(l, worker,
				redis_text(redis_at(page, i)),
				redis_text(redis_at(page, i + 1)));
		}
		if (fmt_into(cursor, sizeof(cursor), "%s",
			    redis_text(redis_at(reply, 0)).ptr) != 0 ||
			strcmp(cursor, "0") == 0) {
			break;
		}
	}
	mem_free(key);
	return result;
}

static int look_in_flight(struct look *l, struct err *err)
{
	struct inspect i;
	int result = inspect_queue(l->redis, l->queue, &i, err);

	for (size_t w = 0; result == 0 && w < i.worker_count; w++) {
		result = look_worker(l, i.workers[w].name, err);
	}
	inspect_release(&i);
	return result;
}

int peek_queue(struct redis *r, const char *queue, const struct peek *want,
	struct err *err)
{
	struct look l = {
		.redis = r, .queue = queue, .want = want, .left = want->most
	};
	char *key = NULL;
	int result = -1;

	if (!key_is_queue(span_of(queue))) {
		return err_usage(err, 0, "'%s' is no name of a queue", queue);
	}
	buf_init(&l.line, SIZE_MAX);
	key_uid_prefix(queue, l.uid_prefix);
	switch (want->state) {
	case PEEK_READY:
		result = look_list(&l, queue, err);
		break;
	case PEEK_REDELIVER:
	case PEEK_DEAD:
		key = key_take(queue, state_names[want->state], NULL);
		result = look_list(&l, key, err);
		break;
	case PEEK_DELAYED:
		key = key_take(queue, "delayed", NULL);
		result = look_delayed(&l, key, err);
		break;
	case PEEK_IN_FLIGHT:
		result = look_in_flight(&l, err);
		break;
	case PEEK_STATE_COUNT:
		BUG("no such state");
	}
	mem_free(key);
	buf_release(&l.line);
	return result;
}

/* --- feedback --- */

static void put_told(struct buf *line, const char *queue, struct span id,
	const struct redis_reply *pairs)
{
	buf_reset(line);
	buf_putc(line, '{');
	json_put_member(line, "q", span_of(queue));
	json_put_member(line, "entry", id);
	for (size_t i = 0; i + 1 < redis_count(pairs); i += 2) {
		struct span name = redis_text(redis_at(pairs, i));
		struct span value = redis_text(redis_at(pairs, i + 1));
		int64_t n;

		buf_putc(line, ',');
		json_put_span(line, name);
		buf_putc(line, ':');
		if ((span_is(name, "at_ms") || span_is(name, "vendor_ms")) &&
			num_parse(value.ptr, 0, INT64_MAX, &n) == 0) {
			buf_i64(line, n);
		} else {
			json_put_span(line, value);
		}
	}
	buf_text(line, "}\n");
}

/* Where it is in one queue's stream. */
struct stream {
	const char *queue;
	char *key;           /* owned */
	char last[ID_BYTES]; /* the last entry shown; "": none */
};

/* All that is new; 1 when it is to go on, 0 when a line failed, -1. */
static int show_new(struct redis *r, struct stream *s,
	const struct peek_feedback *want, struct err *err)
{
	int64_t left = want->most;
	size_t got = PAGE;
	struct buf line;
	int result = 1;

	buf_init(&line, SIZE_MAX);
	while (result == 1 && left > 0 && got > 0) {
		const struct redis_reply *reply;
		char from[ID_BYTES + 1];
		char count[NUMBER_BYTES];

		if (fmt_into(from, sizeof(from), "%s%s",
			    s->last[0] == '\0' ? "-" : "(", s->last) != 0) {
			BUG("an id is too long");
		}
		if (redis_command(r, &reply, 6,
			    (struct span[]){ span_of("XRANGE"), span_of(s->key),
				    span_of(from), span_of("+"),
				    span_of("COUNT"),
				    number(count, left < PAGE ? left : PAGE) },
			    err) != 0) {
			result = -1;
			break;
		}
		got = redis_count(reply);
		left -= (int64_t)got;
		for (size_t i = 0; result == 1 && i < got; i++) {
			const struct redis_reply *item = redis_at(reply, i);
			struct span id = redis_text(redis_at(item, 0));

			put_told(&line, s->queue, id, redis_at(item, 1));
			result = fmt_into(s->last, ID_BYTES, "%s", id.ptr) ==
					 0 &&
				 want->on_line(want->self,
					 (struct span){ line.data, line.len });
		}
	}
	buf_release(&line);
	return result;
}

/* Waits until there is something new in the stream, a second at most. */
static int wait_for(struct redis *r, const struct stream *s, struct err *err)
{
	const struct redis_reply *reply;

	return redis_command(r, &reply, 6,
		(struct span[]){ span_of("XREAD"), span_of("BLOCK"),
			span_of("1000"), span_of("STREAMS"), span_of(s->key),
			span_of(s->last[0] == '\0' ? "0-0" : s->last) },
		err);
}

int peek_feedback(struct redis *r, const char *const *queues, size_t count,
	const struct peek_feedback *want, struct err *err)
{
	struct stream *streams = mem_array(count + 1, sizeof(*streams));
	int result = 1;

	for (size_t i = 0; i < count; i++) {
		streams[i].queue = queues[i];
		streams[i].key = key_take(queues[i], "feedback", NULL);
		if (want->after != NULL && fmt_into(streams[i].last, ID_BYTES,
						   "%s", want->after) != 0) {
			result = err_usage(err, 0,
				"'%s' is no entry of a stream", want->after);
		}
	}
	while (result == 1) {
		for (size_t i = 0; result == 1 && i < count; i++) {
			result = show_new(r, &streams[i], want, err);
		}
		if (!want->is_following) {
			break;
		}
		if (result == 1 && wait_for(r, &streams[0], err) != 0) {
			result = -1;
		}
	}
	for (size_t i = 0; i < count; i++) {
		mem_free(streams[i].key);
	}
	mem_free(streams);
	return result < 0 ? -1 : 0;
}
