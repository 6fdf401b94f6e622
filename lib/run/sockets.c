/* A temporary folder for two sockets that others make. */
#include "run/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { PATH_BYTES = 4096 };

static int make_folder(struct buf *folder, struct err *err)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL) {
		tmp = "/tmp";
	}
	buf_init(folder, PATH_BYTES);
	buf_fmt(folder, "%s/push-run.XXXXXX", tmp);
	(void)buf_string(folder);
	if (buf_is_over(folder) || mkdtemp(folder->data) == NULL) {
		int reason = buf_is_over(folder) ? ENAMETOOLONG : errno;

		buf_release(folder);
		return err_set(
			err, reason, "cannot make a folder in '%s'", tmp);
	}
	return 0;
}

static void put_path(struct buf *path, struct sockets *s, const char *name)
{
	buf_init(path, PATH_BYTES + 16);
	buf_fmt(path, "%s/%s", buf_string(&s->folder), name);
	(void)buf_string(path);
}

int sockets_make(struct sockets *s, const struct conf *conf, struct err *err)
{
	struct buf counters;
	int failed = 0;

	if (make_folder(&s->folder, err) != 0) {
		return -1;
	}
	put_path(&s->records, s, "records");
	if (getenv("PUSH_COUNTERS") != NULL ||
		conf_at(conf, "counters") != NULL) {
		return 0;
	}
	put_path(&counters, s, "counters");
	if (setenv("PUSH_COUNTERS", buf_string(&counters), 1) != 0) {
		failed = err_set(err, errno, "cannot set PUSH_COUNTERS");
	}
	buf_release(&counters);
	return failed;
}

void sockets_remove(struct sockets *s)
{
	static const char *const names[] = { "counters", "records" };

	if (s->folder.len > 0) {
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			struct buf path;

			put_path(&path, s, names[i]);
			(void)unlink(buf_string(&path)); /* or never made */
			buf_release(&path);
		}
		if (rmdir(buf_string(&s->folder)) != 0) {
			log_warn("cannot remove '%s': %s",
				buf_string(&s->folder), strerror(errno));
		}
	}
	buf_release(&s->folder);
	buf_release(&s->records);
}
