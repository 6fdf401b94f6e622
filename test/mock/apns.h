/* The stand-in for Apple's push service. */
#ifndef PUSH_MOCK_APNS_H
#define PUSH_MOCK_APNS_H

#include "credentials.h"
#include "exchange.h"

struct apns;

/* `credentials' is borrowed and stays as it is. */
struct apns *apns_new(const struct credentials *credentials);
void apns_free(struct apns *a);

/* The row of the vendor table. */
struct vendor apns_vendor(struct apns *a);

/* The documented reasons: by number (from 1; NULL past the end), the status
 * of one (400 for an unknown one), and the usual one for a status or NULL. */
const char *apns_reason_at(size_t number);
int apns_status_of(const char *reason);
const char *apns_reason_of(int status);

#endif
