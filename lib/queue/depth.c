/* A thread that asks all queues in one round trip a second. */
#include "queue/depth.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/redis.h"
#include "record/json.h"

enum { MS_PER_S = 1000, NS_PER_MS = 1000 * 1000, SCORE_BYTES = 24 };

/* The questions of one queue, in the order they are asked. */
enum ask {
	ASK_READY,
	ASK_REDELIVER,
	ASK_DELAYED,
	ASK_OVERDUE,
	ASK_DEAD,
	ASK_NEXT,  /* the next ready task */
	ASK_FIRST, /* the first delayed one, with its time */
	ASK_COUNT
};

/* What the thread remembers of a queue; the texts are owned. */
struct watched {
	const char *queue; /* that of the numbers */
	char *redeliver;
	char *delayed;
	char *dead;
	uint64_t next_hash; /* of the next ready task */
	int64_t next_since_mono_ms;
};

struct depth_watch {
	/* the thread's */
	struct redis *redis; /* owned */
	struct watched watched[DEPTH_QUEUES_MAX];
	struct depths fresh;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_ending;
	struct depths known;
	size_t count;
};

static void watch_free(struct depth_watch *w)
{
	redis_close(w->redis);
	for (size_t i = 0; i < w->count; i++) {
		mem_free(w->watched[i].redeliver);
		mem_free(w->watched[i].delayed);
		mem_free(w->watched[i].dead);
	}
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_mutex_destroy(&w->lock);
	mem_free(w);
}

static void lock(struct depth_watch *w)
{
	if (pthread_mutex_lock(&w->lock) != 0) {
		BUG("a lock cannot be taken");
	}
}

static void unlock(struct depth_watch *w)
{
	if (pthread_mutex_unlock(&w->lock) != 0) {
		BUG("a lock cannot be given back");
	}
}

static void ask(struct redis *r, const struct watched *q, const char *now)
{
	const struct span delayed = span_of(q->delayed);

	redis_append(
		r, 2, (struct span[]){ span_of("LLEN"), span_of(q->queue) });
	redis_append(r, 2,
		(struct span[]){ span_of("LLEN"), span_of(q->redeliver) });
	redis_append(r, 2, (struct span[]){ span_of("ZCARD"), delayed });
	redis_append(r, 4,
		(struct span[]){ span_of("ZCOUNT"), delayed, span_of("-inf"),
			span_of(now) });
	redis_append(
		r, 2, (struct span[]){ span_of("LLEN"), span_of(q->dead) });
	redis_append(r, 3,
		(struct span[]){
			span_of("LINDEX"), span_of(q->queue), span_of("-1") });
	redis_append(r, 5,
		(struct span[]){ span_of("ZRANGE"), delayed, span_of("0"),
			span_of("0"), span_of("WITHSCORES") });
}

/* How old the next ready task is. */
static int64_t age_of(struct watched *q, struct span task, int64_t now_unix_ms)
{
	struct json_doc *doc;
	uint64_t hash = 14695981039346656037U; /* FNV-1a */
	int64_t created_unix_ms = 0;

	if (task.ptr == NULL) {
		q->next_hash = 0;
		return 0;
	}
	for (size_t i = 0; i < task.len; i++) {
		hash = (hash ^ (unsigned char)task.ptr[i]) * 1099511628211U;
	}
	if (hash != q->next_hash) {
		q->next_hash = hash;
		q->next_since_mono_ms = clock_mono_ms();
	}
	doc = json_parse(task.ptr, task.len, JSON_STRICT, NULL);
	if (json_int(json_get(json_root(doc), "created_ms"),
		    &created_unix_ms) != 0) {
		created_unix_ms = 0;
	}
	json_free(doc);
	if (created_unix_ms > 0) {
		return now_unix_ms > created_unix_ms
			       ? now_unix_ms - created_unix_ms
			       : 0;
	}
	return clock_mono_ms() - q->next_since_mono_ms;
}

/* Puts one answer where it belongs. */
static void take(struct watched *q, struct depth *d, enum ask what,
	const struct redis_reply *reply)
{
	int64_t now_unix_ms = clock_unix_ms();
	int64_t *const counts[ASK_COUNT] = { [ASK_READY] = &d->ready,
		[ASK_REDELIVER] = &d->redeliver,
		[ASK_DELAYED] = &d->delayed,
		[ASK_OVERDUE] = &d->overdue,
		[ASK_DEAD] = &d->dead };
	struct span score;
	int64_t due;

	if (counts[what] != NULL) {
		*counts[what] = redis_int(reply);
		return;
	}
	if (what == ASK_NEXT) {
		d->oldest_age_ms = age_of(q, redis_text(reply), now_unix_ms);
		return;
	}
	score = redis_text(redis_at(reply, 1));
	d->overdue_age_ms = 0;
	if (score.ptr != NULL &&
		num_parse(score.ptr, 0, INT64_MAX, &due) == 0 &&
		due < now_unix_ms) {
		d->overdue_age_ms = now_unix_ms - due;
	}
}

