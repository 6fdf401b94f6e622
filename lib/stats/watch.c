/* One table a second. */
#include "stats/watch.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/http.h"

enum {
	TEXT_MAX_BYTES = 4 * 1024 * 1024,
	TICK_US = 1000 * 1000,
	TIMEOUT_MS = 5000,
	PATH_BYTES = 1024,
};

int watch_print(
	const struct buf *stats, const struct buf *history, struct err *err)
{
	struct json_doc *s =
		json_parse(stats->data, stats->len, JSON_STRICT, err);
	struct json_doc *h =
		json_parse(history->data, history->len, JSON_STRICT, err);
	int result = -1;
	struct buf out;

	buf_init(&out, TEXT_MAX_BYTES);
	if (s != NULL && h != NULL) {
		if (isatty(STDOUT_FILENO)) {
			/* ECMA-48: cursor home, erase to the end. */
			buf_text(&out, "\033[H\033[J");
		}
		watch_table(json_root(s), json_root(h), &out);
		result = buf_write_fd(&out, STDOUT_FILENO, err);
	}
	buf_release(&out);
	json_free(s);
	json_free(h);
	return result;
}

/* --- another process --- */

struct watch {
	struct loop *loop;
	struct loop_timer tick;
	struct http *http; /* owned */
	const char *url;
	struct http_call *call; /* under way; NULL: none */
	bool has_stats;         /* and now the history is asked for */
	struct buf stats;
};

static void ask(struct watch *w, const char *path, http_done_cb *on_done);

static void fail(struct watch *w, const char *why)
{
	log_warn("no numbers from '%s': %s", w->url, why);
	w->has_stats = false;
}

static void on_answer(void *self, const struct http_answer *a)
{
	struct watch *w = self;
	struct err err = { 0 };
	struct buf history;

	w->call = NULL;
	if (a->status != 200) {
		fail(w, a->status == 0 ? a->error : "it answers with an error");
		return;
	}
	if (!w->has_stats) {
		buf_reset(&w->stats);
		buf_put(&w->stats, a->body.ptr, a->body.len);
		w->has_stats = true;
		ask(w, "/api/history", on_answer);
		return;
	}
	w->has_stats = false;
	buf_init(&history, TEXT_MAX_BYTES);
	buf_put(&history, a->body.ptr, a->body.len);
	if (watch_print(&w->stats, &history, &err) != 0) {
		fail(w, err.text);
	}
	buf_release(&history);
}

static void ask(struct watch *w, const char *path, http_done_cb *on_done)
{
	char url[PATH_BYTES];
	struct http_ask what = { .url = url,
		.timeout_ms = TIMEOUT_MS,
		.answer_max_bytes = TEXT_MAX_BYTES };

	if (fmt_into(url, sizeof(url), "%s%s", w->url, path) != 0) {
		fail(w, "the address is too long");
		return;
	}
	w->call = http_get(w->http, &what, on_done, w);
}

static void on_tick(void *self)
{
	struct watch *w = self;

	loop_timer_set(w->loop, &w->tick, TICK_US, on_tick, w);
	if (w->call == NULL) {
		ask(w, "/api/stats", on_answer);
	}
}

struct watch *watch_open(struct loop *loop, const char *url)
{
	struct watch *w = mem_array(1, sizeof(*w));

	w->loop = loop;
	w->url = url;
	w->http = http_new(loop);
	buf_init(&w->stats, TEXT_MAX_BYTES);
	on_tick(w);
	return w;
}

void watch_close(struct watch *w)
{
	if (w == NULL) {
		return;
	}
	loop_timer_stop(w->loop, &w->tick);
	http_free(w->http);
	buf_release(&w->stats);
	mem_free(w);
}
