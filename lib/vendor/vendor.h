/*
 * What the sending engine must know of a vendor: a struct of functions, which
 * push-apns and push-fcm fill in, each with what lib/wire has for it.
 */
#ifndef PUSH_VENDOR_VENDOR_H
#define PUSH_VENDOR_VENDOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "record/conf.h"
#include "record/outcome.h"
#include "record/record.h"
#include "wire/answer.h"
#include "wire/request.h"

struct identity;

enum { VENDOR_ENDPOINTS_MAX = 2 };

/*
 * An account is what one app has with the vendor, made from its settings in
 * push.conf: keys, names, where to send.  `void *account' below is the vendor's
 * own struct.
 */
struct vendor {
	const char *name; /* the member of an app's settings: "apns" */

	/* Is the record this vendor's? */
	bool (*takes)(const struct record *r);

	/* --- accounts --- */

	/* NULL, with a usage failure, when settings or files are wrong. */
	void *(*account_new)(const struct conf *conf,
		const struct json *settings, struct err *err);
	void (*account_free)(void *account);
	/*
	 * Appends what makes this credential the one it is, its key's text
	 * included: accounts with equal identities share connections and tokens, and
	 * a reload keeps them when nothing changed.
	 */
	void (*account_identity)(const void *account, struct buf *out);

	/* The certificate that is shown instead of a token; NULL: this account has
	 * none.  May be NULL. */
	const struct identity *(*certificate)(const void *account);

	/* --- requests and answers --- */

	/* Which of the engine's endpoints the record goes to. */
	size_t (*endpoint)(const void *account, const struct record *r);
	/* May a token that is bad at one endpoint be tried at the other?  NULL:
	 * there is one only. */
	bool (*tries_other)(const void *account);
	const char *endpoint_names[VENDOR_ENDPOINTS_MAX];
	/* Is what may have been delivered not to be sent again? */
	bool (*drops_ambiguous)(const void *account);
	enum reason (*build)(const void *account, const struct record *r,
		struct request *req, const char **why);
	struct answer (*classify)(int status, struct span body,
		struct span retry_after, int64_t now_unix_ms);
	/* The vendor's name for what it accepted, when it is in the body; may be
	 * NULL: then it is the apns-id. */
	void (*message_name)(struct span body, struct buf *out);
	/* What the debug data of a GOAWAY says; may be NULL. */
	const struct answer_row *(*goaway)(struct span debug);

	/* The least that a retry waits when the answer names no time. */
	int64_t retry_floor_ms;

	/* --- the bearer token: made here, or fetched --- */

	const char *
		token_scheme; /* "bearer ", as the vendor's documents have it */

	/* Appends the token for now, and tells when the next one is due.  NULL for
	 * vendors whose token is fetched. */
	int (*token)(const void *account, int64_t now_unix_ms, struct buf *out,
		int64_t *renew_unix_ms, struct err *err);
	/* A renewal opens new connections (Apple binds one to its token). */
	bool is_token_bound;

	const char *(*token_url)(const void *account);
	int (*token_request)(const void *account, int64_t now_unix_ms,
		struct buf *form, struct err *err);
	int (*token_parse)(int status, struct span body, struct buf *token,
		int64_t *life_s, struct err *err);
};

#endif
