/*
 * Who may send: the apps of push.conf, their keys, and how fresh a signature
 * must be.
 *
 * Not here: keys and signatures themselves, which are wire/jwt's.  A key is
 * known here by its number, and the caller keeps what was loaded for it.
 */
#ifndef PUSH_POLICY_AUTH_H
#define PUSH_POLICY_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "policy/rate.h"
#include "record/conf.h"
#include "record/outcome.h"
#include "record/record.h"

enum { AUTH_SKEW_MS = 60 * 1000 }; /* the default */

struct auth_key {
	struct span
		app; /* borrowed from the configuration, as are the others */
	struct span id;
	struct span alg;  /* "HS256" or "ES256" */
	const char *file; /* the secret of HS256, the public key of ES256 */
};

struct auth_rules; /* opaque */

/* The apps of a configuration, which must live as long.  NULL and a usage
 * failure when a key lacks its file or a quota its numbers. */
struct auth_rules *auth_rules_new(const struct conf *conf, struct err *err);
void auth_rules_free(struct auth_rules *rules); /* accepts NULL */

/* The first app whose tasks must be signed although it has no key, so that
 * none of them can pass; absent: none. */
struct span auth_mute_app(const struct auth_rules *rules);

/* All keys of all apps, numbered from 0. */
size_t auth_key_count(const struct auth_rules *rules);
const struct auth_key *auth_key_at(const struct auth_rules *rules, size_t n);

/* The number of an app's key; -1 when the app has no such key. */
int64_t auth_find_key(
	const struct auth_rules *rules, struct span app, struct span id);

/* Why a record may not pass. */
struct auth_fault {
	enum reason reason;
	int64_t skew_ms; /* a claim passed only because clocks may differ: how far
	                    the signer's is ahead (negative: behind); 0: none did */
	struct span
		kid;   /* the key that it is signed by, if that was verified */
	char why[256]; /* one phrase */
};

enum auth_step {
	AUTH_PASS,   /* as it is */
	AUTH_REFUSE, /* `fault' is set */
	AUTH_VERIFY, /* it is signed: verify, judge the claims, unwrap */
	AUTH_UNWRAP, /* it is signed, but its app asks for no proof */
};

/* What is to be done about a record.  In a replay a task that was unwrapped when
 * it was captured passes if its key is still there. */
enum auth_step auth_judge(const struct auth_rules *rules,
	const struct record *r, struct auth_fault *fault);

/* The signature of a record for which AUTH_VERIFY or AUTH_UNWRAP was said. */
struct span auth_jws(const struct record *r);

/* How fresh a signature must be. */
struct auth_limits {
	int64_t skew_ms;    /* how far clocks may differ */
	int64_t max_age_ms; /* since `iat'; 0: any age */
};

/* What the command line says, or where that is negative auth.skew and
 * auth.max_age of the configuration, or the defaults. */
struct auth_limits auth_limits_from(
	const struct conf *conf, int64_t skew_ms, int64_t max_age_ms);

/*
 * Judges a payload whose signature is good: an object; its `app', if it has
 * one, is the record's; `exp', `nbf' and `iat' (seconds) fit the record's now
 * when `limits' is not NULL.  REASON_NONE, and the payload is the record's task,
 * as it was signed with `app' put in front where it lacks it (`scratch' is used
 * again for each); else the reason, `fault' set and the record as it was.
 */
enum reason auth_unwrap(struct record *r, struct span payload,
	const struct auth_limits *limits, struct buf *scratch,
	struct auth_fault *fault);

/* May the app send this?  REASON_NONE, or REASON_NOT_ALLOWED and `fault' set.
 * For records that have been let in and unwrapped. */
enum reason auth_allow(const struct auth_rules *rules, const struct record *r,
	struct auth_fault *fault);

/* Whether any app has a quota; the quota of a record's app, NULL: none. */
bool auth_has_quotas(const struct auth_rules *rules);
const struct rate *auth_quota(
	const struct auth_rules *rules, const struct record *r);

/* Sets a fault; for what the caller finds. */
enum reason auth_fault_set(struct auth_fault *fault, enum reason reason,
	const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
