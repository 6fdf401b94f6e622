/* Where a Redis is and who we are there, as an URL says it (net/redis.h). */
#ifndef PUSH_NET_REDIS_URL_H
#define PUSH_NET_REDIS_URL_H

#include <stdint.h>

#include "base/err.h"

struct redis_url {
	char *host; /* owned; NULL: a Unix socket */
	int port;
	char *path; /* owned; of the Unix socket, or NULL */
	int64_t db;
	char *user;          /* owned; NULL: the default user */
	char *password;      /* owned; or NULL */
	char *password_file; /* owned; or NULL; read at each connect */
	char *name;          /* owned; where it is, without credentials */
};

/* 0, or -1 with a usage failure that does not repeat the credentials; `u' is
 * then empty. */
int redis_url_parse(
	struct redis_url *u, const char *url, struct err *err) MUST_CHECK;
void redis_url_release(struct redis_url *u);

#endif
