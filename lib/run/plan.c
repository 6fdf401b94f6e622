/* Chains from their description in push.conf. */
#include "run/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "queue/key.h"

enum { PATH_MOST_BYTES = 4096, ARGS_AT_FIRST = 8 };

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

/* --- arguments --- */

/* Keeps the NULL behind the last one. */
static void add_arg(struct plan_program *p, const char *text, size_t len)
{
	if (p->argc + 1 >= p->argv_room) {
		p->argv_room = p->argv_room == 0 ? (size_t)ARGS_AT_FIRST
						 : p->argv_room * 2;
		p->argv = mem_resize(p->argv, p->argv_room, sizeof(*p->argv));
	}
	p->argv[p->argc++] = mem_dup(text, len);
	p->argv[p->argc] = NULL;
}

static void add_option(
	struct plan_program *p, const char *option, const char *value)
{
	add_arg(p, option, strlen(option));
	add_arg(p, value, strlen(value));
}

/* Name, ours, those of the configuration. */
static int set_argv(struct plan_program *p, const char *conf_path,
	const struct json *args, struct err *err)
{
	size_t count = json_count(args);

	if (count > PLAN_ARGS_MAX) {
		return err_usage(err, 0,
			"run.chain: '%s' has more than %d args", p->name,
			PLAN_ARGS_MAX);
	}
	add_arg(p, p->name, strlen(p->name));
	if (p->is_ours) {
		char fd[16];

		if (fmt_into(fd, sizeof(fd), "%d", PLAN_READY_FD) != 0) {
			BUG("a descriptor has too many digits");
		}
		add_option(p, "--ready-fd", fd);
		if (conf_path != NULL) {
			add_option(p, "-c", conf_path);
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct span arg = json_text(json_at(args, i));

		if (arg.ptr == NULL || memchr(arg.ptr, '\0', arg.len) != NULL) {
			return err_usage(err, 0,
				"run.chain: args of '%s' want to be texts",
				p->name);
		}
		add_arg(p, arg.ptr, arg.len);
	}
	return 0;
}

/* --- one chain --- */

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

static int add(struct plan *plan, struct span name,
	const struct plan_source *source, struct err *err)
{
	struct plan_program *p = &plan->programs[plan->count];

	if (plan->count == PLAN_PROGRAMS_MAX) {
		return err_usage(err, 0, "run.chain has more than %d programs",
			PLAN_PROGRAMS_MAX);
	}
	plan->count++;
	*p = (struct plan_program){ .name = mem_dup(name.ptr, name.len) };
	p->is_ours = strncmp(base_name(p->name), "push-", 5) == 0;
	p->path = strchr(p->name, '/') != NULL
			  ? conf_file_take(source->conf, p->name)
			  : find(p->name, source->folder);
	if (p->path == NULL || access(p->path, X_OK) != 0) {
		return err_usage(err, 0,
			"run.chain: no program '%s' here nor in PATH", p->name);
	}
	return 0;
}

static void release_program(struct plan_program *p)
{
	for (size_t n = 0; n < p->argc; n++) {
		mem_free(p->argv[n]);
	}
	mem_free(p->argv);
	mem_free(p->path);
	mem_free(p->name);
	*p = (struct plan_program){ 0 };
}

static bool is_named(const struct plan_program *p, const char *name)
{
	return strcmp(base_name(p->name), name) == 0;
}

static int plan_make(
	struct plan *out, const struct plan_source *source, struct err *err)
{
	const struct json *chain = conf_at(source->conf, "run.chain");
	size_t count = chain != NULL
			       ? json_count(chain)
			       : sizeof(whole_chain) / sizeof(*whole_chain);

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
			return -1;
		}
		if (add(out, name, source, err) != 0 ||
			set_argv(&out->programs[i], source->conf_path, args,
				err) != 0) {
			return -1;
		}
	}
	/* Alone it has nobody before it who could go on without it. */
	out->programs[count - 1].is_watch =
		count > 1 && is_named(&out->programs[count - 1], "push-stats");
	return 0;
}

static void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		release_program(&p->programs[i]);
	}
	mem_free(p->name);
}

/* --- lanes --- */

/* The lane's worker. */
static int put_worker(struct buf *out, const struct plan *plan,
	const struct plan_source *source, const char *own, struct err *err)
{
	if (own != NULL) {
		buf_text(out, own);
	} else {
		char host[KEY_NAME_MAX_BYTES + 1];

		key_host_worker(host);
		buf_fmt(out, "%s-%s", conf_text(source->conf, "worker", host),
			plan->name);
	}
	return key_is_worker(span_of(buf_string(out)))
		       ? 0
		       : err_usage(err, 0,
				 "run.lanes: '%s' cannot name a worker: 1 to "
				 "%d letters, digits, '.', '_' and '-'",
				 buf_string(out), KEY_NAME_MAX_BYTES);
}

