/* A temporary folder for one file. */
#include "run/scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { PATH_BYTES = 4096 };

int scratch_make(struct scratch *s, const char *name, struct err *err)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL) {
		tmp = "/tmp";
	}
	buf_init(&s->path, PATH_BYTES);
	buf_fmt(&s->path, "%s/push-run.XXXXXX", tmp);
	(void)buf_string(&s->path);
	if (buf_is_over(&s->path) || mkdtemp(s->path.data) == NULL) {
		int reason = buf_is_over(&s->path) ? ENAMETOOLONG : errno;

		buf_release(&s->path);
		return err_set(
			err, reason, "cannot make a folder in '%s'", tmp);
	}
	buf_fmt(&s->path, "/%s", name);
	return 0;
}

const char *scratch_path(struct scratch *s)
{
	return buf_string(&s->path);
}

void scratch_remove(struct scratch *s)
{
	if (s->path.len > 0) {
		char *path = s->path.data;

		(void)unlink(buf_string(&s->path)); /* or it was never made */
		*strrchr(path, '/') = '\0';
		if (rmdir(path) != 0) {
			log_warn("cannot remove '%s': %s", path,
				strerror(errno));
		}
	}
	buf_release(&s->path);
}
