/* Descriptors and timers around what is pure in this folder. */
#include "stats/serve.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/httpd.h"
#include "net/sock.h"
#include "queue/depth.h"
#include "stats/face.h"
#include "stats/history.h"
#include "stats/live.h"
#include "stats/watch.h"

enum {
	DATAGRAM_BYTES = 64 * 1024,
	DATAGRAMS_A_TURN = 64,
	TICK_US = 1000000,
	HTTP_OK = 200
};

struct serve {
	struct serve_setup setup;
	int64_t started_unix_ms;
	struct live *live;         /* owned; NULL: no program tells anything */
	struct loop_fd *watch;     /* of `counters' */
	int counters;              /* descriptor; -1: none */
	struct depth_watch *depth; /* owned; NULL: no queue is looked at */
	struct depths depths;      /* as of the last look */
	struct history *history;   /* owned */
	struct loop_timer tick;
	struct httpd *httpd; /* owned; NULL: nobody looks in */
	char datagram[DATAGRAM_BYTES];
};

static void look(struct serve *s)
{
	if (s->live != NULL) {
		live_sweep(s->live, clock_mono_ms());
	}
	if (s->depth != NULL) {
		depth_read(s->depth, &s->depths);
	}
}

static void on_get(void *self, const char *path, struct httpd_reply *reply)
{
	struct serve *s = self;
	const struct face face = { s->setup.stats, s->live,
		s->depth == NULL ? NULL : &s->depths, s->history,
		s->started_unix_ms };

	look(s);
	reply->status = face_get(&face, path, &reply->type, &reply->body);
}

static void print_table(struct serve *s)
{
	const struct face face = { s->setup.stats, s->live,
		s->depth == NULL ? NULL : &s->depths, s->history,
		s->started_unix_ms };
	struct err err = { 0 };
	const char *type;
	struct buf stats;
	struct buf history;

	buf_init(&stats, HTTPD_BODY_MAX_BYTES);
	buf_init(&history, HTTPD_BODY_MAX_BYTES);
	if (face_get(&face, "/api/stats", &type, &stats) != HTTP_OK ||
		face_get(&face, "/api/history", &type, &history) != HTTP_OK) {
		BUG("numbers of our own are not there");
	}
	if (watch_print(&stats, &history, &err) != 0) {
		log_warn("%s", err.text);
	}
	buf_release(&stats);
	buf_release(&history);
}

static void on_tick(void *self)
{
	struct serve *s = self;

	loop_timer_set(s->setup.loop, &s->tick, TICK_US, on_tick, s);
	look(s);
	history_tick(s->history, s->setup.stats, s->live);
	if (s->setup.is_watched) {
		print_table(s);
	}
}

static void on_datagram(void *self, int fd, unsigned ready)
{
	struct serve *s = self;

	(void)ready;
	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t n = recv(fd, s->datagram, sizeof(s->datagram), 0);

		if (n < 0) {
			return; /* no more now */
		}
		if (live_take(s->live, s->datagram, (size_t)n,
			    clock_mono_ms()) != 0) {
			log_warn("a datagram of %zd bytes is no report", n);
		}
	}
}

/* The queues of push.conf, if it names any and a Redis. */
static int watch_queues(struct serve *s, struct err *err)
{
	const struct conf *conf = s->setup.conf;
	const char *url = conf_text(conf, "redis", NULL);
	struct json_iter it = json_iter(conf_at(conf, "queues"));
	const char *names[DEPTH_QUEUES_MAX + 1];
	const struct json *name;
	size_t count = 0;

	while (count <= DEPTH_QUEUES_MAX && (name = json_next(&it)) != NULL) {
		names[count++] = json_text(name).ptr;
	}
	if (url == NULL || count == 0) {
		return 0;
	}
	return depth_watch_open(&s->depth, url, names, count, err);
}

static int listen_at(struct serve *s, struct err *err)
{
	struct buf text;
	int result = 0;

	if (httpd_open(&s->httpd, s->setup.loop, s->setup.listen, on_get, s,
		    err) != 0) {
		return -1;
	}
	log_info("serving numbers at port %u", httpd_port(s->httpd));
	if (s->setup.ports_file != NULL) {
		buf_init(&text, 64);
		buf_fmt(&text, "http %u\n", httpd_port(s->httpd));
		result = buf_write_file(&text, s->setup.ports_file, err);
		buf_release(&text);
	}
	return result;
}

static int open_all(struct serve *s, struct err *err)
{
	if (s->setup.counters != NULL) {
		s->counters = sock_datagram_bind(s->setup.counters, err);
		if (s->counters < 0) {
			return -1;
		}
		s->live = live_new();
		s->watch = loop_watch(
			s->setup.loop, s->counters, LOOP_READ, on_datagram, s);
	}
	if (s->setup.listen == NULL && !s->setup.is_watched) {
		return 0;
	}
	if (watch_queues(s, err) != 0) {
		return -1;
	}
	s->history = history_new();
	on_tick(s);
	return s->setup.listen == NULL ? 0 : listen_at(s, err);
}

int serve_open(
	struct serve **out, const struct serve_setup *setup, struct err *err)
{
	struct serve *s = mem_array(1, sizeof(*s));

	s->setup = *setup;
	s->counters = -1;
	s->started_unix_ms = clock_unix_ms();
	if (open_all(s, err) != 0) {
		serve_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

void serve_close(struct serve *s)
{
	if (s == NULL) {
		return;
	}
	httpd_close(s->httpd);
	loop_unwatch(s->watch);
	if (s->counters >= 0) {
		(void)close(s->counters); /* only read from */
	}
	loop_timer_stop(s->setup.loop, &s->tick);
	depth_watch_close(s->depth);
	history_free(s->history);
	live_free(s->live);
	mem_free(s);
}
