/*
 * The thread that looks after the stops.
 */
#include "store/stops.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/stops_inner.h"

enum { US_PER_S = 1000 * 1000 };

/*
 * The thread asks and leaves what it heard under the lock, with a byte in the
 * pipe; the loop takes it from there.  Members above the lock are the thread's
 * alone once it runs, and those of the loop are the loop's.
 */
struct stops_watch {
	struct redis *redis; /* owned */
	char version[STOPS_VERSION_BYTES];
	int64_t fields;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_ending;
	bool is_asking;     /* may be waiting for Redis */
	bool is_orphan;     /* nobody joins the thread: it frees this */
	bool is_news;       /* `stops' have not been taken yet */
	bool is_trouble;    /* `err' says why */
	struct stops stops; /* owned */
	struct err err;
	int pipe[2];

	/* the loop's */
	struct stops_events events;
	struct loop_fd *watch; /* owned */
	bool has_told_trouble;
	pthread_t thread;
};

static void watch_free(struct stops_watch *w)
{
	redis_close(w->redis);
	stops_release(&w->stops);
	for (int i = 0; i < 2; i++) {
		if (w->pipe[i] >= 0) {
			(void)close(w->pipe[i]); /* nothing of use is in it */
		}
	}
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_mutex_destroy(&w->lock);
	mem_free(w);
}

static void lock(struct stops_watch *w)
{
	if (pthread_mutex_lock(&w->lock) != 0) {
		BUG("a lock cannot be taken");
	}
}

static void unlock(struct stops_watch *w)
{
	if (pthread_mutex_unlock(&w->lock) != 0) {
		BUG("a lock cannot be given back");
	}
}

/* Has something changed?  1 and all of it in *fresh, 0, or -1.  The number of
 * fields tells of those who write the hash by hand and forget the version. */
static int ask(struct stops_watch *w, struct stops *fresh, struct err *err)
{
	const struct redis_reply *reply;
	bool is_same;
	int64_t fields;

	redis_append(w->redis, 2,
		(struct span[]){ span_of("HLEN"), span_of(STOPS_KEY) });
	redis_append(w->redis, 3,
		(struct span[]){ span_of("HGET"), span_of(STOPS_KEY),
			span_of(STOPS_VERSION_FIELD) });
	if (redis_reply(w->redis, &reply, err) != 0) {
		return -1;
	}
	fields = redis_int(reply);
	if (redis_reply(w->redis, &reply, err) != 0) {
		return -1;
	}
	is_same = redis_text(reply).ptr == NULL
			  ? w->version[0] == '\0'
			  : span_is(redis_text(reply), w->version);
	if (is_same && fields == w->fields) {
		return 0;
	}
	return stops_read(w->redis, fresh, w->version, &w->fields, err) == 0
		       ? 1
		       : -1;
}

/* With the lock held: what the last question brought. */
static void leave(struct stops_watch *w, int found, struct stops *fresh,
	const struct err *err)
{
	bool was_trouble = w->is_trouble;

	w->is_trouble = found < 0;
	w->err = *err;
	if (found > 0) {
		stops_release(&w->stops);
		w->stops = *fresh;
		w->is_news = true;
	}
	if ((found > 0 || was_trouble != w->is_trouble) &&
		write(w->pipe[1], "", 1) < 0 && errno != EAGAIN) {
		BUG("a pipe of ours cannot be written"); /* full is as good */
	}
}

/* With the lock held: naps, or less when it is to end. */
static void nap(struct stops_watch *w)
{
	int64_t until_us = clock_mono_us() + INT64_C(1000) * STOPS_POLL_MS;
	struct timespec until = {
		.tv_sec = (time_t)(until_us / US_PER_S),
		.tv_nsec = (long)(until_us % US_PER_S) * 1000,
	};

	while (!w->is_ending &&
		pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0) {
	}
}

