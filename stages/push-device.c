/*
 * push-device - look after the device registry
 *
 * Adds, removes, lists, imports and exports the devices that push-lookup finds,
 * and the segments of users that it spreads out.
 * A command, not a filter: it does one thing and ends.  See push-device(1).
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/feedback.h"
#include "record/conf.h"
#include "stage/command.h"
#include "stage/options.h"
#include "store/devices.h"
#include "store/import.h"
#include "store/prune.h"
#include "store/segments.h"
#include "store/store.h"

struct app {
	const char *config;
	const char *store_url;
	const char *app_name;
	const char *user;
	const char *segment;
	const char *platform;
	const char *token;
	const char *environment;
	const char *locale;
	const char *time_zone;
	int64_t registered_unix_ms; /* -1: now */
	const char *queue;          /* prune: whose feedback */
	const char *redis_url;
	int64_t brake;
	int64_t most;
	bool is_dry;

	const char *operands[COMMAND_OPERANDS_MAX]; /* of the command */
	char *url;                                  /* owned */
	struct devices *devices;
	struct segments *segments;
	uint64_t shown;
	int64_t told_mono_ms;
};

static struct app app = {
	.registered_unix_ms = -1, .brake = 10, .most = 10000
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_CONFIG(&app.config, "configuration"),
	OPT_TEXT("store", "URL", &app.store_url, NULL, "where devices are registered"),
	OPT_TEXT("app", "NAME", &app.app_name, NULL, "app that has the token"),
	OPT_TEXT("user", "NAME", &app.user, NULL, "user who has the device"),
	OPT_TEXT("segment", "NAME", &app.segment, NULL, "segment of users, instead of devices"),
	OPT_TEXT("platform", "NAME", &app.platform, NULL, "ios or android"),
	OPT_TEXT("token", "TOKEN", &app.token, NULL, "device token or registration token"),
	OPT_TEXT("environment", "NAME", &app.environment, NULL, "production or sandbox"),
	OPT_TEXT("locale", "TAG", &app.locale, NULL, "language, such as zh-Hans-CN"),
	OPT_TEXT("time-zone", "NAME", &app.time_zone, NULL, "time zone, such as Asia/Shanghai"),
	OPT_INT("registered", "MS", &app.registered_unix_ms, 0, INT64_MAX, NULL,
		"when it was registered, Unix milliseconds; default now"),
	OPT_TEXT("queue", "NAME", &app.queue, NULL, "prune: queue whose feedback is read"),
	OPT_TEXT("redis", "URL", &app.redis_url, NULL, "prune: where that queue is"),
	OPT_INT("brake", "PERCENT", &app.brake, 0, 100, NULL,
		"prune: remove nothing when it would be more; default 10"),
	OPT_INT("most", "N", &app.most, 0, INT64_MAX, NULL,
		"prune: remove nothing when it would be more at once; default 10000"),
	OPT_FLAG("dry-run", &app.is_dry, "prune: only say how many"),
	OPT_END,
};
/* clang-format on */

/* The device that the options describe, as far as they do. */
static struct device described(const struct app *a)
{
	struct device d = {
		.app = span_of(a->app_name),
		.user = span_of(a->user),
		.platform = platform_parse(span_of(a->platform)),
		.token = span_of(a->token),
		.environment = span_of(a->environment),
		.locale = span_of(a->locale),
		.time_zone = span_of(a->time_zone),
		.registered_unix_ms = a->registered_unix_ms,
	};

	if (d.registered_unix_ms < 0) {
		d.registered_unix_ms = clock_unix_ms();
	}
	return d;
}

/* --- commands: 0, or -1 with why --- */

/* The membership that the options describe. */
static struct membership named(const struct app *a)
{
	return (struct membership){ span_of(a->app_name), span_of(a->segment),
		span_of(a->user) };
}

static int join(struct app *a, struct err *err)
{
	struct membership m = named(a);
	uint64_t added = 0;

	if (membership_check(&m, err) != 0 ||
		segments_put(a->segments, &m, 1, &added, err) != 0) {
		return -1;
	}
	(void)puts(added > 0 ? "added" : "was there");
	return 0;
}

static int app_add(void *self, struct err *err)
{
	struct app *a = self;
	if (a->segment != NULL) {
		return join(a, err);
	}
	struct device d = described(a);
	struct devices_counts counts = { 0 };

	if (device_check(&d, err) != 0 ||
		devices_put(a->devices, &d, 1, &counts, err) != 0) {
		return -1;
	}
	(void)puts(counts.added > 0     ? "added"
		   : counts.moved > 0   ? "moved from another user"
		   : counts.updated > 0 ? "updated"
					: "left: a newer one is there");
	return 0;
}

static int leave(struct app *a, struct err *err)
{
	struct membership m = named(a);
	uint64_t removed = 0;

	if (segments_remove(a->segments, &m, &removed, err) != 0) {
		return -1;
	}
	(void)printf("removed %" PRIu64 "\n", removed);
	return 0;
}

