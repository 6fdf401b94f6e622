/* Block reading into one buffer a writer; whole lines out. */
#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "stage/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"

enum {
	READ_BYTES = 128 * 1024, /* what a store is asked about at once */
	PIPE_BYTES =
		256 * 1024,    /* more would exhaust the user's share sooner */
	HEAD_BYTES = 8 * 1024, /* kept of a line that is too long */
};

/* One writer.  data[start, end) is not handed out yet, data[start, scanned) is
 * known to hold no newline. */
struct source {
	struct input *in;
	struct source *next;
	struct loop_fd *watch;
	int fd;
	bool is_ended;
	bool is_skipping; /* inside a line that is too long */
	char *data;       /* owned */
	size_t cap;
	size_t start;
	size_t scanned;
	size_t end;
	size_t head_len;
	size_t skipped_bytes;
	char *head; /* owned; the beginning of the line that is skipped */
	int64_t read_unix_us;
};

struct input {
	struct loop *loop;
	struct source *sources; /* owned, by next */
	struct source *turn;    /* whose lines are handed out now */
	struct loop_fd *listener;
	int listen_fd; /* -1: standard input */
	char *path;    /* owned; of the listening socket */
	size_t line_max_bytes;
	bool is_lent; /* lines that were handed out are in use */
	bool is_wanted;
	bool is_stopped;
	bool has_failed;
};

static void on_readable(void *self, int fd, unsigned ready);

static struct source *add_source(struct input *in, int fd)
{
	struct source *s = mem_array(1, sizeof(*s));

	s->in = in;
	s->fd = fd;
	s->next = in->sources;
	in->sources = s;
	s->watch = loop_watch(
		in->loop, fd, in->is_wanted ? LOOP_READ : 0, on_readable, s);
	return s;
}

static void end_source(struct source *s)
{
	loop_unwatch(s->watch);
	s->watch = NULL;
	s->is_ended = true;
	if (s->fd != STDIN_FILENO) {
		(void)close(s->fd); /* only read from */
	}
	s->fd = -1;
}

/* Room for a block behind `end'; moves the rest of the last one down first. */
static void make_room(struct source *s)
{
	if (s->start > 0) {
		memmove(s->data, s->data + s->start, s->end - s->start);
		s->end -= s->start;
		s->scanned -= s->start;
		s->start = 0;
	}
	if (s->cap - s->end < READ_BYTES) {
		s->cap = s->end + READ_BYTES;
		s->data = mem_resize(s->data, s->cap, 1);
	}
}

static void on_readable(void *self, int fd, unsigned ready)
{
	struct source *s = self;
	ssize_t n;

	(void)ready;
	if (s->in->is_lent) {
		BUG("reading over lines that are lent");
	}
	make_room(s);
	n = read(fd, s->data + s->end, s->cap - s->end);
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		return;
	}
	if (n < 0) {
		/* Writers at a socket come and go; standard input is one. */
		s->in->has_failed = s->in->listen_fd < 0;
		log_warn("cannot read the input: %s", strerror(errno));
	}
	if (n <= 0) {
		end_source(s);
		return;
	}
	s->end += (size_t)n;
	s->read_unix_us = clock_unix_us();
}

static void on_connection(void *self, int fd, unsigned ready)
{
	struct input *in = self;
	int connection = sock_accept(fd);

	(void)ready;
	if (connection >= 0) {
		(void)add_source(in, connection);
	}
}

int input_open(struct input **out, struct loop *loop, const char *endpoint,
	size_t line_max_bytes, struct err *err)
{
	struct input *in = mem_array(1, sizeof(*in));
	struct stat st;

	in->loop = loop;
	in->listen_fd = -1;
	in->line_max_bytes = line_max_bytes;
	in->is_wanted = true;
	*out = in;
	if (strcmp(endpoint, "-") == 0) {
		if (fstat(STDIN_FILENO, &st) != 0) {
			return err_usage(err, errno, "no standard input");
		}
		if (S_ISDIR(st.st_mode)) {
			return err_usage(err, EISDIR, "standard input");
		}
		if (S_ISFIFO(st.st_mode)) {
			/* A bigger pipe is a favour, not a need. */
			(void)fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
		}
		(void)add_source(in, STDIN_FILENO);
		return 0;
	}
	if (strncmp(endpoint, "unix:", 5) != 0) {
		return err_usage(err, 0, "--in wants - or unix:PATH, not '%s'",
			endpoint);
	}
	in->listen_fd = sock_listen(endpoint + 5, err);
	if (in->listen_fd < 0) {
		return -1;
	}
	in->path = mem_text(endpoint + 5);
	in->listener =
		loop_watch(loop, in->listen_fd, LOOP_READ, on_connection, in);
	return 0;
}

static void free_source(struct source *s)
{
	if (!s->is_ended) {
		end_source(s);
	}
	mem_free(s->data);
	mem_free(s->head);
	mem_free(s);
}

