/* Lines in, batches of devices and memberships out. */
#include "store/import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { LINE_MAX_BYTES = 64 * 1024 };

/* What was read and not yet put. */
struct pending {
	struct device list[DEVICES_BATCH_MAX];
	size_t count;
	struct membership members[DEVICES_BATCH_MAX];
	size_t member_count;
	struct json_doc *docs[DEVICES_BATCH_MAX]; /* what both borrow from */
	size_t doc_count;
	char line[LINE_MAX_BYTES];
};

static void pending_reset(struct pending *p)
{
	while (p->doc_count > 0) {
		json_free(p->docs[--p->doc_count]);
	}
	p->count = 0;
	p->member_count = 0;
}

/*
 * Reads one line into p->line; 1, or 0 at the end.  Of one that is too long the
 * rest is skipped and *is_whole is false.
 */
static int read_line(struct pending *p, FILE *in, bool *is_whole)
{
	size_t len;
	int c;

	if (fgets(p->line, (int)sizeof(p->line), in) == NULL) {
		return 0;
	}
	len = strlen(p->line);
	*is_whole = len + 1 < sizeof(p->line) || p->line[len - 1] == '\n';
	if (*is_whole) {
		return 1;
	}
	do {
		c = getc(in);
	} while (c != EOF && c != '\n');
	return 1;
}

/* A line with a segment is a membership. */
static int take(struct pending *p, const struct json *v, struct err *err)
{
	if (json_get(v, "segment") != NULL) {
		if (membership_parse(p->members + p->member_count, v, err) !=
			0) {
			return -1;
		}
		p->member_count++;
		return 0;
	}
	if (device_parse(p->list + p->count, v, clock_unix_ms(), err) != 0) {
		return -1;
	}
	p->count++;
	return 0;
}

static void take_line(struct import *i, struct pending *p, bool is_whole)
{
	struct err err = { 0 };
	struct json_doc *doc = NULL;

	i->lines++;
	if (p->line[strspn(p->line, " \t\r\n")] == '\0') {
		return; /* of blanks only */
	}
	if (is_whole) {
		doc = json_parse(p->line, strlen(p->line), JSON_STRICT, &err);
		if (doc == NULL) {
			(void)err_usage(&err, 0, "not one JSON object");
		}
	} else {
		(void)err_usage(
			&err, 0, "longer than %d bytes", LINE_MAX_BYTES - 2);
	}
	if (doc == NULL || take(p, json_root(doc), &err) != 0) {
		i->refused++;
		i->on_refused(i->lines, err.text);
		json_free(doc);
		return;
	}
	p->docs[p->doc_count++] = doc;
}

static int put(struct import *i, struct devices *d, struct segments *s,
	struct pending *p, struct err *err)
{
	int result = devices_put(d, p->list, p->count, &i->counts, err);

	if (result == 0) {
		result = segments_put(
			s, p->members, p->member_count, &i->joined, err);
	}
	pending_reset(p);
	i->on_progress(i->lines);
	return result;
}

static int run(struct import *i, struct devices *d, struct segments *s,
	FILE *in, struct err *err)
{
	struct pending *p = mem_array(1, sizeof(*p));
	bool is_whole = true;
	int result = 0;

	while (result == 0 && read_line(p, in, &is_whole) == 1) {
		take_line(i, p, is_whole);
		if (p->doc_count == DEVICES_BATCH_MAX) {
			result = put(i, d, s, p, err);
		}
	}
	if (result == 0 && ferror(in)) {
		result = err_set(err, errno, "cannot read");
	}
	if (result == 0) {
		result = put(i, d, s, p, err);
	}
	pending_reset(p);
	mem_free(p);
	return result;
}

int import_run(struct import *i, struct devices *d, struct segments *s,
	const char *path, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *in = is_stdin ? stdin : fopen(path, "r");
	int result;

	if (in == NULL) {
		return err_usage(err, errno, "cannot open '%s'", path);
	}
	result = run(i, d, s, in, err);
	if (!is_stdin) {
		(void)fclose(in); /* only read from */
	}
	return result == 0 ? 0 : err_prefix(err, "import of '%s'", path);
}
