/*
 * The only user of hiredis: connecting, pipelines, scripts, and errors in plain
 * words.  Kept to what hiredis 0.14 and 1.2 have in common.
 *
 * `due' holds one entry per command whose reply was not handed out yet, oldest
 * first.  When the connection is lost they all go at once, and `lost' says
 * why; redis_reply() tells that before anything else can be sent.
 */
#include "net/redis.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/redis_url.h"

enum {
	CONNECT_LIMIT_S = 5,
	COMMAND_LIMIT_S = 10,
	PAUSE_FIRST_MS = 50,
	PAUSE_MOST_MS = 5000,
	PASSWORD_MAX_BYTES = 4096,
	SHA1_BYTES = 20,
};

/* A command that waits for its reply. */
struct due {
	const struct redis_script *script; /* NULL: not a script call */
	char *call; /* owned by hiredis' allocator; the call, to repeat */
	size_t call_len;
	redisReply *early; /* owned; read before its turn, or NULL */
};

struct redis {
	struct redis_url url;
	redisContext *context; /* owned; NULL: not connected */
	redisReply *shown;     /* owned; what redis_reply() gave last */

	struct due *due; /* owned; a queue: `due_first', `due_count' of room */
	size_t due_first;
	size_t due_count;
	size_t due_room;
	bool is_cut_short; /* a reply was an error; the rest may be unread */

	bool is_lost; /* appended commands are gone; `lost' is to be told */
	struct err lost;
	unsigned failed_connects; /* in a row */
	int64_t next_connect_mono_ms;
	uint64_t dice; /* for jitter */

	const char **argv; /* owned; scratch with room for arg_room */
	size_t *arg_len;   /* owned; the same */
	size_t arg_room;
};

/* --- letting go ------------------------------------------------------------ */

static void due_release(struct due *d)
{
	if (d->call != NULL) {
		redisFreeCommand(d->call);
	}
	if (d->early != NULL) {
		freeReplyObject(d->early);
	}
	*d = (struct due){ 0 };
}

static void forget_due(struct redis *r)
{
	for (size_t i = 0; i < r->due_count; i++) {
		due_release(&r->due[r->due_first + i]);
	}
	r->due_first = 0;
	r->due_count = 0;
	r->is_cut_short = false;
}

static void hide_shown(struct redis *r)
{
	if (r->shown != NULL) {
		freeReplyObject(r->shown);
		r->shown = NULL;
	}
}

void redis_drop(struct redis *r)
{
	hide_shown(r);
	forget_due(r);
	if (r->context != NULL) {
		redisFree(r->context);
		r->context = NULL;
	}
	r->is_lost = false;
}

/* Gives the connection up because of what its context says; returns -1. */
static int lose(struct redis *r, struct err *err)
{
	struct err why = { 0 };
	int errnum = errno;

	if (r->context == NULL) {
		BUG("no connection to lose");
	}
	if (r->context->err == REDIS_ERR_IO &&
		(errnum == EAGAIN || errnum == EWOULDBLOCK)) {
		(void)err_set(&why, 0, "%s: no answer within %d s", r->url.name,
			COMMAND_LIMIT_S);
	} else {
		(void)err_set(&why, 0, "%s: connection lost: %s", r->url.name,
			r->context->errstr);
	}
	redis_drop(r);
	if (err != NULL) {
		*err = why;
	}
	return -1;
}

/* --- errors in plain words ------------------------------------------------- */

/* Redis' error codes (the first word of the answer), from redis.io "Redis
 * serialization protocol" and the texts in the server, read 2026-11. */
static const struct {
	const char *code;
	const char *words;
	bool is_usage;
	bool is_elsewhere; /* another connection may reach a better server */
} words[] = {
	{ "OOM", "out of memory (maxmemory is reached)", false, false },
	{ "READONLY", "is a read-only replica", false, true },
	{ "LOADING", "is still loading its data", false, false },
	{ "MASTERDOWN", "has lost its primary", false, true },
	{ "MISCONF", "refuses writes because it cannot save to disk", false,
		false },
	{ "NOREPLICAS", "refuses writes because replicas are missing", false,
		false },
	{ "BUSY", "is busy with a long script", false, false },
	{ "CLUSTERDOWN", "is part of a cluster that is down", false, true },
	{ "MOVED", "is part of a cluster; the key is on another node", false,
		true },
	{ "NOAUTH", "wants a password", true, false },
	{ "WRONGPASS", "refuses the user name or password", true, false },
	{ "NOPERM", "does not permit this to our user", true, false },
	{ "WRONGTYPE", "has another kind of data under this name", true,
		false },
};

