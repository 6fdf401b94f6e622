/*
 * The sending engine that push-apns and push-fcm share: held records go in,
 * decided ones come out as the vendor's answers arrive.
 *
 * Never blocks and never waits for one notification: what needs more than about
 * two seconds of patience comes out as a retry.
 */
#ifndef PUSH_VENDOR_ENGINE_H
#define PUSH_VENDOR_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "record/conf.h"
#include "record/record.h"
#include "vendor/pace.h"
#include "vendor/vendor.h"

struct engine;

/* Where the vendor is. */
struct engine_places {
	const char *urls
		[VENDOR_ENDPOINTS_MAX]; /* "https://host[:port]"; NULL ends */
	const char *token_url;          /* instead of the account's; or NULL */
};

/* What the options say; texts but those of the places are borrowed for the
 * engine's life. */
struct engine_setup {
	const struct vendor *vendor;
	struct loop *loop;
	struct engine_places places; /* borrowed for the call */
	const char *ca_file;         /* PEM, instead of the system's; or NULL */
	int64_t connections;    /* of one credential to one endpoint, at most */
	int64_t window;         /* records held at once, at most */
	int64_t timeout_ms;     /* for an answer */
	struct pace_limit pace; /* of one credential to one endpoint */

	const char *node; /* that the records are stamped with */

	/* Takes a decided record back; called from the loop only. */
	void (*emit)(void *self, struct record *r);
	/* Frees a record that is left when the engine is freed. */
	void (*discard)(void *self, struct record *r);
	void *self;
};

/* NULL when options, the apps' settings or their key files are wrong. */
struct engine *engine_new(const struct engine_setup *setup,
	const struct conf *conf, struct err *err);
void engine_free(struct engine *e); /* accepts NULL */

/* Takes over other settings of the apps, and other places, as many as before;
 * -1 keeps all as it was. */
int engine_reload(struct engine *e, const struct conf *conf,
	const struct engine_places *places, struct err *err) MUST_CHECK;

/* Takes a held record of this vendor's; it comes back through emit() once. */
void engine_send(struct engine *e, struct record *r);

/* Decides a record as if it were sent and accepted, and adds the request to its
 * facts: for replays and dry runs.  No connection is used. */
void engine_rehearse(struct engine *e, struct record *r);

/* Nothing new will come.  What has not ended shortly before `limit_ms' from
 * now is given back as a retry. */
void engine_drain(struct engine *e, int64_t limit_ms);

/* Appends `,"vendor":{...}': connections, streams, token age and so on. */
void engine_count(const struct engine *e, struct buf *json);

#endif
