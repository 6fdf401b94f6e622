/* Where a program is, and its arguments. */
#include "run/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum { PATH_MOST_BYTES = 4096, ARGS_AT_FIRST = 8 };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* FOLDER/NAME if that can be executed, for the caller to free; else NULL. */
static char *executable_in(const char *folder, size_t len, const char *name)
{
	char *path = NULL;
	struct buf b;

	buf_init(&b, PATH_MOST_BYTES);
	buf_put(&b, folder, len);
	buf_putc(&b, '/');
	buf_text(&b, name);
	if (!buf_is_over(&b) && access(buf_string(&b), X_OK) == 0) {
		path = mem_dup(b.data, b.len);
	}
	buf_release(&b);
	return path;
}

static char *find(const char *name, const char *folder)
{
	const char *dirs = getenv("PATH");
	char *path = executable_in(folder, strlen(folder), name);

	while (path == NULL && dirs != NULL && *dirs != '\0') {
		size_t len = strcspn(dirs, ":");

		if (len > 0) {
			path = executable_in(dirs, len, name);
		}
		dirs += len + (dirs[len] == ':');
	}
	return path;
}

int program_init(struct program *p, struct span name, const struct conf *conf,
	const char *folder, struct err *err)
{
	*p = (struct program){ .name = mem_dup(name.ptr, name.len) };
	p->is_ours = strncmp(base_name(p->name), "push-", 5) == 0;
	p->path = strchr(p->name, '/') != NULL ? conf_file_take(conf, p->name)
					       : find(p->name, folder);
	if (p->path == NULL || access(p->path, X_OK) != 0) {
		return err_usage(err, 0,
			"run.chain: no program '%s' here nor in PATH", p->name);
	}
	return 0;
}

void program_release(struct program *p)
{
	for (size_t n = 0; n < p->argc; n++) {
		mem_free(p->argv[n]);
	}
	mem_free(p->argv);
	mem_free(p->path);
	mem_free(p->name);
	*p = (struct program){ 0 };
}

bool program_is(const struct program *p, const char *name)
{
	return program_has_name(p->name, name);
}

bool program_has_name(const char *path, const char *name)
{
	return strcmp(base_name(path), name) == 0;
}

void program_add(struct program *p, const char *text, size_t len)
{
	if (p->argc + 1 >= p->argv_room) {
		p->argv_room = p->argv_room == 0 ? (size_t)ARGS_AT_FIRST
						 : p->argv_room * 2;
		p->argv = mem_resize(p->argv, p->argv_room, sizeof(*p->argv));
	}
	p->argv[p->argc++] = mem_dup(text, len);
	p->argv[p->argc] = NULL;
}

void program_add_option(
	struct program *p, const char *option, const char *value)
{
	program_add(p, option, strlen(option));
	program_add(p, value, strlen(value));
}

int program_own_folder(char folder[PROGRAM_FOLDER_BYTES], struct err *err)
{
	ssize_t n =
		readlink("/proc/self/exe", folder, PROGRAM_FOLDER_BYTES - 1);
	char *slash;

	if (n <= 0) {
		return err_set(err, errno, "cannot read /proc/self/exe");
	}
	folder[n] = '\0';
	slash = strrchr(folder, '/');
	if (slash != NULL) {
		*slash = '\0';
	}
	return 0;
}
