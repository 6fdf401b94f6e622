/*
 * What was received: counts for each vendor, a line for each request, so that a
 * test can prove that nothing was lost and nothing came twice.
 *
 * Different tokens, ids and credentials are told apart by a 64-bit hash.
 */
#ifndef PUSH_MOCK_TALLY_H
#define PUSH_MOCK_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "exchange.h"

struct tally;

/* What happens to connections and streams, outside of requests. */
enum tally_event {
	TALLY_OPENED, /* connection */
	TALLY_CLOSED,
	TALLY_GOAWAY,     /* sent */
	TALLY_REFUSED,    /* stream, never processed */
	TALLY_RESET,      /* stream, after it was processed */
	TALLY_UNANSWERED, /* processed, but the client did not get it all */
	TALLY_EVENT_COUNT
};

struct tally *tally_new(void);
void tally_free(struct tally *t);

/* Opens the file for the lines; `with_body' puts bodies into them. */
int tally_open(struct tally *t, const char *path, bool with_body,
	struct err *err) MUST_CHECK;

/* How often this token asked before; counts this time. */
uint64_t tally_attempt(struct tally *t, enum vendor_id v, struct span token);

/* A request was processed; its verdict is what it will be told. */
void tally_request(struct tally *t, enum vendor_id v, const struct exchange *x);

void tally_event(struct tally *t, enum vendor_id v, enum tally_event event);

/* How many streams a connection has open now. */
void tally_streams(struct tally *t, enum vendor_id v, uint64_t open);

/* Writes the lines out.  Called before answers leave, so that a line is in
 * the file before its client knows. */
int tally_flush(struct tally *t, struct err *err) MUST_CHECK;

/* Writes the summary to `path', all of it or nothing. */
int tally_summary(
	const struct tally *t, const char *path, struct err *err) MUST_CHECK;

#endif
