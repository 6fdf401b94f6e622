/* What a record owns; for the files of this folder only. */
#ifndef PUSH_RECORD_BODY_H
#define PUSH_RECORD_BODY_H

#include "record/record.h"

/*
 * The line as it came, and where in it things are added.  With a trace:
 *
 *   {"id":"a",…,"trace":{"t0_us":1,"pop":[0,3]}}
 *              ^seam                         ^trace_end
 *
 * Without one, `seam' and `trace_end' both stand at the last brace.
 */
struct record_body {
	struct record_pool *pool; /* where it came from */
	struct buf line;
	size_t seam;         /* where members are added */
	size_t trace_end;    /* where the trace closes; == seam: no trace */
	bool is_empty_task;  /* no member stands before the seam */
	bool is_empty_trace; /* the trace has no member yet */
	bool is_new_trace;   /* t0_us is ours to write */
	bool is_new_uid;     /* uid is ours to write, into the trace */
	bool is_shrunk;      /* there is no parsed form any more */
	bool had_stamp; /* if is_shrunk: the trace has its writer's stamp */
	char *text;     /* the in-place copy that was parsed */
	size_t text_cap;
	struct json_arena arena; /* the values */
	struct buf facts;        /* `"name":value,…' of this node's stamp */
	struct buf members; /* `"name":value,…' to be added at the seam */
	char uid[48];       /* if is_new_uid */
	int64_t replay_out_unix_us; /* captured; 0: none */
	struct json_doc *captured;  /* owned; facts, in a replay, or NULL */
	enum reason captured_reason;
};

/*
 * Walks the members of a valid object in its bytes.  Start with at = 0; each
 * call gives the name (quoted, as it stands) and the whole member.
 */
struct member_walk {
	struct span object;
	size_t at;
};
bool member_next(
	struct member_walk *w, struct span *quoted_name, struct span *member);

/* The bytes of the trace object in a line that has one, else absent. */
struct span body_trace(const struct record_body *b);

#endif
