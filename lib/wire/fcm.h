/*
 * FCM HTTP v1: from a record to a request, from an answer to its meaning, and
 * Google's OAuth 2 exchange of a signed assertion for an access token.
 *
 * Pure protocol: no connection and no clock; time comes in as an argument.
 *
 * Sources, all read 2026-11:
 *   [F-ref]   Firebase, REST reference of projects.messages
 *   [F-err]   Firebase, "FCM error codes"
 *   [F-scale] Firebase, "Best practices when sending FCM messages at scale"
 *   [G-oauth] Google, "Using OAuth 2.0 for server to server applications"
 */
#ifndef PUSH_WIRE_FCM_H
#define PUSH_WIRE_FCM_H

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
	FCM_PAYLOAD_MAX_BYTES = 4096,
	FCM_PAYLOAD_MAX_TOPIC_BYTES = 2048,
	FCM_TTL_MAX_S = 2419200, /* four weeks */
	FCM_ASSERTION_LIFE_S = 3600,
};

/* True for what may be a project id; to be asked when configuration is read,
 * since fcm_build() takes it for granted. */
bool fcm_is_project(struct span project_id);

/* How an app's messages are sent. */
struct fcm_terms {
	struct span project_id;
	bool shortens;      /* a body that is too long is cut */
	bool validate_only; /* Google looks at it and delivers nothing */
};

/*
 * Builds the request for a record with an Android `device', a `topic' or a
 * `condition'.  REASON_NONE, or REASON_BAD_TARGET, REASON_BAD_MESSAGE,
 * REASON_PAYLOAD_TOO_LARGE with *why (may be NULL) set to a literal phrase
 * that tells what is wrong.  `req' is reset first.
 */
enum reason fcm_build(const struct record *r, const struct fcm_terms *terms,
	struct request *req, const char **why) MUST_CHECK;

/* What an answer means; arguments as in apns_classify(). */
struct answer fcm_classify(int status, struct span body,
	struct span retry_after, int64_t now_unix_ms);

/* Appends the name that a 200 gives the message ("projects/.../messages/..."),
 * nothing when the body has none. */
void fcm_message_name(struct span body, struct buf *out);

/* --- Google's access token --- */

/* A service account, as downloaded from Google. */
struct fcm_account {
	char *client_email; /* owned, as are the other texts */
	char *private_key_id;
	char *project_id;
	char *token_uri;
	struct jwt_key *key; /* owned; RS256 */
};

/* From the bytes or the file; 0, or -1 with a usage failure that names the
 * member. */
int fcm_account_parse(
	struct fcm_account *a, struct span text, struct err *err) MUST_CHECK;
int fcm_account_file(
	struct fcm_account *a, const char *path, struct err *err) MUST_CHECK;
void fcm_account_release(struct fcm_account *a);

/*
 * Appends the form to be posted to the token endpoint
 * (application/x-www-form-urlencoded), with an assertion issued now.  The
 * audience is the account's token_uri whatever address it is posted to.
 */
int fcm_token_request(const struct fcm_account *a, int64_t now_unix_ms,
	struct buf *out, struct err *err) MUST_CHECK;

/*
 * Reads the endpoint's answer.  0: the access token is appended to `token' and
 * *life_s says how long it is valid.  -1: `err' tells what Google said (its
 * "error" word, never the body); a usage failure when only a person can help
 * (status 400, 401, 403), else temporary.
 */
int fcm_token_parse(int status, struct span body, struct buf *token,
	int64_t *life_s, struct err *err) MUST_CHECK;

#endif
