/* Command lines and push.conf into the targets of an option table. */
#include "stage/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "stage/command.h"

enum { HELP_COLUMN = 26 };

/* --- help --- */

static void print_row(const struct opt *o)
{
	char left[80];

	if (fmt_into(left, sizeof(left), "  %c%c%s--%s%s%s",
		    o->letter != 0 ? '-' : ' ',
		    o->letter != 0 ? o->letter : ' ',
		    o->letter != 0 ? ", " : "  ", o->name,
		    o->operand != NULL ? " " : "",
		    o->operand != NULL ? o->operand : "") != 0) {
		BUG("no room for option '%s'", o->name);
	}
	if (strlen(left) >= HELP_COLUMN) {
		(void)printf("%s\n%*s  %s\n", left, HELP_COLUMN, "", o->help);
		return;
	}
	(void)printf("%-*s  %s\n", HELP_COLUMN, left, o->help);
}

static void print_rows(const char *title, const struct opt *rows)
{
	if (rows == NULL || rows->type == OPT_TYPE_END) {
		return;
	}
	(void)printf("\n%s:\n", title);
	for (; rows->type != OPT_TYPE_END; rows++) {
		print_row(rows);
	}
}

static void print_usage(const struct opt_program *p)
{
	const struct command *c = p->commands;

	(void)printf("usage: %s [options]%s%s", p->name,
		p->operands != NULL ? " " : "",
		p->operands != NULL ? p->operands : "");
	for (; c != NULL && c->name != NULL; c++) {
		(void)printf("%s%s%s%s", c == p->commands ? " " : "|", c->name,
			c->operands != NULL ? " " : "",
			c->operands != NULL ? c->operands : "");
	}
	(void)printf("\n");
}

static void print_commands(const struct command *c)
{
	char left[80];

	if (c != NULL) {
		(void)printf("\nCommands:\n");
	}
	for (; c != NULL && c->name != NULL; c++) {
		if (fmt_into(left, sizeof(left), "  %s%s%s", c->name,
			    c->operands != NULL ? " " : "",
			    c->operands != NULL ? c->operands : "") != 0) {
			BUG("no room for command '%s'", c->name);
		}
		(void)printf("%-*s  %s\n", HELP_COLUMN, left, c->help);
	}
}

static _Noreturn void print_help(const struct opt_program *p)
{
	(void)printf("%s - %s\n\n", p->name, p->summary);
	print_usage(p);
	print_commands(p->commands);
	print_rows("Options", p->own);
	print_rows("Common options", p->common);
	(void)printf(
		"\n  -h, --help                print this and exit\n"
		"  -V, --version             print the version and exit\n\n"
		"See %s(1).\n",
		p->name);
	exit(fflush(stdout) == 0 ? EXIT_OK : EXIT_TEMP);
}

/* --- values --- */

/* What a value of this type looks like, for messages. */
static const char *wanted(enum opt_type type)
{
	switch (type) {
	case OPT_TYPE_INT:
		return "a whole number";
	case OPT_TYPE_BYTES:
		return "a size such as 64K";
	case OPT_TYPE_DURATION:
		return "a duration such as 30s";
	case OPT_TYPE_END:
	case OPT_TYPE_TEXT:
	case OPT_TYPE_FILE:
	case OPT_TYPE_FLAG:
	case OPT_TYPE_LIST:
		break;
	}
	return "a text";
}

static int set_value(const struct opt *o, const char *text, struct err *err)
{
	struct opt_list *list = o->target;
	int result = 0;

	switch (o->type) {
	case OPT_TYPE_TEXT:
	case OPT_TYPE_FILE:
		*(const char **)o->target = text;
		break;
	case OPT_TYPE_INT:
		result = num_parse(text, o->min, o->max, o->target);
		if (result != 0) {
			return err_usage(err, 0,
				"--%s wants a whole number from %lld to %lld, not '%s'",
				o->name, (long long)o->min, (long long)o->max,
				text);
		}
		break;
	case OPT_TYPE_BYTES:
		result = num_parse_bytes(text, o->target);
		break;
	case OPT_TYPE_DURATION:
		result = num_parse_duration(text, o->target);
		break;
	case OPT_TYPE_LIST:
		if (list->count == OPT_LIST_MAX) {
			return err_usage(err, 0, "more than %d times --%s",
				OPT_LIST_MAX, o->name);
		}
		list->items[list->count++] = text;
		break;
	case OPT_TYPE_FLAG:
		*(bool *)o->target = true;
		break;
	case OPT_TYPE_END:
		BUG("a value for the end of the table");
	}
	return result == 0 ? 0
			   : err_usage(err, 0, "--%s wants %s, not '%s'",
				     o->name, wanted(o->type), text);
}

static bool is_seen(const struct opt_seen *seen, const void *target)
{
	for (size_t i = 0; seen != NULL && i < seen->count; i++) {
		if (seen->targets[i] == target) {
			return true;
		}
	}
	return false;
}

static void mark_seen(struct opt_seen *seen, const void *target)
{
	if (seen != NULL && !is_seen(seen, target)) {
		if (seen->count == OPT_SEEN_MAX) {
			BUG("more than %d options", OPT_SEEN_MAX);
		}
		seen->targets[seen->count++] = target;
	}
}

/* --- the command line --- */

