/* Queries of a batch, pages of a segment, and their records. */
#include "store/lookup.h"

#include <string.h>

#include "base/mem.h"
#include "policy/fanout.h"
#include "store/devices.h"
#include "store/segments.h"

struct lookup {
	lookup_cb *emit;
	void *self;                     /* of emit() */
	struct record_pool *pool;       /* borrowed */
	struct devices *devices;        /* owned; NULL: nobody has a device */
	struct segments *segments;      /* owned; NULL likewise */
	struct devices_queries queries; /* of the batch, or of a page */
	size_t used; /* of them, by records that were spread out */
	struct platforms *platforms; /* owned; NULL: of no app any */
	bool is_replay;
	struct fanout fanout;
	struct buf
		after; /* without a queue: the last user of a segment so far */
	bool is_walking; /* and whether there is one */
};

struct lookup *lookup_new(lookup_cb *emit, void *self, bool is_replay)
{
	struct lookup *l = mem_array(1, sizeof(*l));

	l->is_replay = is_replay;

	l->emit = emit;
	l->self = self;
	fanout_init(&l->fanout);
	buf_init(&l->after, DEVICE_USER_MAX_BYTES);
	return l;
}

void lookup_free(struct lookup *l)
{
	if (l != NULL) {
		devices_close(l->devices);
		segments_close(l->segments);
		platforms_free(l->platforms);
		fanout_release(&l->fanout);
		buf_release(&l->after);
		devices_queries_release(&l->queries);
		mem_free(l);
	}
}

int lookup_open(struct lookup *l, const char *url, struct err *err)
{
	struct devices *devices = NULL;
	struct segments *segments = NULL;

	if (strcmp(url, "memory:") != 0 &&
		(devices_open(&devices, url, err) != 0 ||
			segments_open(&segments, url, err) != 0)) {
		devices_close(devices);
		return -1;
	}
	devices_close(l->devices);
	segments_close(l->segments);
	l->devices = devices;
	l->segments = segments;
	return 0;
}

void lookup_allow(struct lookup *l, struct platforms *platforms)
{
	platforms_free(l->platforms);
	l->platforms = platforms;
}

/* --- asking --- */

void lookup_begin(struct lookup *l, struct record_pool *pool)
{
	l->pool = pool;
	l->used = 0;
	devices_queries_reset(&l->queries);
}

/* One query a user, in the order in which their answers are used below. */
void lookup_add(struct lookup *l, const struct record *r)
{
	struct json_iter it = json_iter(r->users);
	const struct json *user;

	switch (fanout_source(r)) {
	case FANOUT_USER:
		devices_queries_add(&l->queries, r->app, r->user);
		break;
	case FANOUT_USERS:
		while ((user = json_next(&it)) != NULL) {
			devices_queries_add(
				&l->queries, r->app, json_text(user));
		}
		break;
	case FANOUT_NONE:
	case FANOUT_DEVICES:
	case FANOUT_SEGMENT:
	case FANOUT_BAD:
		break;
	}
}

int lookup_find(struct lookup *l, struct err *err)
{
	if (l->devices == NULL) {
		return 0; /* nothing found, as the queries were made */
	}
	return devices_find(
		l->devices, l->queries.items, l->queries.count, err);
}

/* --- spreading out --- */

static void begin(struct lookup *l, const struct record *rec)
{
	fanout_begin(&l->fanout, rec,
		l->platforms == NULL ? NULL
				     : platforms_of(l->platforms, rec->app));
}

/* In a replay of a task that tells its time, what was registered after it was
 * not there. */
static bool was_there(
	const struct lookup *l, const struct record *rec, struct span device)
{
	struct json_doc *doc;
	int64_t since_unix_ms = 0;
	bool is_known;

	if (!l->is_replay || rec->is_timeless) {
		return true;
	}
	doc = json_parse(device.ptr, device.len, JSON_STRICT, NULL);
	is_known = json_int(json_get(json_root(doc), "registered_ms"),
			   &since_unix_ms) == 0;
	json_free(doc);
	return !is_known || since_unix_ms <= rec->now_unix_us / 1000;
}

static size_t there(const struct lookup *l, const struct record *rec,
	const struct devices_query *q)
{
	size_t count = 0;

	if (!l->is_replay) {
		return q->count;
	}
	for (size_t k = 0; k < q->count; k++) {
		count += was_there(
			l, rec, devices_found(l->devices, q->first + k));
	}
	return count;
}

static void emit(struct lookup *l, struct fanout_part *part)
{
	l->emit(l->self, fanout_child(&l->fanout, l->pool, part));
	part->n++;
}

