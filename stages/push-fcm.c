/*
 * push-fcm - deliver Android records to Google
 *
 * Takes the records with an Android device, a topic or a condition, keeps many of
 * them in flight over HTTP/2, and decides each by Google's answer.  All others
 * pass.  The sending itself is lib/vendor's.  See push-fcm(1).
 */
#include "stage/stage.h"
#include "vendor/fcm.h"
#include "vendor/sender.h"

static struct sender_place places[3];

static struct sender sender = {
	.places = places,
	.setup = {
		.vendor = &vendor_fcm,
		.connections = 4,
		.window = 1000,
		.timeout_ms = 10 * 1000,
		.pace = { .ramp_ms = 60 * 1000 },
	},
};

static struct sender_place places[] = {
	{ &sender.setup.places.urls[0], "fcm.url", "https://fcm.googleapis.com",
		false },
	{ &sender.setup.places.token_url, "fcm.token_url", NULL, false },
	{ NULL, NULL, NULL, false },
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_TEXT("url", "URL", &sender.setup.places.urls[0], "fcm.url",
		"the service; default https://fcm.googleapis.com"),
	OPT_TEXT("token-url", "URL", &sender.setup.places.token_url, "fcm.token_url",
		"the token endpoint; default: the service account's token_uri"),
	OPT_FILE("ca-file", "FILE", &sender.setup.ca_file, "fcm.ca_file",
		"certificates to trust instead of the system's"),
	OPT_INT("connections", "N", &sender.setup.connections, 1, 256, "fcm.connections",
		"connections of a credential, at most; default 4"),
	OPT_INT("window", "N", &sender.setup.window, 1, 100000, "fcm.window",
		"records in flight at once, at most; default 1000"),
	OPT_DURATION("timeout", "TIME", &sender.setup.timeout_ms, "fcm.timeout",
		"how long an answer may take; default 10s"),
	OPT_INT("rate", "N", &sender.setup.pace.per_s, 0, 1000000, "fcm.rate",
		"notifications a second with one credential, at most; default 0, no limit"),
	OPT_DURATION("ramp", "TIME", &sender.setup.pace.ramp_ms, "fcm.ramp",
		"how long --rate takes to rise from a tenth; default 60s"),
	OPT_FLAG("dry-run", &sender.is_dry_run,
		"build the requests, send nothing"),
	OPT_END,
};
/* clang-format on */

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-fcm",
		.summary = "deliver Android records to Google",
		.opts = opts,
		.self = &sender,
		.open = sender_open,
		.check = sender_open,
		.reload = sender_reload,
		.handle = sender_handle,
		.drain = sender_drain,
		.count = sender_count,
		.close = sender_close,
	};

	return stage_main(&stage, argc, argv);
}
