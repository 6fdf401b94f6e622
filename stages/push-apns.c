/*
 * push-apns - deliver iOS records to Apple
 *
 * Takes the records with an iOS device or a broadcast channel, keeps many of
 * them in flight over HTTP/2, and decides each by Apple's answer.  All others
 * pass.  The sending itself is lib/vendor's.  See push-apns(1).
 */
#include "stage/stage.h"
#include "vendor/apns.h"
#include "vendor/sender.h"

static struct sender_place places[3];

static struct sender sender = {
	.places = places,
	.setup = {
		.vendor = &vendor_apns,
		.connections = 4,
		.window = 1000,
		.timeout_ms = 10 * 1000,
		.pace = { .ramp_ms = 60 * 1000 },
	},
};

static struct sender_place places[] = {
	{ &sender.setup.places.urls[APNS_PRODUCTION], "apns.production",
		"https://api.push.apple.com", false },
	{ &sender.setup.places.urls[APNS_SANDBOX], "apns.sandbox",
		"https://api.sandbox.push.apple.com", false },
	{ NULL, NULL, NULL, false },
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_TEXT("production", "URL", &sender.setup.places.urls[APNS_PRODUCTION], "apns.production",
		"the production service; default https://api.push.apple.com"),
	OPT_TEXT("sandbox", "URL", &sender.setup.places.urls[APNS_SANDBOX], "apns.sandbox",
		"the sandbox; default https://api.sandbox.push.apple.com"),
	OPT_FILE("ca-file", "FILE", &sender.setup.ca_file, "apns.ca_file",
		"certificates to trust instead of the system's"),
	OPT_INT("connections", "N", &sender.setup.connections, 1, 256, "apns.connections",
		"connections of a credential to one service, at most; default 4"),
	OPT_INT("window", "N", &sender.setup.window, 1, 100000, "apns.window",
		"records in flight at once, at most; default 1000"),
	OPT_DURATION("timeout", "TIME", &sender.setup.timeout_ms, "apns.timeout",
		"how long an answer may take; default 10s"),
	OPT_INT("rate", "N", &sender.setup.pace.per_s, 0, 1000000, "apns.rate",
		"notifications a second with one credential, at most; default 0, no limit"),
	OPT_DURATION("ramp", "TIME", &sender.setup.pace.ramp_ms, "apns.ramp",
		"how long --rate takes to rise from a tenth; default 60s"),
	OPT_FLAG("dry-run", &sender.is_dry_run,
		"build the requests, send nothing"),
	OPT_END,
};
/* clang-format on */

int main(int argc, char **argv)
{
	static const struct stage stage = {
		.name = "push-apns",
		.summary = "deliver iOS records to Apple",
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
