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
		SENDER_USUAL,
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
	SENDER_OPTS(sender, "fcm", ""),
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
	};

	return sender_main(&stage, argc, argv);
}