static int ask_all(struct depth_watch *w, struct err *err)
{
	char now[SCORE_BYTES];

	if (fmt_into(now, sizeof(now), "%lld", (long long)clock_unix_ms()) !=
		0) {
		BUG("a time is too long");
	}
	for (size_t i = 0; i < w->count; i++) {
		ask(w->redis, &w->watched[i], now);
	}
	for (size_t i = 0; i < w->count * ASK_COUNT; i++) {
		const struct redis_reply *reply;

		if (redis_reply(w->redis, &reply, err) != 0) {
			redis_drop(w->redis);
			return -1;
		}
		take(&w->watched[i / ASK_COUNT], &w->fresh.items[i / ASK_COUNT],
			(enum ask)(i % ASK_COUNT), reply);
	}
	return 0;
}

/* With the lock held: naps, or less when it is to end. */
static void nap(struct depth_watch *w)
{
	int64_t until_mono_ms = clock_mono_ms() + DEPTH_POLL_MS;
	struct timespec until = { .tv_sec = until_mono_ms / MS_PER_S,
		.tv_nsec = (long)(until_mono_ms % MS_PER_S) * NS_PER_MS };

	while (!w->is_ending &&
		pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0) {
	}
}

static void *look_after(void *self)
{
	struct depth_watch *w = self;

	lock(w);
	while (!w->is_ending) {
		struct err err = { 0 };
		int result;

		unlock(w);
		result = ask_all(w, &err);
		lock(w);
		if (result == 0) {
			w->known = w->fresh;
		}
		w->known.is_known = result == 0;
		w->known.err = err;
		nap(w);
	}
	unlock(w);
	watch_free(w);
	return NULL;
}

static int set_queues(struct depth_watch *w, const char *const *queues,
	size_t count, struct err *err)
{
	if (count > DEPTH_QUEUES_MAX) {
		return err_usage(err, 0, "more than %d queues to watch",
			DEPTH_QUEUES_MAX);
	}
	for (size_t i = 0; i < count; i++) {
		struct watched *q = &w->watched[i];
		char *name = w->fresh.items[i].queue;

		if (!key_is_queue(span_of(queues[i])) ||
			fmt_into(name, KEY_NAME_MAX_BYTES + 1, "%s",
				queues[i]) != 0) {
			return err_usage(err, 0, "'%s' is no name of a queue",
				queues[i]);
		}
		q->queue = name;
		q->redeliver = key_take(queues[i], "redeliver", NULL);
		q->delayed = key_take(queues[i], "delayed", NULL);
		q->dead = key_take(queues[i], "dead", NULL);
		w->count++;
	}
	w->fresh.count = count;
	w->known = w->fresh;
	return 0;
}

/* Starts the thread, which takes no signals: they are the loop's. */
static int start(struct depth_watch *w, struct err *err)
{
	pthread_t thread;
	sigset_t before;
	sigset_t all;
	int result;

	(void)sigfillset(&all); /* cannot fail */
	result = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (result == 0) {
		result = pthread_create(&thread, NULL, look_after, w);
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (result != 0) {
		return err_set(err, result, "cannot start a thread");
	}
	(void)pthread_detach(thread); /* it is ours and was not joined */
	return 0;
}

int depth_watch_open(struct depth_watch **out, const char *url,
	const char *const *queues, size_t count, struct err *err)
{
	struct depth_watch *w = mem_array(1, sizeof(*w));
	pthread_condattr_t attr;

	if (pthread_mutex_init(&w->lock, NULL) != 0 ||
		pthread_condattr_init(&attr) != 0 ||
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
		pthread_cond_init(&w->wake, &attr) != 0) {
		BUG("a lock cannot be made");
	}
	(void)pthread_condattr_destroy(&attr);
	if (set_queues(w, queues, count, err) != 0 ||
		redis_new(&w->redis, url, err) != 0 || start(w, err) != 0) {
		watch_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void depth_watch_close(struct depth_watch *w)
{
	if (w == NULL) {
		return;
	}
	/* The thread may be waiting for Redis; it frees all when it ends. */
	lock(w);
	w->is_ending = true;
	(void)pthread_cond_signal(&w->wake);
	unlock(w);
}

void depth_read(struct depth_watch *w, struct depths *out)
{
	lock(w);
	*out = w->known;
	unlock(w);
}
