/*
 * push-lookup - from user to devices, one record for each
 *
 * Asks the device registry for all users of a batch at once and puts one record
 * a device in the task's place; `devices' are spread out without asking.
 * Records that have their target pass.  See push-lookup(1).
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/fanout.h"
#include "stage/stage.h"
#include "store/devices.h"
#include "store/store.h"

struct app {
	const char *store_url; /* of the command line; NULL: of push.conf */

	struct run *run;         /* borrowed */
	char *url;               /* owned; of the registry that is open */
	struct devices *devices; /* owned; NULL: nobody has a device */
	struct devices_queries queries; /* of the batch */
	struct fanout fanout;
};

static struct app app;

static const struct opt opts[] = {
	OPT_TEXT("store", "URL", &app.store_url, NULL,
		"where devices are registered"),
	OPT_END,
};

static int app_load(void *self, struct run *run, struct err *err)
{
	struct app *a = self;
	struct devices *devices = NULL;
	char *url = a->store_url != NULL
			    ? mem_text(a->store_url)
			    : store_url_take(run_conf(run), "lookup.store");

	a->run = run;
	if (a->url != NULL && strcmp(url, a->url) == 0) {
		mem_free(url);
		return 0;
	}
	if (strcmp(url, "memory:") == 0) {
		log_warn("no device registry: users have no devices");
	} else if (devices_open(&devices, url, err) != 0) {
		mem_free(url);
		return -1;
	}
	devices_close(a->devices);
	mem_free(a->url);
	a->devices = devices;
	a->url = url;
	return 0;
}

/* --- asking --- */

/* One query a user, in the order in which their answers are used below. */
static int ask(struct app *a, struct batch *batch, struct err *err)
{
	devices_queries_reset(&a->queries);
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		struct json_iter it = json_iter(json_get(rec->root, "users"));
		const struct json *user;

		switch (fanout_source(rec)) {
		case FANOUT_USER:
			devices_queries_add(&a->queries, rec->app, rec->user);
			break;
		case FANOUT_USERS:
			while ((user = json_next(&it)) != NULL) {
				devices_queries_add(
					&a->queries, rec->app, json_text(user));
			}
			break;
		case FANOUT_NONE:
		case FANOUT_DEVICES:
		case FANOUT_BAD:
			break;
		}
	}
	if (a->devices == NULL) {
		return 0; /* nothing found, as the queries were made */
	}
	return devices_find(
		a->devices, a->queries.items, a->queries.count, err);
}

/* --- spreading out --- */

static void emit(
	struct app *a, const struct record *rec, struct fanout_part *part)
{
	run_emit(a->run, fanout_child(&a->fanout, run_pool(a->run), rec, part));
	part->n++;
}

static void spread_devices(struct app *a, struct record *rec)
{
	const struct json *list = json_get(rec->root, "devices");
	struct json_iter it = json_iter(list);
	struct fanout_part part = { .of = json_count(list) };
	const struct json *device;
	struct buf json;

	buf_init(&json, SIZE_MAX);
	fanout_begin(&a->fanout, rec);
	while ((device = json_next(&it)) != NULL) {
		buf_reset(&json);
		json_write(&json, device);
		part.device = (struct span){ json.data, json.len };
		emit(a, rec, &part);
	}
	buf_release(&json);
	run_consume(a->run, rec);
}

/* A user without devices is one part, too. */
static void spread_users(struct app *a, struct record *rec,
	const struct devices_query *queries, size_t count)
{
	bool is_list = fanout_source(rec) == FANOUT_USERS;
	struct fanout_part part = { .n = 0 };

	for (size_t i = 0; i < count; i++) {
		part.of += queries[i].count > 0 ? queries[i].count : 1;
	}
	fanout_begin(&a->fanout, rec);
	for (size_t i = 0; i < count; i++) {
		const struct devices_query *q = queries + i;

		part.user = is_list ? q->user : (struct span){ NULL, 0 };
		part.device = (struct span){ NULL, 0 };
		part.without =
			q->user.len > 0 ? REASON_NO_DEVICE : REASON_BAD_TARGET;
		for (size_t k = 0; k < q->count; k++) {
			part.device = devices_found(a->devices, q->first + k);
			emit(a, rec, &part);
		}
		if (q->count == 0) {
			emit(a, rec, &part);
		}
	}
	run_consume(a->run, rec);
}

static int app_handle(void *self, struct batch *batch, struct err *err)
{
	struct app *a = self;
	const struct devices_query *q;
	size_t count;

	if (ask(a, batch, err) != 0) {
		return -1;
	}
	q = a->queries.items;
	BATCH_EACH_UNDECIDED(batch, rec)
	{
		switch (fanout_source(rec)) {
		case FANOUT_NONE:
			break;
		case FANOUT_DEVICES:
			spread_devices(a, rec);
			break;
		case FANOUT_USERS:
			count = json_count(json_get(rec->root, "users"));
			spread_users(a, rec, q, count);
			q += count;
			break;
		case FANOUT_USER:
			if (q->count > 0) {
				spread_users(a, rec, q, 1);
			} else {
				record_decide(rec, REASON_NO_DEVICE);
			}
			q++;
			break;
		case FANOUT_BAD:
			record_decide(rec, REASON_BAD_TARGET);
			break;
		}
	}
	return 0;
}

static void app_close(void *self)
{
	struct app *a = self;

	devices_close(a->devices);
	fanout_release(&a->fanout);
	devices_queries_release(&a->queries);
	mem_free(a->url);
}

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-lookup",
		.summary = "from user to devices, one record for each",
		.opts = opts,
		.self = &app,
		.open = app_load,
		.reload = app_load,
		.handle = app_handle,
		.close = app_close,
	};

	fanout_init(&app.fanout);
	return stage_main(&stage, argc, argv);
}
