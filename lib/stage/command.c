/* Looks the command up, and brings it from its options to its exit status. */
#include "stage/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/standard.h"

enum { PROGRESS_MS = 2000 };

/* NULL: `err' tells why. */
static const struct command *find(const struct opt_program *options,
	const char *const *words, struct err *err)
{
	const struct command *c = options->commands;

	if (words[0] == NULL) {
		(void)err_usage(err, 0, "no command given; see %s --help",
			options->name);
		return NULL;
	}
	while (c->name != NULL && strcmp(c->name, words[0]) != 0) {
		c++;
	}
	if (c->name == NULL) {
		(void)err_usage(err, 0, "unknown command '%s'; see %s --help",
			words[0], options->name);
		return NULL;
	}
	if (c->most < COMMAND_OPERANDS_MAX && words[1 + c->most] != NULL) {
		(void)err_usage(
			err, 0, "unexpected argument '%s'", words[1 + c->most]);
		return NULL;
	}
	return c;
}

struct call {
	const struct command_program *program;
};

static int run_command(void *self, char **argv, struct err *err)
{
	const struct command_program *p = ((const struct call *)self)->program;
	const char *words[1 + COMMAND_OPERANDS_MAX];
	const struct command *command;
	struct conf *conf = NULL;
	int result = -1;

	if (opt_parse_words(p->options, argv, words, 1 + COMMAND_OPERANDS_MAX,
		    err) != 0) {
		return -1;
	}
	command = find(p->options, words, err);
	if (command == NULL) {
		return -1;
	}
	if (conf_load(&conf, *p->config, err) == 0 &&
		opt_from_conf(p->options, conf, err) == 0) {
		result = p->open(p->self, conf, command->needs, err);
		if (result == 0) {
			memcpy(p->operands, words + 1,
				COMMAND_OPERANDS_MAX * sizeof(*words));
			result = command->run(p->self, err);
		}
		p->close(p->self);
	}
	conf_free(conf);
	return result;
}

bool command_tells_progress(int64_t *told_mono_ms)
{
	int64_t now_mono_ms = clock_mono_ms();

	if (now_mono_ms - *told_mono_ms < PROGRESS_MS) {
		return false;
	}
	*told_mono_ms = now_mono_ms;
	return true;
}

int command_run(const char *name, const char **config,
	int (*run)(void *self, char **argv, struct err *err), void *self,
	char **argv)
{
	struct err err = { 0 };
	int result;

	standard_keep();
	log_open(name, NULL, LOG_TEXT, LOG_INFO);
	*config = getenv("PUSH_CONFIG");
	result = run(self, argv, &err);
	/* Of what was printed before a failure, too. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fatal(EXIT_TEMP, "cannot write: %s", strerror(errno));
	}
	if (result != 0) {
		fatal(err_status(&err), "%s", err.text);
	}
	return EXIT_OK;
}

int command_main(const struct command_program *p, char **argv)
{
	struct call call = { p };

	return command_run(
		p->options->name, p->config, run_command, &call, argv);
}
