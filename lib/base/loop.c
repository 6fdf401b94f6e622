/*
 * The loop over poll(2), which takes regular files as they are; a heap of
 * timers; signals through a pipe.
 */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { SIGNALS = 65 };

struct loop_fd {
	struct loop *loop;
	int fd; /* -1: removed, freed after the turn */
	unsigned events;
	loop_fd_cb *on_ready;
	void *self;
};

struct loop {
	struct loop_fd **fds;  /* owned, as are the members */
	struct pollfd *polled; /* lock-step with fds while polling */
	size_t count;
	size_t room;
	bool has_dead;
	struct loop_timer **heap; /* the earliest first; borrowed members */
	size_t timers;
	size_t timer_room;
	struct loop_fd *signals;
	struct {
		loop_signal_cb *cb;
		void *self;
	} on_signal[SIGNALS];
};

/* A signal handler has nothing but globals: one loop per process has signals. */
static int signal_pipe[2] = { -1, -1 };

struct loop *loop_new(void)
{
	return mem_array(1, sizeof(struct loop));
}

void loop_free(struct loop *l)
{
	if (l == NULL) {
		return;
	}
	if (l->signals != NULL) {
		for (int signo = 1; signo < SIGNALS; signo++) {
			if (l->on_signal[signo].cb != NULL) {
				(void)signal(
					signo, SIG_DFL); /* ours until here */
			}
		}
		(void)close(signal_pipe[0]);
		(void)close(signal_pipe[1]);
		signal_pipe[0] = signal_pipe[1] = -1;
	}
	for (size_t i = 0; i < l->count; i++) {
		mem_free(l->fds[i]);
	}
	mem_free(l->fds);
	mem_free(l->polled);
	mem_free(l->heap);
	mem_free(l);
}

struct loop_fd *loop_watch(struct loop *l, int fd, unsigned events,
	loop_fd_cb *on_ready, void *self)
{
	struct loop_fd *w = mem_alloc(sizeof(*w));

	*w = (struct loop_fd){ l, fd, events, on_ready, self };
	if (l->count == l->room) {
		l->room = l->room == 0 ? 16 : l->room * 2;
		l->fds = mem_resize(l->fds, l->room, sizeof(struct loop_fd *));
		l->polled =
			mem_resize(l->polled, l->room, sizeof(struct pollfd));
	}
	l->fds[l->count++] = w;
	return w;
}

void loop_events(struct loop_fd *w, unsigned events)
{
	w->events = events;
}

void loop_unwatch(struct loop_fd *w)
{
	if (w != NULL) {
		w->fd = -1;
		w->loop->has_dead = true;
	}
}

static void sweep(struct loop *l)
{
	size_t kept = 0;

	if (!l->has_dead) {
		return;
	}
	for (size_t i = 0; i < l->count; i++) {
		if (l->fds[i]->fd < 0) {
			mem_free(l->fds[i]);
		} else {
			l->fds[kept++] = l->fds[i];
		}
	}
	l->count = kept;
	l->has_dead = false;
}

/* --- timers: a binary heap whose members know their place --- */

static void place(struct loop *l, size_t at, struct loop_timer *t)
{
	l->heap[at] = t;
	t->slot = at + 1;
}

static void sift_up(struct loop *l, size_t at, struct loop_timer *t)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (l->heap[parent]->due_mono_us <= t->due_mono_us) {
			break;
		}
		place(l, at, l->heap[parent]);
		at = parent;
	}
	place(l, at, t);
}

static void sift_down(struct loop *l, size_t at, struct loop_timer *t)
{
	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= l->timers) {
			break;
		}
		if (child + 1 < l->timers &&
			l->heap[child + 1]->due_mono_us <
				l->heap[child]->due_mono_us) {
			child++;
		}
		if (t->due_mono_us <= l->heap[child]->due_mono_us) {
			break;
		}
		place(l, at, l->heap[child]);
		at = child;
	}
	place(l, at, t);
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	size_t at = t->slot;
	struct loop_timer *last;

	if (at == 0) {
		return;
	}
	t->slot = 0;
	last = l->heap[--l->timers];
	if (last != t) {
		sift_down(l, at - 1, last);
		sift_up(l, last->slot - 1, last);
	}
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_us,
	loop_timer_cb *on_due, void *self)
{
	loop_timer_stop(l, t);
	if (l->timers == l->timer_room) {
		l->timer_room = l->timer_room == 0 ? 16 : l->timer_room * 2;
		l->heap = mem_resize(
			l->heap, l->timer_room, sizeof(struct loop_timer *));
	}
	t->due_mono_us = clock_mono_us() + delay_us;
	t->on_due = on_due;
	t->self = self;
	sift_up(l, l->timers++, t);
}

bool loop_timer_is_set(const struct loop_timer *t)
{
	return t->slot != 0;
}

