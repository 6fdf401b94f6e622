/* Apple, as the sending engine sees it. */
#ifndef PUSH_VENDOR_APNS_H
#define PUSH_VENDOR_APNS_H

#include "vendor/vendor.h"

/* The order of the engine's endpoints. */
enum { APNS_PRODUCTION, APNS_SANDBOX };

extern const struct vendor vendor_apns;

#endif
