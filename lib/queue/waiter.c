/* A command that Redis answers when there is something, or after BLOCK_S. */
#include "queue/waiter.h"

#include "base/clock.h"
#include "base/mem.h"

enum {
	BLOCK_S = 30,       /* how long Redis keeps us waiting */
	OVERDUE_MS = 40000, /* then the connection is given up */
};

int waiter_init(struct waiter *w, const char *url, char *key, struct err *err)
{
	w->key = key;
	return redis_new(&w->redis, url, err);
}

static void stop(struct waiter *w)
{
	loop_unwatch(w->watch);
	w->watch = NULL;
}

void waiter_release(struct waiter *w)
{
	stop(w);
	redis_close(w->redis);
	mem_free(w->key);
}

void waiter_drop(struct waiter *w)
{
	stop(w);
	redis_drop(w->redis);
}

static void on_answer(void *self, int fd, unsigned ready)
{
	struct waiter *w = self;
	const struct redis_reply *reply;
	struct err lost;
	int got = redis_poll(w->redis, &reply, &lost);

	(void)fd;
	(void)ready;
	if (got == 0) {
		return;
	}
	stop(w);
	if (got == 1 && redis_type(reply) == REDIS_TYPE_NIL) {
		waiter_arm(w);
	} else {
		w->on_end(w->self);
	}
}

void waiter_arm(struct waiter *w)
{
	struct err lost;
	const char block[] = { '0' + BLOCK_S / 10, '0' + BLOCK_S % 10, '\0' };

	if (w->watch != NULL) {
		if (clock_mono_ms() - w->since_mono_ms < OVERDUE_MS) {
			return;
		}
		waiter_drop(w);
	}
	switch (w->what) {
	case WAITER_FOR_ENTRIES:
		redis_append(w->redis, 6,
			(struct span[]){ span_of("BLMOVE"), span_of(w->key),
				span_of(w->key), span_of("RIGHT"),
				span_of("RIGHT"), span_of(block) });
		break;
	case WAITER_FOR_TOKEN:
		redis_append(w->redis, 3,
			(struct span[]){ span_of("BLPOP"), span_of(w->key),
				span_of(block) });
		break;
	}
	if (redis_send(w->redis, &lost) != 0) {
		return;
	}
	w->since_mono_ms = clock_mono_ms();
	w->watch = loop_watch(
		w->loop, redis_fd(w->redis), LOOP_READ, on_answer, w);
}
