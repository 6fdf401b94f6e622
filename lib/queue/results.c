/* Appends to the results file and opens it anew. */
#include "queue/results.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"

enum { LINES_MAX_BYTES = 256 * 1024 * 1024 };

struct results {
	char *path; /* owned; NULL: no file */
	int fd;     /* -1: no file */
	struct buf lines;
};

int results_open(struct results **out, const char *path, struct err *err)
{
	struct results *f = mem_array(1, sizeof(*f));

	f->fd = -1;
	f->path = mem_text(path);
	buf_init(&f->lines, LINES_MAX_BYTES);
	if (results_reopen(f, err) != 0) {
		results_close(f);
		return -1;
	}
	*out = f;
	return 0;
}

void results_close(struct results *f)
{
	if (f == NULL) {
		return;
	}
	if (f->fd >= 0) {
		(void)close(f->fd); /* all was written and checked */
	}
	buf_release(&f->lines);
	mem_free(f->path);
	mem_free(f);
}

int results_reopen(struct results *f, struct err *err)
{
	int fd;

	if (f->path == NULL) {
		return 0;
	}
	fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		return err_usage(
			err, errno, "cannot open results file '%s'", f->path);
	}
	if (f->fd >= 0) {
		(void)close(f->fd); /* all was written and checked */
	}
	f->fd = fd;
	return 0;
}

struct buf *results_buf(struct results *f)
{
	return f->path == NULL ? NULL : &f->lines;
}

int results_flush(struct results *f, struct err *err)
{
	while (f->lines.len > 0) {
		ssize_t n = write(f->fd, f->lines.data, f->lines.len);

		if (n < 0 && errno != EINTR) {
			return err_set(err, errno,
				"cannot write results file '%s'", f->path);
		}
		buf_consume(&f->lines, n < 0 ? 0 : (size_t)n);
	}
	return 0;
}
