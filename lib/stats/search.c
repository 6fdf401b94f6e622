/* One block in memory, whatever the file's length. */
#include "stats/search.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { PROGRESS_BYTES = 64 * 1024 * 1024 };

/* --- bytes --- */

static bool holds(struct span line, struct span text)
{
	const char *at = line.ptr;
	const char *end = line.ptr + line.len;

	if (text.len == 0) {
		return true;
	}
	while ((size_t)(end - at) >= text.len) {
		at = memchr(at, text.ptr[0], (size_t)(end - at) - text.len + 1);
		if (at == NULL) {
			return false;
		}
		if (memcmp(at, text.ptr, text.len) == 0) {
			return true;
		}
		at++;
	}
	return false;
}

/* Whether JSON has another way to write a character than \uXXXX. */
static bool has_short_escape(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c == '"' || c == '\\' || c == '/') {
			return true;
		}
	}
	return false;
}

bool search_may_hold(struct span text, struct span line)
{
	return holds(line, text) ||
	       (has_short_escape(text) && holds(line, span_of("\\"))) ||
	       holds(line, span_of("\\u"));
}

/* --- blocks --- */

static bool look(struct search *s, const char *from, const char *to)
{
	const struct span line = { from, (size_t)(to - from) };

	return !search_may_hold(s->text, line) || s->on_line(s->self, line);
}

static void tell(struct search *s, uint64_t *told, uint64_t done, uint64_t all)
{
	if (s->on_progress != NULL && done - *told >= PROGRESS_BYTES) {
		s->on_progress(s->self, done, all);
		*told = done;
	}
}

/* The size of a regular file; 0 for others. */
static int64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

/* What one pass over the input has at hand. */
struct block {
	char *bytes; /* owned */
	size_t len;
	bool is_cut; /* the rest of a line that is too long is skipped */
};

/* Looks at the whole lines and keeps the rest; false ends the search. */
static bool take_lines(struct search *s, struct block *b)
{
	const char *at = b->bytes;
	const char *end = b->bytes + b->len;
	const char *stop;

	while ((stop = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		if (!b->is_cut && !look(s, at, stop)) {
			return false;
		}
		b->is_cut = false;
		at = stop + 1;
	}
	b->len = (size_t)(end - at);
	memmove(b->bytes, at, b->len);
	if (b->len == SEARCH_BLOCK_BYTES) {
		s->skipped += b->is_cut ? 0 : 1;
		b->is_cut = true;
		b->len = 0;
	}
	return true;
}

static int search_forth(struct search *s, int fd, struct err *err)
{
	struct block b = { .bytes = mem_alloc(SEARCH_BLOCK_BYTES) };
	const uint64_t all = (uint64_t)size_of(fd);
	uint64_t done = 0;
	uint64_t told = 0;
	bool goes_on = true;
	ssize_t n = 1;

	while (goes_on && n > 0) {
		n = read(fd, b.bytes + b.len, SEARCH_BLOCK_BYTES - b.len);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n > 0) {
			b.len += (size_t)n;
			done += (uint64_t)n;
			goes_on = take_lines(s, &b);
			tell(s, &told, done, all);
		}
	}
	if (n < 0) {
		(void)err_set(err, errno, "cannot read");
	} else if (goes_on && b.len > 0 && !b.is_cut) {
		(void)look(s, b.bytes, b.bytes + b.len); /* it was the last */
	}
	mem_free(b.bytes);
	return n < 0 ? -1 : 0;
}

/* Fills the block with what is before `end'. */
static int read_before(int fd, int64_t end, struct block *b, struct err *err)
{
	size_t want =
		end < SEARCH_BLOCK_BYTES ? (size_t)end : SEARCH_BLOCK_BYTES;
	int64_t from = end - (int64_t)want;

	b->len = 0;
	while (b->len < want) {
		ssize_t n = pread(fd, b->bytes + b->len, want - b->len,
			from + (int64_t)b->len);

		if (n == 0) {
			return err_set(err, 0, "the file has become shorter");
		}
		if (n < 0 && errno != EINTR) {
			return err_set(err, errno, "cannot read");
		}
		b->len += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The place behind the last newline of the first `len' bytes; 0: none. */
static size_t line_before(const struct block *b, size_t len)
{
	while (len > 0 && b->bytes[len - 1] != '\n') {
		len--;
	}
	return len;
}

static int search_back(struct search *s, int fd, struct err *err)
{
	struct block b = { .bytes = mem_alloc(SEARCH_BLOCK_BYTES) };
	const int64_t all = size_of(fd);
	int64_t end = all;
	uint64_t told = 0;
	bool goes_on = true;
	int result = 0;

	if (lseek(fd, 0, SEEK_CUR) < 0) {
		result = err_usage(
			err, 0, "only a file can be read from its end");
	}
	while (result == 0 && goes_on && end > 0) {
		size_t stop;
		size_t from;

		result = read_before(fd, end, &b, err);
		if (result != 0) {
			break;
		}
		end -= (int64_t)b.len;
		/* The newline at the very end belongs to the line before it. */
		stop = b.len;
		if (b.bytes[b.len - 1] == '\n') {
			stop--;
			b.is_cut = false;
		}
		while (goes_on && (from = line_before(&b, stop)) > 0) {
			goes_on = b.is_cut ||
				  look(s, b.bytes + from, b.bytes + stop);
			b.is_cut = false;
			stop = from - 1;
		}
		if (end == 0) {
			goes_on = goes_on && !b.is_cut &&
				  look(s, b.bytes, b.bytes + stop);
		} else if (stop + 1 < SEARCH_BLOCK_BYTES) {
			end += (int64_t)stop +
			       1; /* begins in the block before */
		} else {
			s->skipped += b.is_cut ? 0 : 1;
			b.is_cut = true;
		}
		tell(s, &told, (uint64_t)(all - end), (uint64_t)all);
	}
	mem_free(b.bytes);
	return result;
}

int search_file(
	struct search *s, const char *path, bool is_back, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (fd < 0) {
		return err_usage(err, errno, "cannot open '%s'", path);
	}
	result = is_back ? search_back(s, fd, err) : search_forth(s, fd, err);
	if (result != 0) {
		(void)err_prefix(err, "'%s'", path);
	}
	if (!is_stdin) {
		(void)close(fd); /* only read from */
	}
	return result;
}
