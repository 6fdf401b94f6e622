/*
 * libcurl's multi interface on our loop: it says which descriptors and which
 * time it waits for, we say when they are due, and pass on which transfers
 * ended.  What is transferred is the caller's business.
 */
#include "net/multi.h"

#include <curl/curl.h>

#include "base/mem.h"

struct multi {
	CURLM *curl; /* owned */
	struct loop *loop;
	struct loop_timer timer;
	multi_done_cb *on_done;
	bool is_telling; /* inside on_done: freeing waits */
	bool is_doomed;  /* multi_free() was called meanwhile */
};

static void multi_destroy(struct multi *m)
{
	loop_timer_stop(m->loop, &m->timer);
	(void)curl_multi_cleanup(m->curl); /* nothing to be done about it */
	curl_global_cleanup();
	mem_free(m);
}

/* Passes on what ended.  May free `m'. */
static void multi_tell(struct multi *m)
{
	CURLMsg *msg;
	int left;

	if (m->is_telling) {
		return; /* the one that is at it goes on until nothing is left */
	}
	m->is_telling = true;
	while (!m->is_doomed &&
		(msg = curl_multi_info_read(m->curl, &left)) != NULL) {
		void *self = NULL;

		if (msg->msg != CURLMSG_DONE) {
			continue;
		}
		if (curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
			    (char **)&self) != CURLE_OK) {
			BUG("a transfer without its owner");
		}
		m->on_done(self, msg->easy_handle, (int)msg->data.result);
	}
	m->is_telling = false;
	if (m->is_doomed) {
		multi_destroy(m);
	}
}

static void multi_act(struct multi *m, curl_socket_t fd, int events)
{
	int running;

	/* What goes wrong with one transfer is told as its result. */
	(void)curl_multi_socket_action(m->curl, fd, events, &running);
	multi_tell(m);
}

static void multi_on_ready(void *self, int fd, unsigned ready)
{
	int events = ((ready & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
		     ((ready & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

	multi_act(self, fd, events);
}

static void multi_on_due(void *self)
{
	multi_act(self, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl: watch this descriptor, or no more. */
static int multi_on_socket(
	CURL *easy, curl_socket_t fd, int what, void *self, void *watch)
{
	struct multi *m = self;
	unsigned events = ((what & CURL_POLL_IN) != 0 ? LOOP_READ : 0U) |
			  ((what & CURL_POLL_OUT) != 0 ? LOOP_WRITE : 0U);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		loop_unwatch(watch);
		watch = NULL;
	} else if (watch == NULL) {
		watch = loop_watch(m->loop, fd, events, multi_on_ready, m);
	} else {
		loop_events(watch, events);
	}
	(void)curl_multi_assign(m->curl, fd, watch); /* fails when removed */
	return 0;
}

static int multi_on_timer(CURLM *curl, long timeout_ms, void *self)
{
	struct multi *m = self;

	(void)curl;
	if (timeout_ms < 0) {
		loop_timer_stop(m->loop, &m->timer);
	} else {
		loop_timer_set(m->loop, &m->timer, (int64_t)timeout_ms * 1000,
			multi_on_due, m);
	}
	return 0;
}

struct multi *multi_new(struct loop *l, multi_done_cb *on_done)
{
	struct multi *m = mem_array(1, sizeof(*m));

	m->loop = l;
	m->on_done = on_done;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		BUG("libcurl does not start");
	}
	m->curl = curl_multi_init();
	if (m->curl == NULL ||
		curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION,
			multi_on_socket) != CURLM_OK ||
		curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m) !=
			CURLM_OK ||
		curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION,
			multi_on_timer) != CURLM_OK ||
		curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m) != CURLM_OK) {
		BUG("libcurl has no multi interface");
	}
	return m;
}

void multi_free(struct multi *m)
{
	if (m == NULL) {
		return;
	}
	if (m->is_telling) {
		m->is_doomed = true;
		return;
	}
	multi_destroy(m);
}

void multi_add(struct multi *m, void *easy, void *self)
{
	if (curl_easy_setopt(easy, CURLOPT_PRIVATE, self) != CURLE_OK ||
		curl_multi_add_handle(m->curl, easy) != CURLM_OK) {
		BUG("a transfer that cannot be added");
	}
}

void multi_remove(struct multi *m, void *easy)
{
	(void)curl_multi_remove_handle(m->curl, easy); /* not in it: nothing */
}