/* What push-pop is told of the lane. */
static int set_lane(struct plan *plan, const struct plan_source *source,
	const struct json *lane, struct err *err)
{
	struct plan_program *pop = &plan->programs[0];
	const struct json *queues = json_get(lane, "queues");
	const char *worker = json_text(json_get(lane, "worker")).ptr;
	int64_t window = conf_int(json_get(lane, "window"), 0);
	struct buf text;
	int failed;

	if (plan->count == 0 || !is_named(pop, "push-pop")) {
		return err_usage(err, 0,
			"run.lanes: run.chain must begin with push-pop");
	}
	for (size_t i = 0; i < json_count(queues); i++) {
		add_option(pop, "--queue", json_text(json_at(queues, i)).ptr);
	}
	buf_init(&text, PATH_MOST_BYTES);
	failed = put_worker(&text, plan, source, worker, err);
	add_option(pop, "--worker", buf_string(&text));
	if (window > 0) {
		buf_reset(&text);
		buf_i64(&text, window);
		add_option(pop, "--window", buf_string(&text));
	}
	buf_release(&text);
	return failed;
}

/* The socket between a lane's last program and the watcher. */
static void add_endpoint(
	struct plan_program *p, const char *option, const char *path)
{
	struct buf text;

	buf_init(&text, PATH_MOST_BYTES);
	buf_fmt(&text, "unix:%s", path);
	add_option(p, option, buf_string(&text));
	buf_release(&text);
}

/* Takes the watcher off the end of a lane's chain. */
static int part_from_watch(
	struct plan *plan, const struct plan_source *source, struct err *err)
{
	struct plan_program *last = &plan->programs[plan->count - 1];

	if (!last->is_watch) {
		return 0;
	}
	release_program(last);
	plan->count--;
	last--;
	if (!last->is_ours) {
		return err_usage(err, 0,
			"run.lanes: '%s' before push-stats cannot write to a "
			"socket",
			last->name);
	}
	add_endpoint(last, "--out", source->records);
	return 0;
}

static int lane_make(struct plan *out, const struct plan_source *source,
	const struct json *lane, struct span name, struct err *err)
{
	out->name = mem_dup(name.ptr, name.len);
	return plan_make(out, source, err) != 0 ||
			       set_lane(out, source, lane, err) != 0 ||
			       part_from_watch(out, source, err) != 0
		       ? -1
		       : 0;
}

/* Leaves the watcher alone in the plan; nothing when the chain has none. */
static int watch_make(
	struct plan *out, const struct plan_source *source, struct err *err)
{
	struct plan_program *last;

	if (plan_make(out, source, err) != 0) {
		return -1;
	}
	last = &out->programs[out->count - 1];
	out->is_watch = last->is_watch;
	for (size_t i = 0; i + 1 < out->count; i++) {
		release_program(&out->programs[i]);
	}
	if (out->count > 1) {
		out->programs[0] = *last;
		*last = (struct plan_program){ 0 };
	}
	out->count = 1;
	out->programs[0].is_watch = false;
	if (out->is_watch) {
		out->name = mem_text("push-stats");
		add_endpoint(&out->programs[0], "--in", source->records);
	}
	return 0;
}

bool plan_wants_sockets(const struct conf *conf)
{
	const struct json *chain = conf_at(conf, "run.chain");
	size_t count = json_count(chain);
	struct span last = { 0 };
	const struct json *args;
	struct err ignored; /* plans_make() will say it */

	if (conf_at(conf, "run.lanes") != NULL) {
		return true;
	}
	if (getenv("PUSH_COUNTERS") != NULL ||
		conf_at(conf, "counters") != NULL) {
		return false;
	}
	if (chain == NULL) {
		return true;
	}
	/* Alone it has nobody before it who could report. */
	return count > 1 &&
	       read_element(json_at(chain, count - 1), &last, &args,
		       &ignored) == 0 &&
	       span_is(span_of(base_name(last.ptr)), "push-stats");
}

static int make_lanes(struct plan *plans, size_t *count,
	const struct plan_source *source, struct err *err)
{
	struct json_iter it = json_iter(conf_at(source->conf, "run.lanes"));
	const struct json *lane;

	if (watch_make(&plans[0], source, err) != 0) {
		*count = 1;
		return -1;
	}
	if (plans[0].is_watch) {
		*count = 1;
	} else {
		plan_release(&plans[0]);
		plans[0] = (struct plan){ 0 };
	}
	while ((lane = json_next(&it)) != NULL) {
		if (*count > PLAN_LANES_MAX) {
			return err_usage(err, 0, "run.lanes has more than %d",
				PLAN_LANES_MAX);
		}
		(*count)++;
		if (lane_make(&plans[*count - 1], source, lane, it.name, err) !=
			0) {
			return -1;
		}
	}
	return 0;
}

int plans_make(struct plan **out, size_t *count,
	const struct plan_source *source, struct err *err)
{
	struct plan *plans = mem_array(PLAN_LANES_MAX + 2, sizeof(*plans));
	int failed;

	*count = 0;
	if (conf_at(source->conf, "run.lanes") == NULL) {
		*count = 1;
		failed = plan_make(&plans[0], source, err);
	} else if (json_count(conf_at(source->conf, "run.lanes")) == 0) {
		failed = err_usage(err, 0, "run.lanes is empty");
	} else {
		failed = make_lanes(plans, count, source, err);
	}
	if (failed != 0) {
		plans_free(plans, *count);
		return -1;
	}
	*out = plans;
	return 0;
}

void plans_free(struct plan *plans, size_t count)
{
	for (size_t i = 0; plans != NULL && i < count; i++) {
		plan_release(&plans[i]);
	}
	mem_free(plans);
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
