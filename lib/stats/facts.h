/*
 * What some programs say besides what all say: members of the counters'
 * datagram and the metrics that show them, for a node and for each credential
 * that a node sends with.  push-stats(1) lists the metrics.
 */
#ifndef PUSH_STATS_FACTS_H
#define PUSH_STATS_FACTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/json.h"
#include "stats/label.h"

/* How what several processes say becomes one number. */
enum fact_sort {
	FACT_TOTAL,    /* counted since the program's start */
	FACT_SUM,      /* a gauge: that of all processes together */
	FACT_GREATEST, /* a gauge; below 0: there is none */
	FACT_LEAST,    /* a gauge; below 1: there is none */
};

/* Rows of one metric stand together. */
struct fact {
	const char
		*object; /* the member is in this object; NULL: in no other */
	const char *name;
	const char *metric;
	const char *label; /* value of the label "what"; NULL: none */
	const char *help;  /* of the metric, in its first row; else NULL */
	enum fact_sort sort;
};

enum { FACTS_MAX = 32, FACT_NONE = -1 };

/* Both end with a NULL name. */
extern const struct fact node_facts[];
extern const struct fact credential_facts[]; /* gauges only */

/* -1 when `said' does not tell it. */
int fact_read(const struct fact *fact, const struct json *said,
	int64_t *out) MUST_CHECK;

/* Adds what one more process says to a gauge that was FACT_NONE at first. */
void fact_add(const struct fact *fact, int64_t *value, int64_t said);

/* A credential, named by the first app that has it. */
struct credential {
	struct stats_label app;    /* first, as in all that is listed by name */
	int64_t values[FACTS_MAX]; /* of credential_facts */
};

enum { CREDENTIALS_MAX = 64 }; /* of one node; others are left out */

/* Zeroed is empty. */
struct credential_list {
	struct credential *items; /* owned */
	size_t count;
};

struct credential_list credential_list_read(const struct json *array);
void credential_list_release(struct credential_list *list);
void credential_list_add(
	struct credential_list *into, const struct credential_list *from);

/* What is counted by name: push-risk's rules. */
struct counted {
	struct stats_label name; /* first */
	uint64_t count;
};

enum { COUNTED_MAX = 128 }; /* names of one node; others are left out */

/* Zeroed is empty. */
struct counted_list {
	struct counted *items; /* owned */
	size_t count;
};

void counted_list_release(struct counted_list *list);

/* Adds to `totals' what the members of `object' are more than in `last', which
 * becomes them. */
void counted_list_advance(struct counted_list *totals,
	struct counted_list *last, const struct json *object);

#endif
