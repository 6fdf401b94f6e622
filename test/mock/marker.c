/*
 * Faults that a token asks for by how it begins.
 *
 * APNs tokens are hexadecimal, so their markers are spelled with its digits; FCM
 * tokens are free text.  A marker may be followed by a number whose meaning its
 * row tells; without one the row's default holds.
 */
#include "fault.h"

#include <string.h>

#include "apns.h"

enum number {
	NUMBER_NONE,
	NUMBER_FIRST,       /* only the first n requests of this token */
	NUMBER_DELAY_MS,    /* milliseconds until the answer */
	NUMBER_RETRY_AFTER, /* seconds in Retry-After */
	NUMBER_REASON,      /* row of apns_reason_at() */
	NUMBER_STATUS,      /* status * 100 + first */
};

struct marker {
	const char *prefix;
	unsigned digits; /* how many the number has; 0: up to a hyphen */
	enum number number;
	struct fault fault;
};

#define SAYS(code, why)                                                  \
	{                                                                \
		.kind = FAULT_ANSWER, .status = (code), .reason = (why), \
		.retry_after_s = -1                                      \
	}
#define DOES(what)                                  \
	{                                           \
		.kind = (what), .retry_after_s = -1 \
	}

enum { LONG_AGO_S = 1577836800 }; /* 2020-01-01 */

static const struct marker APNS_MARKERS[] = {
	{ "dead", 0, NUMBER_NONE, SAYS(410, "Unregistered") },
	{ "dea0", 0, NUMBER_NONE,
		{ .kind = FAULT_ANSWER,
			.status = 410,
			.reason = "Unregistered",
			.timestamp_ms = (int64_t)LONG_AGO_S * 1000,
			.retry_after_s = -1 } },
	{ "dea1", 0, NUMBER_NONE, SAYS(410, "ExpiredToken") },
	{ "bad0", 0, NUMBER_NONE, SAYS(400, "BadDeviceToken") },
	{ "bad1", 0, NUMBER_NONE, SAYS(400, "DeviceTokenNotForTopic") },
	{ "510", 5, NUMBER_DELAY_MS, DOES(FAULT_NONE) },
	{ "511e", 2, NUMBER_FIRST, DOES(FAULT_SILENT) },
	{ "7e5e", 2, NUMBER_FIRST, DOES(FAULT_RESET) },
	{ "7ef5", 2, NUMBER_FIRST, DOES(FAULT_REFUSE) },
	{ "c105", 2, NUMBER_FIRST, DOES(FAULT_CLOSE) },
	{ "90aa", 2, NUMBER_FIRST, DOES(FAULT_GOAWAY) },
	{ "ea71", 0, NUMBER_NONE, DOES(FAULT_EARLY) },
	{ "ee", 2, NUMBER_REASON, SAYS(400, "SomethingNew") },
	{ "e", 5, NUMBER_STATUS, DOES(FAULT_NONE) },
};

