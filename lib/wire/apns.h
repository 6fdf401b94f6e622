/*
 * APNs: from a record to a request, from an answer to its meaning, and the
 * provider token.
 *
 * Pure protocol: no connection and no clock; time comes in as an argument.
 * push-apns(1) tells how the members of a message map to Apple's.
 *
 * Sources, all read 2026-11 on developer.apple.com/documentation/usernotifications:
 *   [A-send] "Sending notification requests to APNs"
 *   [A-resp] "Handling notification responses from APNs"
 *   [A-err]  "Handling error responses from Apple Push Notification service"
 *   [A-tok]  "Establishing a token-based connection to APNs"
 *   [A-chan] "Sending broadcast push notification requests to APNs"
 */
#ifndef PUSH_WIRE_APNS_H
#define PUSH_WIRE_APNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "record/outcome.h"
#include "record/record.h"
#include "wire/answer.h"
#include "wire/jwt.h"
#include "wire/request.h"

enum {
	APNS_PAYLOAD_MAX_BYTES = 4096,
	APNS_PAYLOAD_MAX_VOIP_BYTES = 5120, /* also for broadcasts */
	APNS_COLLAPSE_ID_MAX_BYTES = 64,
	APNS_GRID_S = 30 * 60,  /* provider tokens are issued on this grid */
	APNS_GRID_SHIFT_S = 60, /* a slot begins this late, so that a clock that
	                           is ahead issues no token in the future */
};

/* True for what may be an app's topic; to be asked when configuration is read,
 * since apns_build() takes it for granted. */
bool apns_is_topic(struct span topic);

/* How an app's messages are sent. */
struct apns_terms {
	struct span topic;    /* its bundle id */
	bool shortens;        /* a body that is too long is cut */
	bool has_certificate; /* instead of a key for tokens */
};

/*
 * Builds the request for a record with an iOS `device' or a `channel'.
 * A message may only name the app's topic or names below it ("<topic>.voip").
 * REASON_NONE, or REASON_BAD_TARGET, REASON_BAD_MESSAGE, REASON_PAYLOAD_TOO_LARGE
 * with *why (may be NULL) set to a literal phrase that tells what is wrong.  `req'
 * is reset first.
 */
enum reason apns_build(const struct record *r, const struct apns_terms *terms,
	struct request *req, const char **why) MUST_CHECK;

/*
 * What an answer means.  `status' is the HTTP status; `body' may be empty, cut
 * or anything else; `retry_after' is that header's value or absent.
 */
struct answer apns_classify(int status, struct span body,
	struct span retry_after, int64_t now_unix_ms);

/* The row of a reason told without a status, as in the debug data of GOAWAY
 * ({"reason":"..."}); NULL when it names none that we know. */
const struct answer_row *apns_goaway_row(struct span debug_data);

/* --- provider token --- */

/* When the token that is valid at this time was issued: seconds, a multiple of
 * APNS_GRID_S.  Its age is APNS_GRID_SHIFT_S to APNS_GRID_S + that. */
int64_t apns_token_issued_s(int64_t now_unix_ms);

/*
 * Appends the provider token for the slot of `now_unix_ms' (without
 * "bearer "): the same claims from every worker; see jwt_sign() for the
 * signature.  `key' is an ES256 private key.
 */
int apns_token(const struct jwt_key *key, struct span key_id,
	struct span team_id, int64_t now_unix_ms, struct buf *out,
	struct err *err) MUST_CHECK;

#endif
