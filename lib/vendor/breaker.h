/*
 * Stops sending to a vendor that does not serve, and finds out when it does
 * again: closed while all is well, open for a while after trouble, then one
 * notification is let through as a probe, whose answer decides.
 *
 * Pure: time comes in as an argument.
 */
#ifndef PUSH_VENDOR_BREAKER_H
#define PUSH_VENDOR_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "record/outcome.h"

enum { BREAKER_FAILURES = 20 }; /* in a row, after which it opens */

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBE };

/* { 0 } is closed. */
struct breaker {
	enum breaker_state state;
	enum reason reason; /* that records leave with while it is not closed */
	int failures;       /* in a row */
	int opens;          /* in a row, without success between them */
	int64_t until_mono_ms; /* BREAKER_OPEN: then comes the probe */
	bool has_probe;        /* BREAKER_PROBE: it is out */
};

/* What a change means to whoever logs it. */
enum breaker_event { BREAKER_SAME, BREAKER_OPENED, BREAKER_RECOVERED };

/* May one more be sent?  Turns open into probe when its time has come. */
bool breaker_lets(struct breaker *b, int64_t now_mono_ms);

/* One was sent. */
void breaker_sent(struct breaker *b);

/* It was answered by a vendor that serves, whatever the answer. */
enum breaker_event breaker_good(struct breaker *b);

/* It failed in a way that others would, too. */
enum breaker_event breaker_bad(struct breaker *b, int64_t now_mono_ms);

/* It ended without telling anything: another one may be the probe. */
void breaker_unknown(struct breaker *b);

/* Opens at once, because of what the vendor said about all that we send. */
void breaker_open(struct breaker *b, enum reason reason, int64_t until_mono_ms);

/* How long a record should wait that may not be sent now. */
int64_t breaker_wait_ms(const struct breaker *b, int64_t now_mono_ms);

#endif
