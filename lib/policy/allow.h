/*
 * What an app may send: platforms, priorities, categories, topics and channels
 * of its section in push.conf.  What a section does not list is all allowed.
 */
#ifndef PUSH_POLICY_ALLOW_H
#define PUSH_POLICY_ALLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/nameset.h"
#include "policy/platforms.h"
#include "record/json.h"
#include "record/record.h"

struct allow {
	struct platforms_set platforms;
	bool has_priorities; /* a list was given, as with the next ones */
	bool has_categories;
	bool has_topics;
	bool has_channels;
	bool priorities[PRIORITY_COUNT];
	struct nameset categories; /* owned, as the next two */
	struct nameset topics;     /* one that ends with * is a beginning */
	struct nameset channels;
};

/* Reads an app's section, whose types have been checked. */
void allow_init(struct allow *allow, const struct json *app);
void allow_release(struct allow *allow);

/* What a task has that is not allowed. */
struct allow_fault {
	const char
		*what; /* "platform", "priority", ... ; NULL: all is allowed */
	struct span which; /* borrowed from the record; absent: it has none */
};

/* The first thing that is not allowed.  A task without a category is refused
 * where categories are listed; platforms of users are not known here. */
struct allow_fault allow_judge(
	const struct allow *allow, const struct record *r);

#endif
