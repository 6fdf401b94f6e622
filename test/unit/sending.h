/*
 * What the tests of both vendors' protocols have in common: a request built from
 * a task, or refused, and what an answer means.
 */
#ifndef PUSH_UNIT_SENDING_H
#define PUSH_UNIT_SENDING_H

#include "record/record.h"
#include "test.h"
#include "wire/answer.h"
#include "wire/request.h"

#define NOW_MS INT64_C(1763627000000)
#define TRACE  ",\"trace\":{\"t0_us\":1763627000000000,\"uid\":\"u1\"}}"
/* DEVICE is the file's own. */
#define TASK(m) \
	"{\"app\":\"shop\",\"id\":\"t1\"," DEVICE ",\"message\":" m TRACE

/* A built request and the record it came from. */
struct built {
	struct record_pool *pool;
	struct record *r;
	struct request req;
	enum reason reason;
	const char *why;
	struct json_doc *body; /* parsed; NULL when nothing was built */
};

/* apns_build() or fcm_build(), with terms. */
typedef enum reason built_by(
	const struct record *r, struct request *req, const char **why);

static inline struct built built_of(const char *line, built_by *build)
{
	struct built b = { .why = NULL };

	b.pool = record_pool_new(RECORD_MAX_BYTES, "t");
	b.r = record_read(b.pool, line, strlen(line), NOW_MS * 1000);
	CHECK(b.r->outcome == OUTCOME_UNDECIDED);
	request_init(&b.req);
	b.reason = build(b.r, &b.req, &b.why);
	CHECK((b.reason == REASON_NONE) == (b.why == NULL));
	if (b.reason == REASON_NONE) {
		b.body = json_parse(
			b.req.body.data, b.req.body.len, JSON_STRICT, NULL);
		CHECK(b.body != NULL);
	}
	return b;
}

static inline void built_end(struct built *b)
{
	json_free(b->body);
	request_release(&b->req);
	record_free(b->pool, b->r);
	record_pool_free(b->pool);
}

/* Ends it, too. */
static inline bool built_is_refused(
	struct built b, enum reason reason, const char *why)
{
	bool is_so = b.reason == reason && b.why != NULL &&
		     strstr(b.why, why) != NULL;

	if (!is_so) {
		printf("%s: %s\n", reason_row(b.reason)->name,
			b.why == NULL ? "" : b.why);
	}
	built_end(&b);
	return is_so;
}

static inline bool answer_is(struct answer a, const char *name,
	enum reason reason, enum answer_action action)
{
	if (a.row->reason == reason && a.row->action == action &&
		strcmp(a.row->name, name) == 0) {
		return true;
	}
	printf("%s: %s, %s\n", a.row->name, reason_row(a.row->reason)->name,
		answer_action_name(a.row->action));
	return false;
}

#endif
