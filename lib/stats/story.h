/*
 * What became of one push, in plain words: from a finished record, or from
 * what a queue still holds.
 */
#ifndef PUSH_STATS_STORY_H
#define PUSH_STATS_STORY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "record/json.h"

/* Whether `id' is the task's id, its uid or its user: of a finished record, a
 * task, or a line of peek_queue(). */
bool story_is_about(const struct json *line, struct span id);

/* Appends the story of a finished record; `has_nodes' adds how long it was at
 * each node. */
void story_of_record(
	const struct json *record, bool has_nodes, struct buf *out);

/* Appends the story of a line of peek_queue(). */
void story_of_entry(const struct json *entry, struct buf *out);

#endif
