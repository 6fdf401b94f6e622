/*
 * A client's certificate with its key, for servers that ask for one in the TLS
 * handshake: from a PKCS #12 or PEM file, into a connection (net/tls).
 */
#ifndef PUSH_NET_IDENTITY_H
#define PUSH_NET_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum { IDENTITY_FILE_MAX_BYTES = 256 * 1024 };

struct identity;

/* The bytes of the files. */
struct identity_files {
	struct span certificate; /* PKCS #12, or PEM with the chain behind it */
	struct span key;         /* PEM; absent: in the same file */
	struct span password;    /* of the key; absent: none */
};

/* NULL, with a usage failure, when there is no certificate in it, no key, or one
 * that does not belong to it. */
struct identity *identity_new(
	const struct identity_files *files, struct err *err);
void identity_free(struct identity *id); /* accepts NULL */

/* When the certificate ends. */
int64_t identity_end_unix_ms(const struct identity *id);

/* The user id in the certificate's subject (RFC 4514: UID), which lives as
 * long as `id'; { NULL, 0 } when it has none. */
struct span identity_user(const struct identity *id);

/* Has a TLS context of OpenSSL show it. */
int identity_show(const struct identity *id, void *context) MUST_CHECK;

#endif
