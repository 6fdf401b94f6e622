/* Pages of a stream. */
#include "queue/feedback.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/redis.h"
#include "queue/key.h"

struct feedback {
	struct redis *redis; /* owned */
	char *stream;        /* owned */
	char *place;         /* owned; name of the key */
	struct buf after;    /* the last id that was read */
	struct buf until;    /* the last id to be read */
	struct feedback_entry entries[FEEDBACK_PAGE];
};

int feedback_open(struct feedback **out, const char *url, const char *queue,
	struct err *err)
{
	struct redis *redis;
	struct feedback *f;

	if (!key_is_queue(span_of(queue))) {
		return err_usage(err, 0, "'%s' is no name of a queue", queue);
	}
	if (redis_open(&redis, url, err) != 0) {
		return -1;
	}
	f = mem_array(1, sizeof(*f));
	f->redis = redis;
	f->stream = key_take(queue, "feedback", NULL);
	f->place = key_take(queue, "pruned", NULL);
	buf_init(&f->after, SIZE_MAX);
	buf_init(&f->until, SIZE_MAX);
	*out = f;
	return 0;
}

void feedback_close(struct feedback *f)
{
	if (f != NULL) {
		redis_close(f->redis);
		mem_free(f->stream);
		mem_free(f->place);
		buf_release(&f->after);
		buf_release(&f->until);
		mem_free(f);
	}
}

int feedback_rewind(struct feedback *f, struct err *err)
{
	const struct redis_reply *reply;
	struct span place;

	if (redis_command(f->redis, &reply, 2,
		    (struct span[]){ span_of("GET"), span_of(f->place) },
		    err) != 0) {
		return -1;
	}
	place = redis_text(reply);
	buf_reset(&f->until);
	buf_put(&f->until, f->after.data, f->after.len);
	if (f->until.len == 0) {
		buf_putc(&f->until, '+');
	}
	buf_reset(&f->after);
	if (place.len == 0) {
		buf_text(&f->after, "0-0");
	}
	buf_put(&f->after, place.ptr, place.len);
	return 0;
}

static int64_t number_of(struct span text)
{
	int64_t n = 0;

	return text.ptr != NULL && num_parse(text.ptr, 0, INT64_MAX, &n) == 0
		       ? n
		       : 0;
}

static void take_fields(
	struct feedback_entry *e, const struct redis_reply *fields)
{
	*e = (struct feedback_entry){ .at_unix_ms = 0 };
	for (size_t i = 0; i + 1 < redis_count(fields); i += 2) {
		struct span name = redis_text(redis_at(fields, i));
		struct span value = redis_text(redis_at(fields, i + 1));

		if (span_is(name, "app")) {
			e->app = value;
		} else if (span_is(name, "platform")) {
			e->platform = value;
		} else if (span_is(name, "token")) {
			e->token = value;
		} else if (span_is(name, "reason")) {
			e->reason = value;
		} else if (span_is(name, "at_ms")) {
			e->at_unix_ms = number_of(value);
		} else if (span_is(name, "vendor_ms")) {
			e->vendor_unix_ms = number_of(value);
		}
	}
}

int feedback_read(struct feedback *f, const struct feedback_entry **out,
	size_t *count, struct err *err)
{
	const struct redis_reply *reply;
	struct buf from;
	int result;

	buf_init(&from, SIZE_MAX);
	buf_putc(&from, '(');
	buf_put(&from, f->after.data, f->after.len);
	result = redis_command(f->redis, &reply, 6,
		(struct span[]){ span_of("XRANGE"), span_of(f->stream),
			(struct span){ from.data, from.len },
			(struct span){ f->until.data, f->until.len },
			span_of("COUNT"), span_of("1000") },
		err);
	buf_release(&from);
	if (result != 0) {
		return -1;
	}
	*count = redis_count(reply);
	for (size_t i = 0; i < *count && i < FEEDBACK_PAGE; i++) {
		const struct redis_reply *entry = redis_at(reply, i);
		struct span id = redis_text(redis_at(entry, 0));

		take_fields(f->entries + i, redis_at(entry, 1));
		buf_reset(&f->after);
		buf_put(&f->after, id.ptr, id.len);
	}
	*out = f->entries;
	return 0;
}

int feedback_save(struct feedback *f, struct err *err)
{
	const struct redis_reply *reply;

	return redis_command(f->redis, &reply, 3,
		(struct span[]){ span_of("SET"), span_of(f->place),
			(struct span){ f->after.data, f->after.len } },
		err);
}
