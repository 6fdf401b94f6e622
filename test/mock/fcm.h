/* The stand-in for Firebase Cloud Messaging, HTTP v1. */
#ifndef PUSH_MOCK_FCM_H
#define PUSH_MOCK_FCM_H

#include "exchange.h"
#include "oauth.h"

struct fcm;

/* `oauth' is borrowed; access tokens are good when it gave them. */
struct fcm *fcm_new(const struct oauth *oauth);
void fcm_free(struct fcm *f);

struct vendor fcm_vendor(struct fcm *f);

#endif
