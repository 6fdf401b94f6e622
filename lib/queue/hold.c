/* Takes, renews and gives up a worker's name; see hold.lua and release.lua. */
#include "queue/hold.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "queue/key.h"
#include "queue/script.h"

enum { PROC_MAX_BYTES = 4096, LOOK_AGAIN_MS = 250 };

struct hold {
	struct redis *redis; /* borrowed */
	char *worker;        /* owned */
	char *key;           /* owned */
	char *token;         /* owned: "<boot> <pid namespace> <pid> <start>" */
	struct script take;
	struct script give;
	int64_t ending_ms; /* how long a holder here may take to end */
	bool is_in_use;    /* another live process has the name */
};

/* --- who a process is --- */

/* The word a file of /proc holds, or "-". */
static void put_boot(struct buf *out)
{
	struct buf text;
	size_t len;

	buf_init(&text, PROC_MAX_BYTES);
	if (buf_read_file(&text, "/proc/sys/kernel/random/boot_id", NULL) !=
		0) {
		buf_reset(&text);
	}
	len = strcspn(buf_string(&text), "\n");
	buf_put(out, len == 0 ? "-" : text.data, len == 0 ? 1 : len);
	buf_release(&text);
}

static void put_namespace(struct buf *out)
{
	char link[64];
	ssize_t n = readlink("/proc/self/ns/pid", link, sizeof(link));

	buf_put(out, n <= 0 ? "-" : link, n <= 0 ? 1 : (size_t)n);
}

/* When the process was started, in the kernel's ticks since boot (field 22 of
 * /proc/PID/stat, proc(5)); nothing when it is gone or a zombie. */
static void put_start(struct buf *out, int64_t pid)
{
	enum { FIELDS_BEFORE = 19 }; /* between the name's ')' and the start */
	char path[64];
	struct buf text;
	const char *at;

	buf_init(&text, PROC_MAX_BYTES);
	if (fmt_into(path, sizeof(path), "/proc/%lld/stat", (long long)pid) !=
			0 ||
		buf_read_file(&text, path, NULL) != 0) {
		buf_reset(&text);
	}
	at = strrchr(buf_string(&text), ')');
	if (at != NULL && strncmp(at, ") Z", 3) == 0) {
		at = NULL;
	}
	for (int i = 0; at != NULL && i <= FIELDS_BEFORE; i++) {
		at = strchr(at + 1, ' ');
	}
	if (at != NULL) {
		buf_put(out, at + 1, strcspn(at + 1, " \n"));
	}
	buf_release(&text);
}

/* The token that `pid', seen from here, would have. */
static char *token_take(int64_t pid)
{
	struct buf token;
	char *taken;

	buf_init(&token, PROC_MAX_BYTES);
	put_boot(&token);
	buf_putc(&token, ' ');
	put_namespace(&token);
	buf_fmt(&token, " %lld ", (long long)pid);
	put_start(&token, pid);
	taken = mem_text(buf_string(&token));
	buf_release(&token);
	return taken;
}

/* The process id when the holder is or was one that this kernel would show us,
 * else 0. */
static int64_t pid_here(const struct hold *h, const char *holder)
{
	size_t common = 0;
	char number[21];
	int64_t pid;
	size_t len;

	/* Up to the blank behind the namespace. */
	for (int blanks = 0; blanks < 2; common++) {
		if (h->token[common] == '\0' ||
			h->token[common] != holder[common]) {
			return 0;
		}
		blanks += h->token[common] == ' ';
	}
	len = strcspn(holder + common, " ");
	if (h->token[0] == '-' || len >= sizeof(number)) {
		return 0;
	}
	memcpy(number, holder + common, len);
	number[len] = '\0';
	return num_parse(number, 1, INT64_MAX, &pid) == 0 ? pid : 0;
}

/* --- the key --- */

/* 0: ours; 1: somebody else's, *holder (the caller frees it) with *left_ms to
 * live; -1. */
static int ask(struct hold *h, const char *dead, char **holder,
	int64_t *left_ms, struct err *err)
{
	const struct redis_reply *reply;
	char life[21] = "";

	life[num_format_u64(life, HOLD_LIFE_MS)] = '\0';
	redis_append_script(h->redis, &h->take.call, 1, 4,
		(struct span[]){ span_of(h->key), span_of(h->token),
			span_of(life), span_of(dead) });
	if (redis_reply(h->redis, &reply, err) != 0) {
		return -1;
	}
	if (redis_int(redis_at(reply, 0)) == 1) {
		return 0;
	}
	*holder = mem_dup(redis_text(redis_at(reply, 1)).ptr,
		redis_text(redis_at(reply, 1)).len);
	*left_ms = redis_int(redis_at(reply, 2));
	return 1;
}

