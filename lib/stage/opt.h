/*
 * The option table: one row gives the parser, --help and the page their text.
 *
 * A row may name a member of push.conf that sets the same thing; what the
 * command line says wins.  The rows' targets hold the defaults before.
 */
#ifndef PUSH_STAGE_OPT_H
#define PUSH_STAGE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/conf.h"

enum opt_type {
	OPT_TYPE_END,
	OPT_TYPE_TEXT,     /* const char *; borrowed from argv or the conf */
	OPT_TYPE_FILE,     /* const char *; in a conf relative to its folder */
	OPT_TYPE_INT,      /* int64_t */
	OPT_TYPE_BYTES,    /* size_t: "64K" */
	OPT_TYPE_DURATION, /* int64_t milliseconds: "30s" */
	OPT_TYPE_FLAG,     /* bool; takes no operand */
	OPT_TYPE_LIST,     /* struct opt_list; may be repeated */
};

enum { OPT_LIST_MAX = 32 };

struct opt_list {
	size_t count;
	const char *items[OPT_LIST_MAX];
};

struct opt {
	const char *name; /* without the dashes */
	char letter;      /* 0: none */
	enum opt_type type;
	const char *operand; /* as shown in help; NULL for flags */
	void *target;
	const char *conf; /* path in push.conf, or NULL */
	int64_t min;      /* for OPT_TYPE_INT */
	int64_t max;
	const char *help; /* one line, lower case, no full stop */
};

/* _Generic makes a row whose target has another type fail to compile. */
/* clang-format off */
#define OPT_TEXT(name, operand, target, conf, help) \
	{ name, 0, _Generic((target), const char **: OPT_TYPE_TEXT), operand, target, conf, 0, 0, help }
#define OPT_FILE(name, operand, target, conf, help) \
	{ name, 0, _Generic((target), const char **: OPT_TYPE_FILE), operand, target, conf, 0, 0, help }
#define OPT_INT(name, operand, target, min, max, conf, help) \
	{ name, 0, _Generic((target), int64_t *: OPT_TYPE_INT), operand, target, conf, min, max, help }
#define OPT_BYTES(name, operand, target, conf, help) \
	{ name, 0, _Generic((target), size_t *: OPT_TYPE_BYTES), operand, target, conf, 0, 0, help }
#define OPT_DURATION(name, operand, target, conf, help) \
	{ name, 0, _Generic((target), int64_t *: OPT_TYPE_DURATION), operand, target, conf, 0, 0, help }
#define OPT_FLAG(name, target, help) \
	{ name, 0, _Generic((target), bool *: OPT_TYPE_FLAG), NULL, target, NULL, 0, 0, help }
#define OPT_LIST(name, operand, target, conf, help) \
	{ name, 0, _Generic((target), struct opt_list *: OPT_TYPE_LIST), operand, target, conf, 0, 0, help }
#define OPT_END \
	{ NULL, 0, OPT_TYPE_END, NULL, NULL, NULL, 0, 0, NULL }
/* clang-format on */

/* Which targets the command line has set. */
enum { OPT_SEEN_MAX = 64 };
struct opt_seen {
	size_t count;
	const void *targets[OPT_SEEN_MAX];
};

struct command;

/* What a program is called and does, for --help and messages. */
struct opt_program {
	const char *name;
	const char *summary;
	const char *operands; /* as shown behind the options, or NULL */
	const struct opt *own;
	const struct opt *common; /* or NULL */
	struct opt_seen *seen;    /* filled by opt_parse(); NULL: not wanted */
	const struct command *commands; /* behind the options; see command.h */
};

/*
 * Parses the command line into the rows' targets.  --help and --version print
 * and exit 0.  Returns the index of the first operand, or -1 with a usage
 * failure (also for an operand where the program takes none).
 */
int opt_parse(const struct opt_program *p, int argc, char **argv,
	struct err *err) MUST_CHECK;

/* The same for any number of operands up to `most', with options between them;
 * words[] ends with NULLs. */
int opt_parse_words(const struct opt_program *p, char **argv,
	const char **words, size_t most, struct err *err) MUST_CHECK;

/* Gives rows that the command line left alone what push.conf says.  Texts
 * are borrowed from `conf' until the process ends (the conf must live on);
 * names of files are made for as long. */
int opt_from_conf(const struct opt_program *p, const struct conf *conf,
	struct err *err) MUST_CHECK;

#endif
