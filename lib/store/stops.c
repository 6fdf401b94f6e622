/*
 * The hash of stops: its fields, written and read.
 */
#include "store/stops.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "store/stops_inner.h"

static const char *const kind_names[STOP_KIND_COUNT] = { "campaign", "app",
	"category", "id" };

const char *stop_kind_name(enum stop_kind kind)
{
	return kind_names[kind];
}

int stop_kind_parse(struct span name, enum stop_kind *out)
{
	for (int i = 0; i < STOP_KIND_COUNT; i++) {
		if (span_is(name, kind_names[i])) {
			*out = (enum stop_kind)i;
			return 0;
		}
	}
	return -1;
}

/* --- writing --- */

/* Another text than any before, whoever writes it. */
static void make_version(char version[STOPS_VERSION_BYTES])
{
	if (fmt_into(version, STOPS_VERSION_BYTES, "%lld-%ld",
		    (long long)clock_unix_us(), (long)getpid()) != 0) {
		BUG("a version is too long");
	}
}

static int put_field(struct buf *field, enum stop_kind kind, struct span name,
	struct err *err)
{
	if (name.len == 0 || name.len > STOPS_NAME_MAX_BYTES) {
		return err_usage(err, 0,
			"the name of the %s wants 1 to %d bytes, not %zu",
			kind_names[kind], STOPS_NAME_MAX_BYTES, name.len);
	}
	buf_text(field, kind_names[kind]);
	buf_putc(field, ':');
	buf_put(field, name.ptr, name.len);
	return 0;
}

static struct span span_of_buf(const struct buf *b)
{
	return (struct span){ b->data, b->len };
}

int stops_add(struct redis *r, const struct stop *stop, struct err *err)
{
	const struct redis_reply *reply;
	char version[STOPS_VERSION_BYTES];
	struct buf field;
	struct buf value;
	int result = -1;

	buf_init(&field, SIZE_MAX);
	buf_init(&value, SIZE_MAX);
	make_version(version);
	buf_i64(&value, stop->since_unix_ms);
	buf_putc(&value, ' ');
	buf_put(&value, stop->note.ptr, stop->note.len);
	if (stop->note.len > STOPS_NOTE_MAX_BYTES) {
		(void)err_usage(err, 0, "the note is longer than %d bytes",
			STOPS_NOTE_MAX_BYTES);
	} else if (put_field(&field, stop->kind, stop->name, err) == 0) {
		struct span args[] = { span_of("HSET"), span_of(STOPS_KEY),
			span_of_buf(&field), span_of_buf(&value),
			span_of(STOPS_VERSION_FIELD), span_of(version) };

		result = redis_command(r, &reply, 6, args, err);
	}
	buf_release(&field);
	buf_release(&value);
	return result;
}

int stops_remove(struct redis *r, enum stop_kind kind, struct span name,
	bool *was_there, struct err *err)
{
	const struct redis_reply *reply = NULL;
	char version[STOPS_VERSION_BYTES];
	struct buf field;
	int result = -1;

	buf_init(&field, SIZE_MAX);
	make_version(version);
	if (put_field(&field, kind, name, err) != 0) {
		goto out;
	}
	/* The version last: who sees the new one sees the stop gone. */
	redis_append(r, 3,
		(struct span[]){ span_of("HDEL"), span_of(STOPS_KEY),
			span_of_buf(&field) });
	redis_append(r, 4,
		(struct span[]){ span_of("HSET"), span_of(STOPS_KEY),
			span_of(STOPS_VERSION_FIELD), span_of(version) });
	if (redis_reply(r, &reply, err) != 0) {
		goto out;
	}
	*was_there = redis_int(reply) == 1;
	result = redis_reply(r, &reply, err);
out:
	buf_release(&field);
	return result;
}

/* --- reading --- */

static int compare(const void *a, const void *b)
{
	const struct stop *x = a;
	const struct stop *y = b;

	return x->kind != y->kind ? (int)x->kind - (int)y->kind
				  : strcmp(x->name.ptr, y->name.ptr);
}

/* One field; what is none of ours is passed over. */
static void read_field(
	struct stops *stops, struct span field, struct span value)
{
	const char *colon = memchr(field.ptr, ':', field.len);
	struct stop *stop = &stops->items[stops->count];
	size_t digits = strcspn(value.ptr, " ");
	char since[21] = "";
	size_t skip;

	if (colon == NULL ||
		stop_kind_parse(
			(struct span){ field.ptr, (size_t)(colon - field.ptr) },
			&stop->kind) != 0) {
		return;
	}
	skip = (size_t)(colon + 1 - field.ptr);
	stop->name.len = field.len - skip;
	stop->name.ptr = mem_dup(colon + 1, stop->name.len);
	if (digits < sizeof(since)) {
		memcpy(since, value.ptr, digits);
	}
	if (num_parse(since, 0, INT64_MAX, &stop->since_unix_ms) != 0) {
		stop->since_unix_ms = 0;
		digits = 0; /* all of it is a note, of whoever wrote it */
	}
	digits += digits < value.len && value.ptr[digits] == ' ' ? 1 : 0;
	stop->note.len = value.len - digits;
	stop->note.ptr = mem_dup(value.ptr + digits, stop->note.len);
	stops->count++;
}

/* The fields of a reply; the version, if it has one, is copied. */
static void read_all(const struct redis_reply *reply, struct stops *out,
	char version[STOPS_VERSION_BYTES])
{
	size_t count = redis_count(reply) / 2;

	out->items = mem_array(count + 1, sizeof(*out->items));
	out->count = 0;
	version[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		struct span field = redis_text(redis_at(reply, 2 * i));
		struct span value = redis_text(redis_at(reply, 2 * i + 1));

		if (field.ptr == NULL || value.ptr == NULL) {
			continue;
		}
		if (!span_is(field, STOPS_VERSION_FIELD)) {
			read_field(out, field, value);
		} else if (fmt_into(version, STOPS_VERSION_BYTES, "%s",
				   value.ptr) != 0) {
			version[0] = '\0';
		}
	}
	qsort(out->items, out->count, sizeof(*out->items), compare);
}

int stops_read(struct redis *r, struct stops *out,
	char version[STOPS_VERSION_BYTES], int64_t *fields, struct err *err)
{
	const struct redis_reply *reply;

	if (redis_command(r, &reply, 2,
		    (struct span[]){ span_of("HGETALL"), span_of(STOPS_KEY) },
		    err) != 0) {
		return -1;
	}
	read_all(reply, out, version);
	*fields = (int64_t)redis_count(reply) / 2;
	return 0;
}

int stops_list(struct redis *r, struct stops *out, struct err *err)
{
	char version[STOPS_VERSION_BYTES];
	int64_t fields;

	return stops_read(r, out, version, &fields, err);
}

void stops_release(struct stops *stops)
{
	for (size_t i = 0; i < stops->count; i++) {
		mem_free((void *)(uintptr_t)stops->items[i].name.ptr);
		mem_free((void *)(uintptr_t)stops->items[i].note.ptr);
	}
	mem_free(stops->items);
	*stops = (struct stops){ 0 };
}
