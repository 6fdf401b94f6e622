/* Firebase Cloud Messaging, as the sending engine sees it. */
#ifndef PUSH_VENDOR_FCM_H
#define PUSH_VENDOR_FCM_H

#include "vendor/vendor.h"

extern const struct vendor vendor_fcm;

#endif