static void *look_after(void *self)
{
	struct stops_watch *w = self;
	bool is_orphan;

	lock(w);
	while (!w->is_ending) {
		struct stops fresh = { 0 };
		struct err err = { 0 };
		int found;

		nap(w);
		if (w->is_ending) {
			break;
		}
		w->is_asking = true;
		unlock(w);
		found = ask(w, &fresh, &err);
		lock(w);
		w->is_asking = false;
		leave(w, found, &fresh, &err);
	}
	is_orphan = w->is_orphan;
	unlock(w);
	if (is_orphan) {
		watch_free(w);
	}
	return NULL;
}

static void on_byte(void *self, int fd, unsigned ready)
{
	struct stops_watch *w = self;
	struct stops stops = { 0 };
	struct err err;
	bool is_news;
	bool is_trouble;
	char bytes[64];

	(void)ready;
	(void)!read(fd, bytes, sizeof(bytes)); /* only woke us */
	lock(w);
	is_news = w->is_news;
	is_trouble = w->is_trouble;
	err = w->err;
	if (is_news) {
		stops = w->stops;
		w->stops = (struct stops){ 0 };
		w->is_news = false;
	}
	unlock(w);
	if (is_news) {
		w->events.on_change(w->events.self, &stops);
		stops_release(&stops);
	}
	if (is_trouble != w->has_told_trouble) {
		w->has_told_trouble = is_trouble;
		w->events.on_trouble(w->events.self, is_trouble ? &err : NULL);
	}
}

/* Starts the thread, which takes no signals: they are the loop's. */
static int start(struct stops_watch *w, struct err *err)
{
	sigset_t all;
	sigset_t before;
	int failed;

	(void)sigfillset(&all); /* cannot fail */
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) {
		BUG("signals cannot be masked");
	}
	failed = pthread_create(&w->thread, NULL, look_after, w);
	if (pthread_sigmask(SIG_SETMASK, &before, NULL) != 0) {
		BUG("signals cannot be unmasked");
	}
	return failed == 0 ? 0 : err_set(err, failed, "cannot start a thread");
}

static int make_pipe(int fds[2], struct err *err)
{
	if (pipe(fds) != 0) {
		return err_set(err, errno, "cannot make a pipe");
	}
	for (int i = 0; i < 2; i++) {
		if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) != 0 ||
			fcntl(fds[i], F_SETFL, O_NONBLOCK) != 0) {
			return err_set(err, errno, "cannot set up a pipe");
		}
	}
	return 0;
}

static void make_locks(struct stops_watch *w)
{
	pthread_condattr_t monotonic;

	if (pthread_condattr_init(&monotonic) != 0 ||
		pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0 ||
		pthread_cond_init(&w->wake, &monotonic) != 0 ||
		pthread_mutex_init(&w->lock, NULL) != 0) {
		BUG("a lock cannot be made");
	}
	(void)pthread_condattr_destroy(&monotonic);
}

int stops_watch_open(struct stops_watch **out, struct loop *loop,
	const char *url, const struct stops_events *events, struct err *err)
{
	struct stops_watch *w = mem_array(1, sizeof(*w));
	struct stops first = { 0 };

	w->pipe[0] = w->pipe[1] = -1;
	w->events = *events;
	make_locks(w);
	if (redis_open(&w->redis, url, err) != 0 ||
		stops_read(w->redis, &first, w->version, &w->fields, err) !=
			0 ||
		make_pipe(w->pipe, err) != 0 || start(w, err) != 0) {
		stops_release(&first);
		watch_free(w);
		return -1;
	}
	w->watch = loop_watch(loop, w->pipe[0], LOOP_READ, on_byte, w);
	events->on_change(events->self, &first);
	stops_release(&first);
	*out = w;
	return 0;
}

void stops_watch_close(struct stops_watch *w)
{
	pthread_t thread;
	bool is_orphan;

	if (w == NULL) {
		return;
	}
	loop_unwatch(w->watch);
	thread = w->thread;
	lock(w);
	w->is_ending = true;
	is_orphan = w->is_asking; /* that may take seconds: do not wait */
	w->is_orphan = is_orphan;
	(void)pthread_cond_signal(&w->wake);
	unlock(w);
	if (is_orphan) {
		(void)pthread_detach(thread); /* it frees what it uses */
	} else {
		(void)pthread_join(thread, NULL);
		watch_free(w);
	}
}
