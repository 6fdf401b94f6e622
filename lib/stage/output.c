/* Whole lines to a pipe, a file or a Unix socket, without blocking the loop. */
#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "stage/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"

enum {
	PIPE_BYTES = 256 * 1024,
	LOSSY_BYTES = 256 * 1024, /* a lossy output keeps this much */
	CONNECT_FIRST_MS = 50,
	CONNECT_MOST_MS = 5000,
};

enum how { HOW_WRITE, HOW_WRITE_SOME, HOW_SEND };

struct output {
	struct loop *loop;
	struct loop_fd *watch;
	struct loop_timer reconnect;
	char *path; /* owned; NULL: standard output */
	int fd;     /* -1: not connected, or closed for good */
	enum how how;
	bool owns_fd;
	bool is_lossy;
	struct buf buf; /* lines; the first `sent' bytes are written */
	size_t sent;
	size_t marked; /* up to here output_added() has counted */
	uint64_t dropped;
	int64_t backoff_ms;
	struct err failure;
	bool has_failed;
};

/*
 * Standard output is shared with the shell and our neighbours, so its flags are
 * not ours to change.  A pipe can be opened once more by its name, which gives
 * a description of our own that may be non-blocking.
 */
static void choose_how(struct output *o)
{
	struct stat st;
	int own;

	o->fd = STDOUT_FILENO;
	o->how = HOW_WRITE;
	if (fstat(STDOUT_FILENO, &st) != 0) {
		return;
	}
	if (S_ISSOCK(st.st_mode)) {
		o->how = HOW_SEND;
	} else if (S_ISFIFO(st.st_mode)) {
		/* A bigger pipe is a favour, not a need. */
		(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
		own = open(
			"/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (own >= 0) {
			/* Only ours may hold the pipe open now. */
			o->fd = own;
			o->owns_fd = true;
		} else {
			o->how = HOW_WRITE_SOME;
		}
	}
}

static void on_writable(void *self, int fd, unsigned ready)
{
	struct output *o = self;

	(void)fd;
	(void)ready;
	if (!o->has_failed && output_flush(o, &o->failure) != 0) {
		o->has_failed = true;
	}
}

static void on_reconnect(void *self);

static void try_connect(struct output *o)
{
	struct err err = { 0 };

	o->fd = sock_connect(o->path, &err);
	if (o->fd < 0) {
		log_warn("%s; trying again in %lld ms", err.text,
			(long long)o->backoff_ms);
		loop_timer_set(o->loop, &o->reconnect, o->backoff_ms * 1000,
			on_reconnect, o);
		o->backoff_ms = o->backoff_ms * 2 < CONNECT_MOST_MS
					? o->backoff_ms * 2
					: (int64_t)CONNECT_MOST_MS;
		return;
	}
	o->backoff_ms = CONNECT_FIRST_MS;
	o->owns_fd = true;
	o->watch = loop_watch(o->loop, o->fd, 0, on_writable, o);
}

static void on_reconnect(void *self)
{
	struct output *o = self;

	try_connect(o);
	if (o->fd >= 0) {
		on_writable(o, o->fd, LOOP_WRITE);
	}
}

int output_open(struct output **out, struct loop *loop, const char *endpoint,
	bool is_lossy, struct err *err)
{
	struct output *o = mem_array(1, sizeof(*o));

	o->loop = loop;
	o->fd = -1;
	o->is_lossy = is_lossy;
	o->backoff_ms = CONNECT_FIRST_MS;
	buf_init(&o->buf, SIZE_MAX);
	*out = o;
	if (strcmp(endpoint, "-") == 0) {
		choose_how(o);
		o->watch = loop_watch(loop, o->fd, 0, on_writable, o);
		return 0;
	}
	if (strncmp(endpoint, "unix:", 5) != 0) {
		return err_usage(err, 0, "--out wants - or unix:PATH, not '%s'",
			endpoint);
	}
	o->path = mem_text(endpoint + 5);
	o->how = HOW_SEND;
	try_connect(o);
	return 0;
}

static void let_go(struct output *o)
{
	loop_unwatch(o->watch);
	o->watch = NULL;
	if (o->owns_fd && o->fd >= 0) {
		(void)close(o->fd); /* what mattered was told by write() */
	}
	o->fd = -1;
}

void output_close(struct output *o)
{
	if (o == NULL) {
		return;
	}
	let_go(o);
	loop_timer_stop(o->loop, &o->reconnect);
	buf_release(&o->buf);
	mem_free(o->path);
	mem_free(o);
}

struct buf *output_buf(struct output *o)
{
	return &o->buf;
}

bool output_is_socket(const struct output *o)
{
	return o->path != NULL;
}

void output_added(struct output *o, size_t lines)
{
	bool is_closed = o->fd < 0 && o->path == NULL;

	if (o->is_lossy && (is_closed || o->buf.len - o->sent > LOSSY_BYTES)) {
		buf_cut(&o->buf, o->marked);
		o->dropped += lines;
	}
	o->marked = o->buf.len;
}

/* After a lost connection: from the start of the line that was not whole. */
static void rewind_to_line(struct output *o)
{
	while (o->sent > 0 && o->buf.data[o->sent - 1] != '\n') {
		o->sent--;
	}
}

static ssize_t write_some(const struct output *o)
{
	const char *at = o->buf.data + o->sent;
	size_t len = o->buf.len - o->sent;

	if (o->how == HOW_SEND) {
		return send(o->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (o->how == HOW_WRITE_SOME && len > PIPE_BUF) {
		len = PIPE_BUF; /* poll promises room for this much */
	}
	return write(o->fd, at, len);
}

/* The reader went away. */
static int lose_reader(struct output *o, int why, struct err *err)
{
	let_go(o);
	if (o->path != NULL) {
		rewind_to_line(o);
		try_connect(o);
		return 0;
	}
	if (o->is_lossy) {
		buf_reset(&o->buf);
		o->sent = o->marked = 0;
		log_warn("the reader is gone; going on without it");
		return 0;
	}
	return err_set(err, why, "cannot write the output");
}

int output_flush(struct output *o, struct err *err)
{
	if (o->has_failed) {
		return err_copy(err, &o->failure);
	}
	while (o->fd >= 0 && o->sent < o->buf.len) {
		ssize_t n = write_some(o);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno == EAGAIN) {
			break;
		}
		if (n < 0) {
			return lose_reader(o, errno, err);
		}
		o->sent += (size_t)n;
		if (o->how == HOW_WRITE_SOME) {
			break;
		}
	}
	if (o->sent == o->buf.len) {
		buf_reset(&o->buf);
		o->sent = o->marked = 0;
	}
	if (o->watch != NULL) {
		loop_events(o->watch, o->buf.len > 0 ? LOOP_WRITE : 0);
	}
	return 0;
}

size_t output_pending(const struct output *o)
{
	return o->buf.len - o->sent;
}

uint64_t output_dropped(const struct output *o)
{
	return o->dropped;
}