static void spread_devices(struct lookup *l, struct record *rec)
{
	const struct json *list = rec->devices;
	struct json_iter it = json_iter(list);
	struct fanout_part part = { .of = json_count(list) };
	const struct json *device;
	struct buf json;

	buf_init(&json, SIZE_MAX);
	begin(l, rec);
	while ((device = json_next(&it)) != NULL) {
		buf_reset(&json);
		json_write(&json, device);
		part.device = (struct span){ json.data, json.len };
		emit(l, &part);
	}
	buf_release(&json);
}

/* A user without devices is one part, too. */
static void spread_users(struct lookup *l, struct record *rec,
	const struct devices_query *queries, size_t count,
	struct fanout_part *part)
{
	bool is_user = fanout_source(rec) == FANOUT_USER;

	begin(l, rec);
	for (size_t i = 0; i < count; i++) {
		const struct devices_query *q = queries + i;

		part->user = is_user ? (struct span){ NULL, 0 } : q->user;
		part->device = (struct span){ NULL, 0 };
		part->without =
			q->user.len > 0 ? REASON_NO_DEVICE : REASON_BAD_TARGET;
		for (size_t k = 0; k < q->count; k++) {
			struct span d = devices_found(l->devices, q->first + k);

			if (was_there(l, rec, d)) {
				part->device = d;
				emit(l, part);
			}
		}
		if (part->device.ptr == NULL) {
			emit(l, part);
		}
	}
}

static size_t parts_of(const struct lookup *l, const struct record *rec,
	const struct devices_query *queries, size_t count)
{
	size_t parts = 0;

	for (size_t i = 0; i < count; i++) {
		size_t devices = there(l, rec, queries + i);

		parts += devices > 0 ? devices : 1;
	}
	return parts;
}

static void spread_list(struct lookup *l, struct record *rec,
	const struct devices_query *queries, size_t count)
{
	struct fanout_part part = { .of = parts_of(l, rec, queries, count) };

	spread_users(l, rec, queries, count, &part);
}

bool lookup_spread(struct lookup *l, struct record *r)
{
	const struct devices_query *q = l->queries.items + l->used;
	size_t count = 1;

	switch (fanout_source(r)) {
	case FANOUT_NONE:
	case FANOUT_SEGMENT:
		return false;
	case FANOUT_DEVICES:
		spread_devices(l, r);
		return true;
	case FANOUT_USERS:
		count = json_count(r->users);
		l->used += count;
		spread_list(l, r, q, count);
		return true;
	case FANOUT_USER:
		l->used++;
		if (there(l, r, q) > 0) {
			spread_list(l, r, q, 1);
			return true;
		}
		record_decide(r, REASON_NO_DEVICE);
		return false;
	case FANOUT_BAD:
		record_decide(r, REASON_BAD_TARGET);
		return false;
	}
	return false;
}

/* --- segments --- */

/* Asks for one page and its devices; *has_more tells of users behind it. */
static int ask_page(struct lookup *l, const struct record *rec, bool *has_more,
	struct err *err)
{
	struct membership after = { rec->app, rec->segment,
		l->is_walking ? (struct span){ l->after.data, l->after.len }
			      : fanout_after(rec) };
	size_t count = 0;

	devices_queries_reset(&l->queries);
	*has_more = false;
	if (l->segments == NULL) {
		return 0;
	}
	if (segments_page(l->segments, &after, FANOUT_PAGE + 1, &count, err) !=
		0) {
		return -1;
	}
	*has_more = count > FANOUT_PAGE;
	for (size_t i = 0; i < count && i < FANOUT_PAGE; i++) {
		devices_queries_add(
			&l->queries, rec->app, segments_user(l->segments, i));
	}
	return devices_find(
		l->devices, l->queries.items, l->queries.count, err);
}

bool lookup_has_segment(const struct record *r)
{
	return fanout_source(r) == FANOUT_SEGMENT;
}

int lookup_page(
	struct lookup *l, struct record *r, bool *is_replaced, struct err *err)
{
	bool is_queued = r->receipt.ptr != NULL;
	struct fanout_part part = { .of = 0 };
	struct span last;
	bool has_more;
	size_t count;

	*is_replaced = false;
	if (ask_page(l, r, &has_more, err) != 0) {
		return -1;
	}
	count = l->queries.count;
	if (count == 0 && !l->is_walking) {
		record_decide(r, REASON_EMPTY_SEGMENT);
		return 0;
	}
	if (is_queued) {
		part.of = parts_of(l, r, l->queries.items, count) + has_more;
	}
	spread_users(l, r, l->queries.items, count, &part);
	last = count > 0 ? l->queries.items[count - 1].user
			 : (struct span){ NULL, 0 };
	*is_replaced = is_queued || !has_more;
	l->is_walking = !*is_replaced;
	if (is_queued && has_more) {
		l->emit(l->self,
			fanout_rest(&l->fanout, l->pool, r, &part, last));
	}
	if (l->is_walking) {
		buf_reset(&l->after);
		buf_put(&l->after, last.ptr, last.len);
	}
	return 0;
}