static const struct opt *find(
	const struct opt *rows, const char *name, size_t len, char letter)
{
	for (; rows != NULL && rows->type != OPT_TYPE_END; rows++) {
		if (letter != 0 ? rows->letter == letter
				: strlen(rows->name) == len &&
					  strncmp(rows->name, name, len) == 0) {
			return rows;
		}
	}
	return NULL;
}

/* One option at argv[*at]; moves *at behind it. */
static int parse_one(const struct opt_program *p, char **argv, int argc,
	int *at, struct err *err)
{
	const char *arg = argv[*at];
	bool is_long = arg[1] == '-';
	const char *name = arg + (is_long ? 2 : 1);
	size_t len = is_long ? strcspn(name, "=") : 1;
	const char *value = is_long && name[len] == '=' ? name + len + 1 : NULL;
	char letter = (char)(is_long ? 0 : name[0]);
	const struct opt *o = find(p->own, name, len, letter);

	if ((is_long && strcmp(name, "help") == 0) || strcmp(arg, "-h") == 0) {
		print_help(p);
	}
	if ((is_long && strcmp(name, "version") == 0) ||
		strcmp(arg, "-V") == 0) {
		(void)printf("%s %s\n", p->name, PUSH_VERSION);
		exit(fflush(stdout) == 0 ? EXIT_OK : EXIT_TEMP);
	}
	if (o == NULL) {
		o = find(p->common, name, len, letter);
	}
	if (o == NULL ||
		(!is_long && name[1] != '\0' && o->type == OPT_TYPE_FLAG)) {
		return err_usage(err, 0, "unknown option '%s'; see %s --help",
			arg, p->name);
	}
	(*at)++;
	if (o->type == OPT_TYPE_FLAG) {
		if (value != NULL) {
			return err_usage(
				err, 0, "--%s takes no value", o->name);
		}
	} else if (!is_long && name[1] != '\0') {
		value = name + 1;
	} else if (value == NULL) {
		if (*at >= argc) {
			return err_usage(err, 0, "--%s wants %s", o->name,
				wanted(o->type));
		}
		value = argv[(*at)++];
	}
	if (o->type != OPT_TYPE_LIST || !is_seen(p->seen, o->target)) {
		mark_seen(p->seen, o->target);
	}
	return set_value(o, value, err);
}

int opt_parse(
	const struct opt_program *p, int argc, char **argv, struct err *err)
{
	int at = 1;

	while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		if (parse_one(p, argv, argc, &at, err) != 0) {
			return -1;
		}
	}
	if (at < argc && p->operands == NULL && p->commands == NULL) {
		return err_usage(err, 0,
			"unexpected argument '%s'; see %s --help", argv[at],
			p->name);
	}
	return at;
}

static int count_of(char **argv)
{
	int count = 0;

	while (argv[count] != NULL) {
		count++;
	}
	return count;
}

int opt_parse_words(const struct opt_program *p, char **argv,
	const char **words, size_t most, struct err *err)
{
	for (size_t i = 0; i < most; i++) {
		words[i] = NULL;
	}
	for (size_t i = 0;; i++) {
		int at = opt_parse(p, count_of(argv), argv, err);

		if (at < 0) {
			return -1;
		}
		if (argv[at] == NULL) {
			return 0;
		}
		if (i == most) {
			return err_usage(
				err, 0, "unexpected argument '%s'", argv[at]);
		}
		words[i] = argv[at];
		argv += at; /* the word stands where a program's name does */
	}
}

/* --- push.conf --- */

static int set_from(const struct opt *o, const struct conf *conf,
	const struct json *v, struct err *err)
{
	struct json_iter it = json_iter(v);
	const struct json *item;
	int64_t n;

	switch (json_type(v)) {
	case JSON_TEXT:
		return set_value(o,
			o->type == OPT_TYPE_FILE
				? conf_file_take(conf, json_text(v).ptr)
				: json_text(v).ptr,
			err);
	case JSON_NUMBER:
		if (o->type != OPT_TYPE_INT || json_int(v, &n) != 0 ||
			n < o->min || n > o->max) {
			return err_usage(err, 0,
				"'%s' must be a whole number from %lld to %lld",
				o->conf, (long long)o->min, (long long)o->max);
		}
		*(int64_t *)o->target = n;
		return 0;
	case JSON_BOOL:
		*(bool *)o->target = json_bool(v, false);
		return 0;
	case JSON_ARRAY:
		while ((item = json_next(&it)) != NULL) {
			if (set_value(o, json_text(item).ptr, err) != 0) {
				return err_prefix(err, "'%s'", o->conf);
			}
		}
		return 0;
	case JSON_ABSENT:
	case JSON_NULL:
	case JSON_OBJECT:
		break;
	}
	return 0;
}

static int rows_from(const struct opt_program *p, const struct opt *rows,
	const struct conf *conf, struct err *err)
{
	for (; rows != NULL && rows->type != OPT_TYPE_END; rows++) {
		const struct json *v =
			rows->conf == NULL ? NULL : conf_at(conf, rows->conf);

		if (v != NULL && !is_seen(p->seen, rows->target) &&
			set_from(rows, conf, v, err) != 0) {
			conf_place(conf, err);
			return -1;
		}
	}
	return 0;
}

int opt_from_conf(
	const struct opt_program *p, const struct conf *conf, struct err *err)
{
	return rows_from(p, p->own, conf, err) != 0 ||
			       rows_from(p, p->common, conf, err) != 0
		       ? -1
		       : 0;
}