static int in_use(struct hold *h, const char *where, struct err *err)
{
	h->is_in_use = true;
	return err_usage(err, 0,
		"worker name '%s' is in use by another live push-pop (%s, key "
		"'%s'): give each its own --worker",
		h->worker, where, h->key);
}

/* Somebody has the name.  0: ours now; 1: look again later, *is_here when the
 * holder is alive on this machine; -1. */
static int contend(struct hold *h, const char *holder, int64_t waited_ms,
	bool *is_here, struct err *err)
{
	int64_t pid = pid_here(h, holder);
	char *alive;
	char *other = NULL;
	int64_t left_ms;
	int got;

	if (pid == 0) {
		return 1;
	}
	alive = token_take(pid);
	if (strcmp(alive, holder) == 0) {
		char where[64];

		*is_here = waited_ms < h->ending_ms;
		if (*is_here) {
			mem_free(alive);
			return 1;
		}
		if (fmt_into(where, sizeof(where), "process %lld here",
			    (long long)pid) != 0) {
			BUG("a process id is too long");
		}
		mem_free(alive);
		return in_use(h, where, err);
	}
	mem_free(alive);
	got = ask(h, holder, &other, &left_ms, err);
	mem_free(other);
	return got;
}

static int take_name(struct hold *h, struct err *err)
{
	int64_t begin_mono_ms = clock_mono_ms();
	int64_t last_left_ms = INT64_MAX;

	for (;;) {
		char *holder = NULL;
		int64_t left_ms = 0;
		int64_t waited_ms = clock_mono_ms() - begin_mono_ms;
		bool is_here = false;
		int got = ask(h, "", &holder, &left_ms, err);

		if (got == 1) {
			got = contend(h, holder, waited_ms, &is_here, err);
		}
		mem_free(holder);
		if (got <= 0) {
			return got;
		}
		/* Elsewhere: a key that was renewed has a living holder. */
		if (!is_here && (left_ms > last_left_ms ||
					waited_ms > HOLD_LIFE_MS + 1000)) {
			return in_use(h, "not on this machine", err);
		}
		last_left_ms = left_ms;
		(void)poll(NULL, 0, LOOK_AGAIN_MS); /* cut short is as good */
	}
}

int hold_take(struct hold **out, struct redis *r, struct hold_want *want,
	struct err *err)
{
	struct hold *h = mem_array(1, sizeof(*h));

	h->redis = r;
	h->ending_ms = want->is_hasty ? 0 : HOLD_ENDING_MS;
	h->worker = mem_text(want->worker);
	h->key = key_take(want->queue, "worker", want->worker);
	h->token = token_take(getpid());
	script_init(&h->take, SCRIPT_HOLD);
	script_init(&h->give, SCRIPT_RELEASE);
	if (take_name(h, err) != 0) {
		want->is_in_use = h->is_in_use;
		mem_free(h->token);
		h->token = NULL; /* nothing to give up */
		hold_release(h);
		return -1;
	}
	*out = h;
	return 0;
}

const char *hold_token(const struct hold *h)
{
	return h->token;
}

int hold_renew(struct hold *h, struct err *err)
{
	char *holder = NULL;
	int64_t left_ms;
	int got = ask(h, "", &holder, &left_ms, err);

	mem_free(holder);
	if (got < 0) {
		err->is_usage = false; /* permissions come back, too */
	}
	return got == 1 ? in_use(h, "it took the name", err) : got;
}

void hold_release(struct hold *h)
{
	const struct redis_reply *reply;
	struct err ignored;

	if (h == NULL) {
		return;
	}
	if (h->token != NULL) {
		redis_append_script(h->redis, &h->give.call, 1, 2,
			(struct span[]){ span_of(h->key), span_of(h->token) });
		if (redis_reply(h->redis, &reply, &ignored) != 0) {
			redis_drop(h->redis); /* the key runs out by itself */
		}
	}
	script_release(&h->take);
	script_release(&h->give);
	mem_free(h->token);
	mem_free(h->key);
	mem_free(h->worker);
	mem_free(h);
}
