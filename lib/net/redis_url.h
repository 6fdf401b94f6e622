/* Where a Redis is and who we are there, as an URL says it (net/redis.h). */
#ifndef PUSH_NET_REDIS_URL_H
#define PUSH_NET_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What the hosts of an URL are. */
enum redis_kind {
	REDIS_SERVER,   /* one, and it is the server */
	REDIS_SENTINEL, /* they know which server is the primary */
	REDIS_CLUSTER,  /* they know which node serves which key */
};

struct redis_host {
	char *name; /* owned */
	int port;
};

struct redis_url {
	enum redis_kind kind;
	bool is_tls;
	struct redis_host *hosts; /* owned; in the order given */
	size_t host_count;        /* 0: a Unix socket */
	char *path;               /* owned; of the Unix socket, or NULL */
	char *primary;            /* owned; its name among Sentinels, or NULL */
	int64_t timeout_ms;       /* for connecting, and for each answer */
	int64_t db;
	char *user;          /* owned; NULL: the default user */
	char *password;      /* owned; or NULL */
	char *password_file; /* owned; or NULL; read at each connect */
	char *sentinel_user; /* owned; or NULL; with the next, for Sentinels */
	char *sentinel_password_file; /* owned; or NULL */
	char *ca_file;                /* owned; PEM; NULL: the system's */
	char *cert_file;              /* owned; PEM, ours, or NULL */
	char *key_file;               /* owned; PEM, of that, or NULL */
	char *name; /* owned; where it is, without credentials */
};

/* 0, or -1 with a usage failure that does not repeat the credentials; `u' is
 * then empty. */
int redis_url_parse(
	struct redis_url *u, const char *url, struct err *err) MUST_CHECK;
void redis_url_release(struct redis_url *u);

/* Only whether it is one. */
int redis_url_check(const char *url, struct err *err) MUST_CHECK;

#endif