/* Puts an error answer into `err'; returns -1. */
static int explain(struct redis *r, const char *text, struct err *err)
{
	size_t code_len = strcspn(text, " ");

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strlen(words[i].code) != code_len ||
			memcmp(text, words[i].code, code_len) != 0) {
			continue;
		}
		if (words[i].is_usage) {
			(void)err_usage(err, 0, "%s: %s: %s", r->url.name,
				words[i].words, text);
		} else {
			(void)err_set(err, 0, "%s: %s: %s", r->url.name,
				words[i].words, text);
		}
		if (words[i].is_elsewhere) {
			redis_drop(r);
		}
		return -1;
	}
	return err_set(err, 0, "%s: %s", r->url.name, text);
}

/* --- connecting ------------------------------------------------------------ */

static int64_t jittered(struct redis *r, int64_t ms)
{
	r->dice ^= r->dice << 13;
	r->dice ^= r->dice >> 7;
	r->dice ^= r->dice << 17;
	return ms / 2 + (int64_t)(r->dice % (uint64_t)(ms / 2 + 1));
}

static void pause_connecting(struct redis *r)
{
	int64_t ms = PAUSE_FIRST_MS;

	for (unsigned i = 0; i < r->failed_connects && ms < PAUSE_MOST_MS;
		i++) {
		ms *= 2;
	}
	ms = ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : ms;
	r->failed_connects++;
	r->next_connect_mono_ms = clock_mono_ms() + jittered(r, ms);
}

/* One command of the greeting; nothing else is on its way. */
static int greet(struct redis *r, int argc, const char **argv, struct err *err)
{
	redisReply *reply = redisCommandArgv(r->context, argc, argv, NULL);
	int failed = 0;

	if (reply == NULL) {
		return lose(r, err);
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		failed = explain(r, reply->str, err);
	}
	freeReplyObject(reply);
	return failed;
}

static int greet_password(struct redis *r, struct err *err)
{
	struct buf file;
	const char *password = r->url.password;
	int failed = 0;

	buf_init(&file, PASSWORD_MAX_BYTES);
	if (r->url.password_file != NULL) {
		if (buf_read_file(&file, r->url.password_file, err) != 0) {
			err->is_usage = true;
			failed = -1;
			goto out;
		}
		while (file.len > 0 &&
			(file.data[file.len - 1] == '\n' ||
				file.data[file.len - 1] == '\r')) {
			buf_cut(&file, file.len - 1);
		}
		password = buf_string(&file);
	}
	if (password != NULL && r->url.user != NULL) {
		failed = greet(r, 3,
			(const char *[]){ "AUTH", r->url.user, password }, err);
	} else if (password != NULL) {
		failed = greet(r, 2, (const char *[]){ "AUTH", password }, err);
	}
out:
	buf_release(&file);
	return failed;
}

static int greet_all(struct redis *r, struct err *err)
{
	char db[21] = "";

	if (greet_password(r, err) != 0) {
		return -1;
	}
	db[num_format_u64(db, (uint64_t)r->url.db)] = '\0';
	return r->url.db == 0
		       ? 0
		       : greet(r, 2, (const char *[]){ "SELECT", db }, err);
}

static int reach(struct redis *r, struct err *err)
{
	const struct timeval connect_limit = { CONNECT_LIMIT_S, 0 };
	const struct timeval command_limit = { COMMAND_LIMIT_S, 0 };

	r->context = r->url.path != NULL ? redisConnectUnixWithTimeout(
						   r->url.path, connect_limit)
					 : redisConnectWithTimeout(r->url.host,
						   r->url.port, connect_limit);
	if (r->context == NULL) {
		return err_set(err, ENOMEM, "%s", r->url.name);
	}
	if (r->context->err != 0) {
		return err_set(err, 0, "%s: cannot connect: %s", r->url.name,
			r->context->errstr);
	}
	if (fcntl(r->context->fd, F_SETFD, FD_CLOEXEC) != 0 ||
		redisSetTimeout(r->context, command_limit) != REDIS_OK) {
		return err_set(err, errno, "%s: cannot set up", r->url.name);
	}
	if (r->url.path == NULL &&
		redisEnableKeepAlive(r->context) != REDIS_OK) {
		return err_set(err, 0, "%s: cannot set up: %s", r->url.name,
			r->context->errstr);
	}
	return greet_all(r, err);
}

