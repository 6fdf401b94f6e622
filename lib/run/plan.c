/* One chain from run.chain, with the arguments that every program gets. */
#include "run/plan.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"

static const char *const whole_chain[] = { "push-pop", "push-auth", "push-risk",
	"push-lookup", "push-dedupe", "push-fatigue", "push-apns", "push-fcm",
	"push-ack", "push-stats" };

/* Name, ours, those of the configuration. */
static int set_argv(struct program *p, const char *conf_path,
	const struct json *args, struct err *err)
{
	size_t count = json_count(args);

	if (count > PROGRAM_ARGS_MAX) {
		return err_usage(err, 0,
			"run.chain: '%s' has more than %d args", p->name,
			PROGRAM_ARGS_MAX);
	}
	program_add(p, p->name, strlen(p->name));
	if (p->is_ours) {
		char fd[16];

		if (fmt_into(fd, sizeof(fd), "%d", PROGRAM_READY_FD) != 0) {
			BUG("a descriptor has too many digits");
		}
		program_add_option(p, "--ready-fd", fd);
		if (conf_path != NULL) {
			program_add_option(p, "-c", conf_path);
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct span arg = json_text(json_at(args, i));

		if (arg.ptr == NULL || memchr(arg.ptr, '\0', arg.len) != NULL) {
			return err_usage(err, 0,
				"run.chain: args of '%s' want to be texts",
				p->name);
		}
		program_add(p, arg.ptr, arg.len);
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

/* The name in traces of a program of ours. */
static const char *node_of(const struct program *p)
{
	static const char option[] = "--node";
	const char *node = strrchr(p->name, '/');

	node = (node == NULL ? p->name : node + 1) + strlen("push-");
	for (size_t i = 1; i < p->argc; i++) {
		const char *arg = p->argv[i];

		if (strncmp(arg, option, strlen(option)) != 0) {
			continue;
		}
		arg += strlen(option);
		if (*arg == '=') {
			node = arg + 1;
		} else if (*arg == '\0' && i + 1 < p->argc) {
			node = p->argv[i + 1];
		}
	}
	return node;
}

/* A record has one stamp of each node. */
static int check_nodes(const struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct program *p = &plan->programs[i];

		for (size_t k = 0; p->is_ours && k < i; k++) {
			const struct program *q = &plan->programs[k];

			if (q->is_ours && strcmp(node_of(p), node_of(q)) == 0) {
				return err_usage(err, 0,
					"run.chain: two programs are the node "
					"'%s': give one a --node of its own",
					node_of(p));
			}
		}
	}
	return 0;
}

static int add(struct plan *plan, struct span name,
	const struct plan_source *source, struct err *err)
{
	if (plan->count == PLAN_PROGRAMS_MAX) {
		return err_usage(err, 0, "run.chain has more than %d programs",
			PLAN_PROGRAMS_MAX);
	}
	plan->count++;
	return program_init(&plan->programs[plan->count - 1], name,
		source->conf, source->folder, err);
}

int plan_make(
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
		count > 1 &&
		program_is(&out->programs[count - 1], "push-stats");
	return check_nodes(out, err);
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		program_release(&p->programs[i]);
	}
	mem_free(p->name);
}

bool plan_ends_in_watch(const struct conf *conf)
{
	const struct json *chain = conf_at(conf, "run.chain");
	size_t count = json_count(chain);
	struct span last = { 0 };
	const struct json *args;
	struct err ignored; /* plan_make() will say it */

	if (chain == NULL) {
		return true;
	}
	/* Alone it has nobody before it who could report. */
	return count > 1 &&
	       read_element(json_at(chain, count - 1), &last, &args,
		       &ignored) == 0 &&
	       program_has_name(last.ptr, "push-stats");
}
