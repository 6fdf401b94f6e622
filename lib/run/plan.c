/* The chain from its description in push.conf. */
#include "run/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum { PATH_MOST_BYTES = 4096, ARGS_OF_OURS = 5 };

static const char *const whole_chain[] = { "push-pop", "push-auth", "push-risk",
	"push-lookup", "push-dedupe", "push-fatigue", "push-apns", "push-fcm",
	"push-ack", "push-stats" };

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

/* Puts together the arguments: name, ours, those of the configuration. */
static int set_argv(struct plan_program *p, const char *conf_path,
	const struct json *args, struct err *err)
{
	size_t count = json_count(args);
	size_t n = 0;

	if (count > PLAN_ARGS_MAX) {
		return err_usage(err, 0,
			"run.chain: '%s' has more than %d args", p->name,
			PLAN_ARGS_MAX);
	}
	p->argv = mem_array(count + ARGS_OF_OURS + 1, sizeof(*p->argv));
	p->argv[n++] = mem_text(p->name);
	if (p->is_ours) {
		char fd[16];

		if (fmt_into(fd, sizeof(fd), "%d", PLAN_READY_FD) != 0) {
			BUG("a descriptor has too many digits");
		}
		p->argv[n++] = mem_text("--ready-fd");
		p->argv[n++] = mem_text(fd);
		if (conf_path != NULL) {
			p->argv[n++] = mem_text("-c");
			p->argv[n++] = mem_text(conf_path);
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct span arg = json_text(json_at(args, i));

		if (arg.ptr == NULL || memchr(arg.ptr, '\0', arg.len) != NULL) {
			return err_usage(err, 0,
				"run.chain: args of '%s' want to be texts",
				p->name);
		}
		p->argv[n++] = mem_dup(arg.ptr, arg.len);
	}
	return 0;
}

/* What an element of run.chain says: its program and arguments. */
static int read_element(const struct json *element, struct span *name,
	const struct json **args, struct err *err)
{
	struct json_iter it = json_iter(element);
	const struct json *member;

	*args = NULL;
	*name = json_text(element);
	if (json_type(element) == JSON_OBJECT) {
		while ((member = json_next(&it)) != NULL) {
			if (span_is(it.name, "program")) {
				*name = json_text(member);
			} else if (span_is(it.name, "args") &&
				   json_type(member) == JSON_ARRAY) {
				*args = member;
			} else {
				return err_usage(err, 0,
					"run.chain: '%.*s' is not one of "
					"program (text) and args (list)",
					(int)it.name.len, it.name.ptr);
			}
		}
	}
	if (name->len == 0 || memchr(name->ptr, '\0', name->len) != NULL) {
		return err_usage(err, 0,
			"run.chain: an element is neither a program's name nor "
			"an object with one");
	}
	return 0;
}

static int add(struct plan *plan, struct span name, const struct conf *conf,
	const char *folder, struct err *err)
{
	struct plan_program *p = &plan->programs[plan->count];

	if (plan->count == PLAN_PROGRAMS_MAX) {
		return err_usage(err, 0, "run.chain has more than %d programs",
			PLAN_PROGRAMS_MAX);
	}
	plan->count++;
	*p = (struct plan_program){ .name = mem_dup(name.ptr, name.len) };
	p->is_ours = strncmp(base_name(p->name), "push-", 5) == 0;
	p->path = strchr(p->name, '/') != NULL ? conf_file_take(conf, p->name)
					       : find(p->name, folder);
	if (p->path == NULL || access(p->path, X_OK) != 0) {
		return err_usage(err, 0,
			"run.chain: no program '%s' here nor in PATH", p->name);
	}
	return 0;
}

int plan_make(struct plan *out, const struct conf *conf, const char *conf_path,
	const char *folder, struct err *err)
{
	const struct json *chain = conf_at(conf, "run.chain");
	size_t count = chain != NULL
			       ? json_count(chain)
			       : sizeof(whole_chain) / sizeof(*whole_chain);

	*out = (struct plan){ 0 };
	if (count == 0) {
		return err_usage(err, 0, "run.chain is empty");
	}
	for (size_t i = 0; i < count; i++) {
		struct span name = { 0 };
		const struct json *args = NULL;

		if (chain == NULL) {
			name = span_of(whole_chain[i]);
		} else if (read_element(json_at(chain, i), &name, &args, err) !=
			   0) {
			goto fail;
		}
		if (add(out, name, conf, folder, err) != 0 ||
			set_argv(&out->programs[i], conf_path, args, err) !=
				0) {
			goto fail;
		}
	}
	/* Alone it has nobody before it who could go on without it. */
	out->programs[count - 1].is_watch =
		count > 1 && strcmp(base_name(out->programs[count - 1].name),
				     "push-stats") == 0;
	return 0;
fail:
	plan_release(out);
	return -1;
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct plan_program *program = &p->programs[i];

		for (size_t n = 0;
			program->argv != NULL && program->argv[n] != NULL;
			n++) {
			mem_free(program->argv[n]);
		}
		mem_free(program->argv);
		mem_free(program->path);
		mem_free(program->name);
	}
	*p = (struct plan){ 0 };
}

int plan_own_folder(char folder[PLAN_FOLDER_BYTES], struct err *err)
{
	ssize_t n = readlink("/proc/self/exe", folder, PLAN_FOLDER_BYTES - 1);
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