void input_close(struct input *in)
{
	if (in == NULL) {
		return;
	}
	while (in->sources != NULL) {
		struct source *s = in->sources;

		in->sources = s->next;
		free_source(s);
	}
	loop_unwatch(in->listener);
	if (in->listen_fd >= 0) {
		(void)close(in->listen_fd); /* only listened */
		(void)unlink(in->path);     /* a stale one would be replaced */
	}
	mem_free(in->path);
	mem_free(in);
}

/* --- lines --- */

/* What was read so far of a line that is too long: keep its head, drop it. */
static void skip_read(struct source *s)
{
	size_t len = s->end - s->start;

	if (!s->is_skipping) {
		s->is_skipping = true;
		s->head = mem_resize(s->head, HEAD_BYTES, 1);
		s->head_len = len < HEAD_BYTES ? len : (size_t)HEAD_BYTES;
		memcpy(s->head, s->data + s->start, s->head_len);
	}
	s->skipped_bytes += len;
	s->start = s->scanned = s->end = 0;
}

/* The line from `start' to `stop' is whole. */
static void hand_out(struct source *s, size_t stop, struct input_line *line)
{
	line->text = (struct span){ s->data + s->start, stop - s->start };
	line->total_bytes = line->text.len;
	line->read_unix_us = s->read_unix_us;
	if (s->is_skipping) {
		line->total_bytes = s->skipped_bytes + line->text.len;
		line->text = (struct span){ s->head, s->head_len };
		s->is_skipping = false;
		s->skipped_bytes = 0;
	} else if (line->text.len > s->in->line_max_bytes) {
		line->text.len = HEAD_BYTES;
	}
}

static bool next_of(struct source *s, struct input_line *line)
{
	const char *newline;

	newline = s->end > s->scanned ? memchr(s->data + s->scanned, '\n',
						s->end - s->scanned)
				      : NULL;
	if (newline != NULL) {
		size_t stop = (size_t)(newline - s->data);

		hand_out(s, stop, line);
		s->start = s->scanned = stop + 1;
		return true;
	}
	s->scanned = s->end;
	if (s->end - s->start > s->in->line_max_bytes || s->is_skipping) {
		skip_read(s);
	}
	if (s->is_ended && (s->end > s->start || s->is_skipping)) {
		hand_out(s, s->end,
			line); /* the last line, without its newline */
		s->start = s->scanned = s->end;
		return true;
	}
	return false;
}

/* Nothing, or only blanks; so is the end of a line from elsewhere ("\r"). */
static bool is_empty(struct span line)
{
	size_t i = 0;

	while (i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t' ||
				       line.ptr[i] == '\r')) {
		i++;
	}
	return i == line.len;
}

/* Takes out the sources that have ended and were read to the end. */
static void drop_ended(struct input *in)
{
	struct source **at = &in->sources;

	while (*at != NULL) {
		struct source *s = *at;

		if (s->is_ended && s->start == s->end && !s->is_skipping) {
			*at = s->next;
			in->turn = in->turn == s ? s->next : in->turn;
			free_source(s);
		} else {
			at = &s->next;
		}
	}
}

bool input_next(struct input *in, struct input_line *line)
{
	if (in->turn == NULL) {
		in->turn = in->sources;
	}
	while (in->turn != NULL) {
		/* An empty line is no record and no mistake. */
		while (next_of(in->turn, line)) {
			if (line->total_bytes > line->text.len ||
				!is_empty(line->text)) {
				in->is_lent = true;
				return true;
			}
		}
		in->turn = in->turn->next;
	}
	if (!in->is_lent) {
		drop_ended(in);
	}
	return false;
}

bool input_has_failed(const struct input *in)
{
	return in->has_failed;
}

void input_release(struct input *in)
{
	in->is_lent = false;
	drop_ended(in);
}

void input_read(struct input *in, bool is_wanted)
{
	if (in->is_wanted == is_wanted || in->is_stopped) {
		return;
	}
	in->is_wanted = is_wanted;
	for (struct source *s = in->sources; s != NULL; s = s->next) {
		if (s->watch != NULL) {
			loop_events(s->watch, is_wanted ? LOOP_READ : 0);
		}
	}
}

void input_stop(struct input *in)
{
	in->is_stopped = true;
	loop_unwatch(in->listener);
	in->listener = NULL;
	for (struct source *s = in->sources; s != NULL; s = s->next) {
		if (s->is_ended) {
			continue;
		}
		end_source(s);
		/* What is not whole stays with its writer: it is not ours. */
		while (s->end > s->start && s->data[s->end - 1] != '\n') {
			s->end--;
		}
		s->scanned = s->start;
		s->is_skipping = false;
	}
}

bool input_is_done(const struct input *in)
{
	return in->sources == NULL && (in->listen_fd < 0 || in->is_stopped);
}
