/*
 * Redis (or Valkey), as one server, the primary that Sentinels name, or a
 * cluster: commands in a pipeline, scripts, and waiting for a blocking command
 * through the loop.
 *
 * The connection looks after itself: it connects when it is first used and
 * again after a loss, waiting between attempts that fail (50 ms doubling to
 * 5 s, with jitter, to 1 s for Sentinel and Cluster; until then every use fails
 * at once).  It does not repeat
 * commands whose answers were lost: only the caller knows whether that is
 * harmless.
 *
 * The usual use, any number of commands in one round trip:
 *
 *	redis_append(r, 2, (struct span[]){ span_of("GET"), key });
 *	redis_append(r, 2, (struct span[]){ span_of("GET"), other });
 *	if (redis_reply(r, &reply, err) != 0) ...
 *	if (redis_reply(r, &reply, err) != 0) ...
 *
 * URLs:
 *	redis://[user:password@]host[:port][/db]
 *	unix:///path/redis.sock
 *	redis+sentinel://[user:password@]host[:port][,...]/primary
 *	redis+cluster://[user:password@]host[:port][,...]
 * and, where hiredis has TLS, with rediss in place of redis.  Behind a '?':
 * db=N, user=NAME and password_file=FILE, so that no secret need be in an URL,
 * timeout=TIME, ca_file=, cert_file=, key_file=, sentinel_user=,
 * sentinel_password_file=.  Percent-encoding is understood in every part.
 *
 * In a cluster a command goes to the node that serves its key, which is its
 * first argument, or a script's first key; all keys of one command share its
 * slot.  Nodes that say MOVED or ASK are obeyed.  A blocking command that is
 * told so fails instead, and finds its way when it is sent again.
 */
#ifndef PUSH_NET_REDIS_H
#define PUSH_NET_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/span.h"

struct redis;
struct redis_reply;

/*
 * Checks the URL and connects.  -1: a usage failure for a wrong URL or
 * credentials that are refused; temporary when the server is not there.
 */
int redis_open(struct redis **out, const char *url, struct err *err) MUST_CHECK;

/* Only checks the URL; connects at first use. */
int redis_new(struct redis **out, const char *url, struct err *err) MUST_CHECK;

void redis_close(struct redis *r); /* accepts NULL */

/* For messages: where the server is, without credentials.  Borrowed from `r'. */
const char *redis_name(const struct redis *r);

/* Whether keys of one command must share a slot. */
bool redis_is_cluster(const struct redis *r);

/* --- commands --- */

/*
 * Adds one command to the pipeline; nothing is sent yet.  The arguments are
 * copied.  A failure to connect is told by redis_reply().  Replies that a failed
 * pipeline left unread are dropped first.
 */
void redis_append(struct redis *r, size_t count, const struct span *args);

/* The same for a command without a key: to the server that has this one. */
void redis_append_near(struct redis *r, struct span key, size_t count,
	const struct span *args);

/* A script of ours: its text (borrowed, for good) and its name in Redis. */
struct redis_script {
	struct span body;
	char sha1[SHA1_TEXT_BYTES];
};
void redis_script_init(struct redis_script *s, struct span body);

/*
 * Adds one script call: EVALSHA, and when Redis does not know the script (new,
 * or flushed away) it is loaded and called again.  The first `keys' of `count'
 * args are keys.  In that case the call may run after commands that were
 * appended behind it.
 */
void redis_append_script(struct redis *r, const struct redis_script *s,
	size_t keys, size_t count, const struct span *args);

/* Sends what was appended without waiting for replies.  0 or -1. */
int redis_send(struct redis *r, struct err *err) MUST_CHECK;

/*
 * The reply to the oldest command not yet answered; sends first.  0 and *out,
 * borrowed until the next call on `r'; or -1:
 *   - connection lost or timed out (2 s, or the URL's timeout): every reply that was due is lost;
 *   - Redis answered with an error, put into plain words.  The replies behind it
 *     may still be read.  A usage failure when only a person can repair it
 *     (NOAUTH, NOPERM, WRONGPASS).
 */
int redis_reply(struct redis *r, const struct redis_reply **out,
	struct err *err) MUST_CHECK;

/* Commands appended whose replies were not read yet. */
size_t redis_due(const struct redis *r);

/* redis_append() and redis_reply() for a single command. */
int redis_command(struct redis *r, const struct redis_reply **out, size_t count,
	const struct span *args, struct err *err) MUST_CHECK;

/* --- waiting through the loop --- */

/* The descriptor, to be watched for reading after redis_send(); -1 while not
 * connected.  It changes when the connection is made anew. */
int redis_fd(const struct redis *r);

/*
 * Takes what has arrived without waiting.  1 and *out when the oldest reply is
 * complete, 0 when not yet, -1 as for redis_reply().
 */
int redis_poll(struct redis *r, const struct redis_reply **out,
	struct err *err) MUST_CHECK;

/* Gives the connection up, and all replies due with it; the next use makes
 * a new one. */
void redis_drop(struct redis *r);

/* Milliseconds until the next attempt to connect is made; 0: at once. */
int64_t redis_pause_ms(const struct redis *r);

/* --- replies --- */

enum redis_type {
	REDIS_TYPE_NIL,
	REDIS_TYPE_INT,
	REDIS_TYPE_TEXT, /* bulk or status */
	REDIS_TYPE_LIST,
	REDIS_TYPE_ERROR, /* only inside a list */
};

/* All accept NULL and a reply of another type, and then answer "nothing". */
enum redis_type redis_type(const struct redis_reply *reply);
int64_t redis_int(const struct redis_reply *reply);
struct span redis_text(const struct redis_reply *reply); /* NUL-terminated */
size_t redis_count(const struct redis_reply *reply);
const struct redis_reply *redis_at(const struct redis_reply *reply, size_t i);

#endif