/* Connects when that is due; 0, or -1 with the reason in r->lost. */
static int connect_now(struct redis *r)
{
	struct err why = { 0 };

	if (r->context != NULL) {
		return 0;
	}
	if (redis_pause_ms(r) > 0) {
		r->is_lost = true; /* r->lost is what the last attempt said */
		return -1;
	}
	if (reach(r, &why) != 0) {
		redis_drop(r);
		pause_connecting(r);
		r->lost = why;
		r->is_lost = true;
		return -1;
	}
	r->failed_connects = 0;
	return 0;
}

int64_t redis_pause_ms(const struct redis *r)
{
	int64_t left = r->next_connect_mono_ms - clock_mono_ms();

	return r->context != NULL || r->failed_connects == 0 || left < 0 ? 0
									 : left;
}

int redis_new(struct redis **out, const char *url, struct err *err)
{
	struct redis_url parsed;
	struct redis *r;

	if (redis_url_parse(&parsed, url, err) != 0) {
		return -1;
	}
	r = mem_array(1, sizeof(*r));
	r->url = parsed;
	r->dice = (uint64_t)clock_mono_us() * 2654435761U ^
		  (uint64_t)getpid() << 32 ^ 1;
	*out = r;
	return 0;
}

int redis_open(struct redis **out, const char *url, struct err *err)
{
	const struct redis_reply *reply;
	struct span ping = span_of("PING");

	if (redis_new(out, url, err) != 0) {
		return -1;
	}
	if (redis_command(*out, &reply, 1, &ping, err) != 0) {
		redis_close(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}

void redis_close(struct redis *r)
{
	if (r == NULL) {
		return;
	}
	redis_drop(r);
	redis_url_release(&r->url);
	mem_free(r->due);
	mem_free(r->argv);
	mem_free(r->arg_len);
	mem_free(r);
}

const char *redis_name(const struct redis *r)
{
	return r->url.name;
}

/* --- commands -------------------------------------------------------------- */

/* The next free entry of `due'. */
static struct due *due_add(struct redis *r)
{
	if (r->due_first + r->due_count == r->due_room) {
		if (r->due_first > r->due_room / 2) {
			memmove(r->due, r->due + r->due_first,
				r->due_count * sizeof(*r->due));
			r->due_first = 0;
		} else {
			r->due_room = r->due_room == 0 ? 16 : r->due_room * 2;
			r->due = mem_resize(
				r->due, r->due_room, sizeof(*r->due));
		}
	}
	struct due *d = &r->due[r->due_first + r->due_count++];
	*d = (struct due){ 0 };
	return d;
}

/* The arguments in the two arrays that hiredis takes, behind `extra' free
 * places. */
static void spread(
	struct redis *r, size_t extra, size_t count, const struct span *args)
{
	if (extra + count > r->arg_room) {
		r->arg_room = (extra + count) * 2;
		r->argv = mem_resize(r->argv, r->arg_room, sizeof(*r->argv));
		r->arg_len = mem_resize(
			r->arg_len, r->arg_room, sizeof(*r->arg_len));
	}
	for (size_t i = 0; i < count; i++) {
		r->argv[extra + i] = args[i].ptr == NULL ? "" : args[i].ptr;
		r->arg_len[extra + i] = args[i].len;
	}
}

static redisReply *next_reply(struct redis *r)
{
	void *reply = NULL;

	return redisGetReply(r->context, &reply) == REDIS_OK ? reply : NULL;
}

/* True when the other side has hung up while nothing was asked, as it does
 * when it is restarted or finds us idle for too long. */
static bool is_hung_up(const struct redis *r)
{
	char one;

	return r->context != NULL && r->due_count == 0 &&
	       recv(r->context->fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Makes the connection fit for a new command; 0 or -1, told later. */
static int make_ready(struct redis *r)
{
	hide_shown(r);
	if (is_hung_up(r)) {
		redis_drop(r);
	}
	if (r->is_lost && r->due_count == 0) {
		r->is_lost = false; /* told already: a new pipeline begins */
	}
	while (r->is_cut_short && r->due_count > 0) {
		struct due *d = &r->due[r->due_first];
		redisReply *reply = d->early != NULL ? NULL : next_reply(r);

		if (d->early == NULL && reply == NULL) {
			(void)lose(r, NULL); /* a fresh one is made below */
			break;
		}
		if (reply != NULL) {
			freeReplyObject(reply);
		}
		due_release(d);
		r->due_first++;
		r->due_count--;
	}
	r->is_cut_short = false;
	return r->is_lost ? -1 : connect_now(r);
}

void redis_append(struct redis *r, size_t count, const struct span *args)
{
	if (make_ready(r) != 0) {
		(void)due_add(r); /* so that the loss is told to this one too */
		return;
	}
	spread(r, 0, count, args);
	if (redisAppendCommandArgv(
		    r->context, (int)count, r->argv, r->arg_len) != REDIS_OK) {
		(void)lose(r, &r->lost);
		r->is_lost = true;
	}
	(void)due_add(r);
}

void redis_append_script(struct redis *r, const struct redis_script *s,
	size_t keys, size_t count, const struct span *args)
{
	char number[21] = "";
	char *call = NULL;
	long long len;
	struct due *d;

	if (make_ready(r) != 0) {
		(void)due_add(r);
		return;
	}
	number[num_format_u64(number, keys)] = '\0';
	spread(r, 3, count, args);
	r->argv[0] = "EVALSHA";
	r->arg_len[0] = strlen("EVALSHA");
	r->argv[1] = s->sha1;
	r->arg_len[1] = strlen(s->sha1);
	r->argv[2] = number;
	r->arg_len[2] = strlen(number);
	len = redisFormatCommandArgv(
		&call, (int)count + 3, r->argv, r->arg_len);
	if (len < 0 || redisAppendFormattedCommand(
			       r->context, call, (size_t)len) != REDIS_OK) {
		(void)lose(r, &r->lost);
		r->is_lost = true;
	}
	d = due_add(r);
	d->script = s;
	d->call = len < 0 ? NULL : call;
	d->call_len = len < 0 ? 0 : (size_t)len;
}

int redis_send(struct redis *r, struct err *err)
{
	int is_done = 0;

	if (r->is_lost) {
		forget_due(r);
		*err = r->lost;
		return -1;
	}
	while (r->context != NULL && !is_done) {
		if (redisBufferWrite(r->context, &is_done) != REDIS_OK) {
			return lose(r, err);
		}
	}
	return 0;
}

/* --- replies --------------------------------------------------------------- */

static struct due due_take(struct redis *r)
{
	struct due d = r->due[r->due_first];

	r->due_first++;
	r->due_count--;
	if (r->due_count == 0) {
		r->due_first = 0;
	}
	return d;
}

static bool is_error(const redisReply *reply, const char *code)
{
	return reply != NULL && reply->type == REDIS_REPLY_ERROR &&
	       strncmp(reply->str, code, strlen(code)) == 0;
}

/*
 * Redis did not know the script of `d': reads the replies that are on their
 * way, loads it, calls it again.  The new reply, or NULL when the
 * connection broke.
 */
static redisReply *call_again(struct redis *r, const struct due *d)
{
	struct span body = d->script->body;
	redisReply *reply;

	for (size_t i = 0; i < r->due_count; i++) {
		struct due *later = &r->due[r->due_first + i];

		if (later->early == NULL) {
			later->early = next_reply(r);
			if (later->early == NULL) {
				return NULL;
			}
		}
	}
	spread(r, 0, 3,
		(struct span[]){ span_of("SCRIPT"), span_of("LOAD"), body });
	if (redisAppendCommandArgv(r->context, 3, r->argv, r->arg_len) !=
			REDIS_OK ||
		redisAppendFormattedCommand(r->context, d->call, d->call_len) !=
			REDIS_OK) {
		return NULL;
	}
	reply = next_reply(r);
	if (reply == NULL) {
		return NULL;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		/* Why it was not loaded says more than that it is not there. */
		redisReply *call = next_reply(r);
		if (call == NULL) {
			freeReplyObject(reply);
			return NULL;
		}
		freeReplyObject(call);
		return reply;
	}
	freeReplyObject(reply);
	return next_reply(r);
}

/* Hands out `reply', the answer to the oldest command. */
static int show(struct redis *r, redisReply *reply,
	const struct redis_reply **out, struct err *err)
{
	struct due d = due_take(r);

	if (d.script != NULL && is_error(reply, "NOSCRIPT")) {
		freeReplyObject(reply);
		reply = call_again(r, &d);
	}
	due_release(&d);
	if (reply == NULL) {
		return lose(r, err);
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		r->is_cut_short = r->due_count > 0;
		(void)explain(r, reply->str, err);
		freeReplyObject(reply);
		return -1;
	}
	r->shown = reply;
	*out = (const struct redis_reply *)reply;
	return 0;
}

/* What redis_reply() and redis_poll() begin with.  1: go on; 0: *early has the
 * reply; -1: the connection was lost before. */
static int begin_reply(struct redis *r, redisReply **early, struct err *err)
{
	struct err ignored = { 0 };

	err = err == NULL ? &ignored : err;
	hide_shown(r);
	if (r->is_lost) {
		*err = r->lost;
		forget_due(r);
		return -1;
	}
	if (r->due_count == 0) {
		if (r->context == NULL) {
			return err_set(
				err, 0, "%s: connection lost", r->url.name);
		}
		BUG("no reply of Redis is due");
	}
	*early = r->due[r->due_first].early;
	r->due[r->due_first].early = NULL;
	return *early == NULL ? 1 : 0;
}

int redis_reply(
	struct redis *r, const struct redis_reply **out, struct err *err)
{
	redisReply *reply = NULL;
	int left = begin_reply(r, &reply, err);

	if (left < 0) {
		return -1;
	}
	if (left > 0) {
		reply = next_reply(r);
		if (reply == NULL) {
			return lose(r, err);
		}
	}
	return show(r, reply, out, err);
}

int redis_poll(struct redis *r, const struct redis_reply **out, struct err *err)
{
	redisReply *reply = NULL;
	void *got = NULL;
	char one;
	int left = begin_reply(r, &reply, err);

	if (left < 0) {
		return -1;
	}
	if (left > 0) {
		/* Reads once, and only what is there: the descriptor blocks. */
		ssize_t n =
			recv(r->context->fd, &one, 1, MSG_PEEK | MSG_DONTWAIT);
		bool is_there =
			n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK &&
					  errno != EINTR);

		if ((is_there && redisBufferRead(r->context) != REDIS_OK) ||
			redisGetReplyFromReader(r->context, &got) != REDIS_OK) {
			return lose(r, err);
		}
		if (got == NULL) {
			return 0;
		}
		reply = got;
	}
	return show(r, reply, out, err) == 0 ? 1 : -1;
}

size_t redis_due(const struct redis *r)
{
	return r->due_count;
}

int redis_command(struct redis *r, const struct redis_reply **out, size_t count,
	const struct span *args, struct err *err)
{
	redis_append(r, count, args);
	return redis_reply(r, out, err);
}

int redis_fd(const struct redis *r)
{
	return r->context == NULL ? -1 : r->context->fd;
}

enum redis_type redis_type(const struct redis_reply *reply)
{
	const redisReply *x = (const redisReply *)reply;

	switch (x == NULL ? REDIS_REPLY_NIL : x->type) {
	case REDIS_REPLY_INTEGER:
		return REDIS_TYPE_INT;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return REDIS_TYPE_TEXT;
	case REDIS_REPLY_ARRAY:
		return REDIS_TYPE_LIST;
	case REDIS_REPLY_ERROR:
		return REDIS_TYPE_ERROR;
	default:
		return REDIS_TYPE_NIL;
	}
}

int64_t redis_int(const struct redis_reply *reply)
{
	return redis_type(reply) == REDIS_TYPE_INT
		       ? ((const redisReply *)reply)->integer
		       : 0;
}

struct span redis_text(const struct redis_reply *reply)
{
	const redisReply *x = (const redisReply *)reply;
	enum redis_type type = redis_type(reply);

	return type == REDIS_TYPE_TEXT || type == REDIS_TYPE_ERROR
		       ? (struct span){ x->str, x->len }
		       : (struct span){ NULL, 0 };
}

size_t redis_count(const struct redis_reply *reply)
{
	return redis_type(reply) == REDIS_TYPE_LIST
		       ? ((const redisReply *)reply)->elements
		       : 0;
}

const struct redis_reply *redis_at(const struct redis_reply *reply, size_t i)
{
	return i < redis_count(reply)
		       ? (const struct redis_reply *)((const redisReply *)reply)
				 ->element[i]
		       : NULL;
}

void redis_script_init(struct redis_script *s, struct span body)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	s->body = body;
	if (EVP_Digest(body.ptr, body.len, sum, &len, EVP_sha1(), NULL) != 1 ||
		len != SHA1_BYTES) {
		BUG("SHA-1 is not to be had");
	}
	for (size_t i = 0; i < SHA1_BYTES; i++) {
		s->sha1[2 * i] = digits[sum[i] >> 4];
		s->sha1[2 * i + 1] = digits[sum[i] & 15];
	}
	s->sha1[2 * SHA1_BYTES] = '\0';
}