/* Calls what is due now; timers set meanwhile wait for the next turn. */
static int fire(struct loop *l)
{
	int64_t now = clock_mono_us();
	int calls = 0;

	while (l->timers > 0 && l->heap[0]->due_mono_us <= now) {
		struct loop_timer *t = l->heap[0];

		loop_timer_stop(l, t);
		t->on_due(t->self);
		calls++;
	}
	return calls;
}

/* --- signals --- */

static void on_signal(int signo)
{
	int saved = errno;
	unsigned char byte = (unsigned char)signo;
	/* A full pipe means that the loop will wake up anyway. */
	ssize_t n = write(signal_pipe[1], &byte, 1);

	(void)n;
	errno = saved;
}

static void on_signal_pipe(void *self, int fd, unsigned ready)
{
	struct loop *l = self;
	unsigned char bytes[32];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)ready;
	for (ssize_t i = 0; i < n; i++) {
		int signo = bytes[i];

		if (signo < SIGNALS && l->on_signal[signo].cb != NULL) {
			l->on_signal[signo].cb(l->on_signal[signo].self, signo);
		}
	}
}

static int open_signal_pipe(struct loop *l, struct err *err)
{
	if (pipe(signal_pipe) != 0) {
		return err_set(err, errno, "cannot make the signal pipe");
	}
	for (int i = 0; i < 2; i++) {
		if (fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK) != 0 ||
			fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC) != 0) {
			return err_set(
				err, errno, "cannot set up the signal pipe");
		}
	}
	l->signals =
		loop_watch(l, signal_pipe[0], LOOP_READ, on_signal_pipe, l);
	return 0;
}

int loop_signal(struct loop *l, int signo, loop_signal_cb *cb, void *self,
	struct err *err)
{
	struct sigaction action = { .sa_handler = on_signal };

	if (signo < 1 || signo >= SIGNALS) {
		BUG("no signal %d", signo);
	}
	if (l->signals == NULL && open_signal_pipe(l, err) != 0) {
		return -1;
	}
	l->on_signal[signo].cb = cb;
	l->on_signal[signo].self = self;
	(void)sigemptyset(&action.sa_mask); /* cannot fail */
	action.sa_flags = SA_RESTART;
	if (sigaction(signo, &action, NULL) != 0) {
		return err_set(err, errno, "cannot catch signal %d", signo);
	}
	return 0;
}

/* --- the turn --- */

static int wait_ms(const struct loop *l, int64_t max_wait_us)
{
	int64_t wait = max_wait_us;

	if (l->timers > 0) {
		int64_t until = l->heap[0]->due_mono_us - clock_mono_us();

		until = until < 0 ? 0 : until;
		wait = wait < 0 || until < wait ? until : wait;
	}
	if (wait < 0) {
		return -1;
	}
	/* Rounded up, so that a timer is due when we wake for it. */
	wait = (wait + 999) / 1000;
	return wait > 60 * 1000 ? 60 * 1000 : (int)wait;
}

static short to_poll(unsigned events)
{
	unsigned bits = 0;

	bits |= (events & LOOP_READ) != 0 ? (unsigned)POLLIN : 0U;
	bits |= (events & LOOP_WRITE) != 0 ? (unsigned)POLLOUT : 0U;
	return (short)bits;
}

static unsigned from_poll(short revents, unsigned asked)
{
	unsigned bits = (unsigned)revents;
	unsigned ready = 0;

	ready |= (bits & POLLIN) != 0 ? (unsigned)LOOP_READ : 0U;
	ready |= (bits & POLLOUT) != 0 ? (unsigned)LOOP_WRITE : 0U;
	if ((bits & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
		ready = asked;
	}
	return ready & asked;
}

int loop_turn(struct loop *l, int64_t max_wait_us)
{
	size_t count;
	int calls = 0;
	int ready;

	sweep(l);
	count = l->count;
	for (size_t i = 0; i < count; i++) {
		/* A negative descriptor makes poll pass over a paused one. */
		l->polled[i].fd = l->fds[i]->events == 0 ? -1 : l->fds[i]->fd;
		l->polled[i].events = to_poll(l->fds[i]->events);
		l->polled[i].revents = 0;
	}
	ready = poll(l->polled, (nfds_t)count, wait_ms(l, max_wait_us));
	for (size_t i = 0; ready > 0 && i < count; i++) {
		struct loop_fd *w = l->fds[i];
		/* What was asked may have changed in an earlier callback. */
		unsigned bits =
			l->polled[i].revents == 0
				? 0
				: from_poll(l->polled[i].revents, w->events);

		if (bits != 0 && w->fd >= 0) {
			w->on_ready(w->self, w->fd, bits);
			calls++;
		}
	}
	return calls + fire(l);
}
