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
		SENDER_USUAL,
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
	SENDER_OPTS(sender, "apns", " to one service"),
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
	};

	return sender_main(&stage, argc, argv);
}
