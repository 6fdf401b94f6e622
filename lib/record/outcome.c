/* The one table of outcomes and reasons. */
#include "record/outcome.h"

#include "base/err.h"

/* clang-format off */
static const struct reason_row rows[REASON_COUNT] = {
	[REASON_NONE] = { "", OUTCOME_UNDECIDED, 0, "" },

	[REASON_OK] = { "ok", OUTCOME_ACCEPTED, ACK_MARK_DONE,
		"the vendor took the notification" },

	[REASON_DUPLICATE] = { "duplicate", OUTCOME_SUPPRESSED, 0,
		"another push with the same dedupe key holds the window" },
	[REASON_ALREADY_DONE] = { "already-done", OUTCOME_SUPPRESSED, 0,
		"this very push was delivered before it came again" },
	[REASON_SET_APART] = { "set-apart", OUTCOME_SUPPRESSED, 0,
		"the task came again; this device waits, or has ended, as a record of its own" },
	[REASON_FATIGUE_CAP] = { "fatigue-cap", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"the user has had as many notifications as a rule allows" },
	[REASON_QUIET_HOURS] = { "quiet-hours", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"it is night where the user is" },
	[REASON_CAMPAIGN_STOPPED] = { "campaign-stopped", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"the kill switch of the campaign is on" },
	[REASON_APP_STOPPED] = { "app-stopped", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"the kill switch of the app is on" },
	[REASON_CATEGORY_STOPPED] = { "category-stopped", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"the kill switch of the category is on" },
	[REASON_CANCELLED] = { "cancelled", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"an operator has cancelled the task" },
	[REASON_RISK_USER] = { "risk-user", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"the user is blocked" },
	[REASON_RISK_DEVICE] = { "risk-device", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"the device is blocked" },
	[REASON_RISK_CONTENT] = { "risk-content", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"a content rule matched title, body or data" },
	[REASON_RISK_LINK] = { "risk-link", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"the message links to a blocked site" },
	[REASON_RISK_SURGE] = { "risk-surge", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"campaign or app sent more at once than a surge limit allows" },
	[REASON_EXPIRED] = { "expired", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"expires_ms had passed" },
	[REASON_NO_DEVICE] = { "no-device", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"the user has no registered device" },
	[REASON_EMPTY_SEGMENT] = { "empty-segment", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"nobody is in the segment" },
	[REASON_PLATFORM_NOT_ALLOWED] = { "platform-not-allowed", OUTCOME_SUPPRESSED, ACK_RELEASE,
		"the user's device is of a platform that the app may not send to" },
	[REASON_LEASE_LOST] = { "lease-lost", OUTCOME_SUPPRESSED, ACK_LEAVE,
		"the lease ran out before sending, so another worker has the task" },

	[REASON_MALFORMED] = { "malformed", OUTCOME_REJECTED, ACK_DEAD_LETTER,
		"the line is not one JSON object" },
	[REASON_TOO_LARGE] = { "too-large", OUTCOME_REJECTED, ACK_DEAD_LETTER,
		"the line is longer than the maximum" },
	[REASON_BAD_MEMBER] = { "bad-member", OUTCOME_REJECTED, ACK_DEAD_LETTER,
		"a known member has a wrong type or value, or stands twice" },
	[REASON_UNKNOWN_APP] = { "unknown-app", OUTCOME_REJECTED, ACK_DEAD_LETTER,
		"the configuration has no such app" },
	[REASON_UNAUTHORIZED] = { "unauthorized", OUTCOME_REJECTED, ACK_DEAD_LETTER,
		"the signature is missing, wrong, or by a key that is not the app's" },
	[REASON_STALE] = { "stale", OUTCOME_REJECTED, ACK_DEAD_LETTER,
		"the signature is too old or from the future" },
	[REASON_NOT_ALLOWED] = { "not-allowed", OUTCOME_REJECTED, ACK_DEAD_LETTER,
		"the app may not send to this platform or topic, or with this priority or category" },
	[REASON_QUOTA] = { "quota", OUTCOME_REJECTED, ACK_DEAD_LETTER,
		"the app has sent more than its quota" },
	[REASON_BAD_TARGET] = { "bad-target", OUTCOME_REJECTED, ACK_DEAD_LETTER | ACK_RELEASE,
		"no target, more than one kind of target, or one that cannot be" },
	[REASON_BAD_MESSAGE] = { "bad-message", OUTCOME_REJECTED, ACK_DEAD_LETTER | ACK_RELEASE,
		"the message cannot be put into the vendor's format" },
	[REASON_UNROUTED] = { "unrouted", OUTCOME_REJECTED, ACK_DEAD_LETTER | ACK_RELEASE,
		"no stage of the chain decided the record" },

	[REASON_TOKEN_DEAD] = { "token-dead", OUTCOME_FAILED, ACK_RELEASE | ACK_FEEDBACK,
		"the vendor says that the token is no longer registered" },
	[REASON_TOKEN_NEWER] = { "token-newer", OUTCOME_FAILED, ACK_RELEASE,
		"the vendor calls the token dead since before it was registered: kept" },
	[REASON_WRONG_TOPIC] = { "wrong-topic", OUTCOME_FAILED, ACK_RELEASE | ACK_FEEDBACK,
		"the token belongs to another app or project" },
	[REASON_WRONG_ENVIRONMENT] = { "wrong-environment", OUTCOME_FAILED, ACK_RELEASE | ACK_FEEDBACK,
		"the token is bad here, perhaps one of the other environment" },
	[REASON_BAD_REQUEST] = { "bad-request", OUTCOME_FAILED, ACK_RELEASE | ACK_DEAD_LETTER,
		"the vendor refused the request itself" },
	[REASON_PAYLOAD_TOO_LARGE] = { "payload-too-large", OUTCOME_FAILED, ACK_RELEASE | ACK_DEAD_LETTER,
		"the payload is over the vendor's limit" },
	[REASON_VENDOR_CONFIG] = { "vendor-config", OUTCOME_FAILED, ACK_RELEASE | ACK_DEAD_LETTER,
		"the app's credential or set-up at the vendor is wrong" },
	[REASON_ATTEMPTS_EXHAUSTED] = { "attempts-exhausted", OUTCOME_FAILED, ACK_RELEASE | ACK_DEAD_LETTER,
		"the limit of attempts was reached" },
	[REASON_TOO_OLD] = { "too-old", OUTCOME_FAILED, ACK_RELEASE | ACK_DEAD_LETTER,
		"the next attempt would have come after the age limit" },
	[REASON_UNCONFIRMED] = { "unconfirmed", OUTCOME_FAILED, ACK_MARK_DONE,
		"sent, but the answer was lost, and the app wants no repeat" },

	[REASON_VENDOR_UNAVAILABLE] = { "vendor-unavailable", OUTCOME_RETRY, ACK_DELAY,
		"the vendor cannot be reached or has trouble" },
	[REASON_THROTTLED] = { "throttled", OUTCOME_RETRY, ACK_DELAY,
		"the vendor asks for patience" },
	[REASON_REAUTH] = { "reauth", OUTCOME_RETRY, ACK_DELAY,
		"the vendor wants a new token first" },
	[REASON_AMBIGUOUS] = { "ambiguous", OUTCOME_RETRY, ACK_DELAY,
		"sent, but the answer was lost: it may have been delivered" },
	[REASON_NOT_BEFORE] = { "not-before", OUTCOME_RETRY, ACK_DELAY | ACK_WAIT,
		"not_before_ms has not come yet" },
	[REASON_QUIET_HOURS_DEFERRED] = { "quiet-hours-deferred", OUTCOME_RETRY, ACK_DELAY | ACK_WAIT,
		"it is night where the user is: kept until the morning" },
	[REASON_SEGMENT_REST] = { "segment-rest", OUTCOME_RETRY, ACK_DELAY | ACK_WAIT | ACK_ANEW,
		"the rest of a segment, put back into the queue" },
	[REASON_QUOTA_WAIT] = { "quota-wait", OUTCOME_RETRY, ACK_DELAY | ACK_WAIT,
		"the app's quota has room for it later" },
};
/* clang-format on */

static const char *const outcome_names[OUTCOME_COUNT] = { "undecided",
	"accepted", "suppressed", "rejected", "failed", "retry" };

const struct reason_row *reason_row(enum reason reason)
{
	if ((unsigned)reason >= REASON_COUNT || rows[reason].name == NULL) {
		BUG("no reason %d", (int)reason);
	}
	return &rows[reason];
}

const char *outcome_name(enum outcome outcome)
{
	return outcome_names[outcome];
}

enum outcome outcome_parse(struct span name)
{
	for (int i = OUTCOME_ACCEPTED; i < OUTCOME_COUNT; i++) {
		if (span_is(name, outcome_names[i])) {
			return (enum outcome)i;
		}
	}
	return OUTCOME_UNDECIDED;
}

enum reason reason_parse(struct span name)
{
	if (name.len == 0) {
		return REASON_NONE;
	}
	for (int i = REASON_OK; i < REASON_COUNT; i++) {
		/* Most are told from it by their first letter. */
		if (rows[i].name[0] == name.ptr[0] &&
			span_is(name, rows[i].name)) {
			return (enum reason)i;
		}
	}
	return REASON_NONE;
}