static const struct marker FCM_MARKERS[] = {
	{ "unregistered-", 0, NUMBER_FIRST, SAYS(404, "UNREGISTERED") },
	{ "invalid-", 0, NUMBER_FIRST, SAYS(400, "INVALID_ARGUMENT") },
	{ "mismatch-", 0, NUMBER_FIRST, SAYS(403, "SENDER_ID_MISMATCH") },
	{ "denied-", 0, NUMBER_FIRST, SAYS(403, "PERMISSION_DENIED") },
	{ "thirdparty-", 0, NUMBER_FIRST, SAYS(401, "THIRD_PARTY_AUTH_ERROR") },
	{ "unauthenticated-", 0, NUMBER_FIRST, SAYS(401, "UNAUTHENTICATED") },
	{ "quota-", 0, NUMBER_RETRY_AFTER, SAYS(429, "QUOTA_EXCEEDED") },
	{ "unavailable-", 0, NUMBER_RETRY_AFTER, SAYS(503, "UNAVAILABLE") },
	{ "fail-", 0, NUMBER_FIRST, SAYS(503, "UNAVAILABLE") },
	{ "internal-", 0, NUMBER_FIRST, SAYS(500, "INTERNAL") },
	{ "html404-", 0, NUMBER_FIRST,
		{ .kind = FAULT_ANSWER,
			.status = 404,
			.is_html = true,
			.retry_after_s = -1 } },
	{ "html502-", 0, NUMBER_FIRST,
		{ .kind = FAULT_ANSWER,
			.status = 502,
			.is_html = true,
			.retry_after_s = -1 } },
	{ "slow-", 0, NUMBER_DELAY_MS, DOES(FAULT_NONE) },
	{ "silent-", 0, NUMBER_FIRST, DOES(FAULT_SILENT) },
	{ "reset-", 0, NUMBER_FIRST, DOES(FAULT_RESET) },
	{ "refuse-", 0, NUMBER_FIRST, DOES(FAULT_REFUSE) },
	{ "close-", 0, NUMBER_FIRST, DOES(FAULT_CLOSE) },
	{ "goaway-", 0, NUMBER_FIRST, DOES(FAULT_GOAWAY) },
};

/* The number behind a prefix, or -1 when there is none of the right form. */
static int64_t number_of(const struct marker *m, struct span rest)
{
	int64_t n = 0;
	size_t i = 0;
	size_t most = m->digits > 0 ? m->digits : 9;

	while (i < rest.len && i < most && rest.ptr[i] >= '0' &&
		rest.ptr[i] <= '9') {
		n = n * 10 + (rest.ptr[i] - '0');
		i++;
	}
	if (m->digits > 0) {
		return i == m->digits ? n : -1;
	}
	return i > 0 && i < rest.len && rest.ptr[i] == '-' ? n : -1;
}

static struct fault status_fault(struct fault f, int64_t n)
{
	int status = (int)(n / 100);

	if (n < 0 || status < 400 || status > 599) {
		return f; /* an ordinary token that begins with an e */
	}
	f.kind = FAULT_ANSWER;
	f.status = status;
	f.reason = apns_reason_of(status);
	f.first = (unsigned)(n % 100);
	return f;
}

static struct fault fill(const struct marker *m, struct span rest)
{
	struct fault f = m->fault;
	int64_t n = m->number == NUMBER_NONE ? -1 : number_of(m, rest);

	switch (m->number) {
	case NUMBER_NONE:
		break;
	case NUMBER_FIRST:
		f.first = n > 0 ? (unsigned)n : 0;
		break;
	case NUMBER_DELAY_MS:
		f.delay_ms = n > 0 ? n : 0;
		break;
	case NUMBER_RETRY_AFTER:
		f.retry_after_s = n;
		break;
	case NUMBER_REASON:
		if (n > 0 && apns_reason_at((size_t)n) != NULL) {
			f.reason = apns_reason_at((size_t)n);
			f.status = apns_status_of(f.reason);
		} else if (n < 0) {
			f.kind = FAULT_NONE;
		}
		break;
	case NUMBER_STATUS:
		f = status_fault(f, n);
		break;
	}
	return f;
}

struct fault marker_fault(enum vendor_id vendor, struct span token)
{
	const struct marker *m = APNS_MARKERS;
	size_t count = sizeof(APNS_MARKERS) / sizeof(*APNS_MARKERS);

	if (vendor == VENDOR_FCM) {
		m = FCM_MARKERS;
		count = sizeof(FCM_MARKERS) / sizeof(*FCM_MARKERS);
	} else if (vendor != VENDOR_APNS) {
		count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(m[i].prefix);
		if (token.len >= len &&
			memcmp(token.ptr, m[i].prefix, len) == 0) {
			return fill(&m[i], (struct span){ token.ptr + len,
						   token.len - len });
		}
	}
	return (struct fault){ .kind = FAULT_NONE, .retry_after_s = -1 };
}
