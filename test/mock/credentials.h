/*
 * Whom push-mock believes: the signing keys and service accounts of a
 * credentials file.  Only public halves are kept.
 *
 *   {"apns": [{"kid": "...", "team": "...", "key": "AuthKey.p8", "topics": ["com.example.shop"]}],
 *    "apns_ca": "ca.pem",
 *    "google": [{"service_account": "service-account.json"}],
 *    "sentry": [{"key": "...", "project": "42"}]}
 *
 * File names are relative to the credentials file; keys are PEM, private or
 * public; without "topics" a key may send to every topic.
 */
#ifndef PUSH_MOCK_CREDENTIALS_H
#define PUSH_MOCK_CREDENTIALS_H

#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

struct evp_pkey_st; /* EVP_PKEY */

enum { TOPICS_MAX = 32 };

struct apns_key {
	char *kid; /* all owned */
	char *team;
	struct evp_pkey_st *key;
	char *topics[TOPICS_MAX];
	size_t topic_count; /* 0: all */
};

struct google_account {
	char *email;
	char *kid; /* private_key_id */
	char *project;
	char *token_uri;
	struct evp_pkey_st *key;
};

/* The public key of a DSN. */
struct sentry_key {
	char *key;
	char *project;
};

struct credentials {
	struct apns_key *apns;
	size_t apns_count;
	struct google_account *google;
	size_t google_count;
	struct sentry_key *sentry;
	size_t sentry_count;
	char *apns_ca; /* PEM file, or NULL: no certificates are asked for */
};

/* Starts as { 0 }; release it in any case. */
int credentials_load(
	struct credentials *c, const char *path, struct err *err) MUST_CHECK;
void credentials_release(struct credentials *c);

/* NULL when there is none of that name. */
const struct apns_key *credentials_apns(
	const struct credentials *c, struct span kid);
const struct google_account *credentials_google(
	const struct credentials *c, struct span email);
const struct google_account *credentials_project(
	const struct credentials *c, struct span project);

const struct sentry_key *credentials_sentry(
	const struct credentials *c, struct span key);

#endif
