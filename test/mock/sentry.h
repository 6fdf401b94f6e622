/* The stand-in for Sentry's ingestion: envelopes with one event each. */
#ifndef PUSH_MOCK_SENTRY_H
#define PUSH_MOCK_SENTRY_H

#include "credentials.h"
#include "exchange.h"
#include "fault.h"

struct sentry;

/* Both are borrowed; the control's orders hold the limits to tell. */
struct sentry *sentry_new(
	const struct credentials *credentials, const struct control *control);
void sentry_free(struct sentry *s);

struct vendor sentry_vendor(struct sentry *s);

#endif