static int app_remove(void *self, struct err *err)
{
	struct app *a = self;
	if (a->segment != NULL) {
		return leave(a, err);
	}
	struct device d = described(a);
	size_t removed = 0;

	if (devices_remove(a->devices, &d, &removed, err) != 0) {
		return -1;
	}
	(void)printf("removed %zu\n", removed);
	return 0;
}

static void say_progress(uint64_t lines)
{
	if (command_tells_progress(&app.told_mono_ms)) {
		log_info("%" PRIu64 " lines so far", lines);
	}
}

static bool print_line(void *self, struct span json)
{
	struct app *a = self;

	say_progress(++a->shown);
	return fwrite(json.ptr, 1, json.len, stdout) == json.len &&
	       putchar('\n') == '\n';
}

static int app_list(void *self, struct err *err)
{
	struct app *a = self;
	const struct membership m = named(a);
	const struct devices_query q = { .app = m.app, .user = m.user };

	return a->segment != NULL
		       ? segments_each_of(a->segments, &m, print_line, a, err)
		       : devices_each_of(a->devices, &q, print_line, a, err);
}

static int app_export(void *self, struct err *err)
{
	struct app *a = self;
	return devices_each(a->devices, print_line, a, err) != 0 ||
			       segments_each(a->segments, print_line, a, err) !=
				       0
		       ? -1
		       : 0;
}

static void say_refused(uint64_t line, const char *why)
{
	log_warn("line %" PRIu64 " refused: %s", line, why);
}

static int app_import(void *self, struct err *err)
{
	struct app *a = self;
	struct import i = { .on_refused = say_refused,
		.on_progress = say_progress };

	if (a->operands[0] == NULL) {
		return err_usage(
			err, 0, "import wants a file, or - for standard input");
	}
	if (import_run(&i, a->devices, a->segments, a->operands[0], err) != 0) {
		return -1;
	}
	(void)printf("added %" PRIu64 ", updated %" PRIu64 ", moved %" PRIu64
		     ", left as newer %" PRIu64 ", into segments %" PRIu64
		     ", refused %" PRIu64 "\n",
		i.counts.added, i.counts.updated, i.counts.moved,
		i.counts.too_old, i.joined, i.refused);
	return i.refused == 0
		       ? 0
		       : err_usage(err, 0,
				 "%" PRIu64 " of %" PRIu64 " lines refused",
				 i.refused, i.lines);
}

static int app_prune(void *self, struct err *err)
{
	struct app *a = self;
	const struct prune prune = { a->brake, (uint64_t)a->most, a->is_dry };
	struct feedback *feedback = NULL;
	uint64_t count = 0;
	int result;

	if (a->queue == NULL) {
		return err_usage(err, 0, "prune wants --queue");
	}
	result = feedback_open(&feedback, a->redis_url, a->queue, err);
	if (result == 0) {
		result = prune_run(&prune, a->devices, feedback, &count, err);
	}
	if (result == 0 || count > 0) {
		(void)printf("%s %" PRIu64 "\n",
			a->is_dry ? "would remove" : "removed", count);
	}
	feedback_close(feedback);
	return result;
}

/* --- the program --- */

/* clang-format off */
static const struct command commands[] = {
	{ "add", NULL, 0, 0, "register a device, or put a user into a segment", app_add },
	{ "remove", NULL, 0, 0, "forget a device, a user's, a segment or a user in it", app_remove },
	{ "list", NULL, 0, 0, "the devices of a user, or the users of a segment", app_list },
	{ "import", "FILE", 1, 0, "take over what an export has, - for standard input", app_import },
	{ "export", NULL, 0, 0, "everything, one JSON object a line", app_export },
	{ "prune", NULL, 0, 0, "remove the devices that vendors call dead", app_prune },
	COMMAND_END,
};
/* clang-format on */

static const struct opt_program program = {
	.name = "push-device",
	.summary = "look after the device registry",
	.commands = commands,
	.own = opts,
};

static int app_open(
	void *self, const struct conf *conf, unsigned needs, struct err *err)
{
	struct app *a = self;

	(void)needs;
	a->url = a->store_url != NULL ? mem_text(a->store_url)
				      : store_url_take(conf, "lookup.store");
	if (a->redis_url == NULL) {
		a->redis_url = conf_text(conf, "redis", "redis://127.0.0.1");
	}
	a->told_mono_ms = clock_mono_ms();
	return devices_open(&a->devices, a->url, err) != 0
		       ? -1
		       : segments_open(&a->segments, a->url, err);
}

static void app_close(void *self)
{
	struct app *a = self;

	segments_close(a->segments);
	devices_close(a->devices);
	mem_free(a->url);
}

int main(int argc, char **argv)
{
	static const struct command_program device = {
		.options = &program,
		.config = &app.config,
		.operands = app.operands,
		.self = &app,
		.open = app_open,
		.close = app_close,
	};

	(void)argc;
	return command_main(&device, argv);
}
