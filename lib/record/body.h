/* What a record owns; for the files of this folder only. */
#ifndef PUSH_RECORD_BODY_H
#define PUSH_RECORD_BODY_H

#include "record/names.h"
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
	struct span line; /* in `own', unless it is borrowed from its reader */
	char *own;        /* owned */
	size_t own_cap;
	size_t seam;         /* where members are added */
	size_t trace_end;    /* where the trace closes; == seam: no trace */
	bool is_empty_task;  /* no member stands before the seam */
	bool is_empty_trace; /* the trace has no member yet */
	bool is_new_trace;   /* t0_us is ours to write */
	bool is_new_uid;     /* uid is ours to write, into the trace */
	bool was_parked;     /* there is no parsed form any more */
	bool had_stamp; /* if was_parked: the trace has its writer's stamp */
	char *text;     /* the in-place copy that was parsed */
	size_t text_cap;
	struct json_arena arena; /* the values */
	uint32_t known;     /* which members of our table it has, a bit each */
	struct buf facts;   /* `"name":value,…' of this node's stamp */
	struct buf members; /* `"name":value,…' to be added at the seam */
	char uid[48];       /* if is_new_uid */
	int64_t replay_out_unix_us; /* captured; 0: none */
	struct json_doc *captured;  /* owned; facts, in a replay, or NULL */
	enum reason captured_reason;
};

struct record_pool {
	size_t max_bytes;
	char *uid_seed; /* owned */
	uint64_t uid_count;
	int64_t replay_unix_us; /* of the last record that told its time */
	struct record *free;    /* by next */
	size_t free_count;
	struct names members; /* those that we know */
};

/* --- memory: pool.c --- */

/* A record with whatever its last user has left in it. */
struct record *pool_take(struct record_pool *pool);

/* --- reading: record.c --- */

/* As new, but for the bytes of the line. */
void body_clear(struct record *r, int64_t in_unix_us);
/* The line becomes a copy of this one, without the blanks behind it. */
void body_set_line(struct record_body *b, struct span line);
/* The same without a copy: the line stays where it is. */
void body_borrow_line(struct record_body *b, struct span line);
/* The memory of the own line, emptied, to put another one together in, which
 * body_take_line() gives back. */
struct buf body_own_room(struct record_body *b);
/* The line becomes what this buffer holds; its memory is the body's then. */
void body_take_line(struct record_body *b, struct buf *whole);
/* Makes one line of an own one that is JSON written over several. */
void body_flatten(struct record_body *b);
/* body_set_line() and that. */
void body_set_text(struct record_body *b, struct span text);
/* Parses a text in the room of the body; NULL when it is not one JSON value. */
const struct json *body_parse_text(struct record_body *b, struct span text);
/* Parses the line; -1 when it is not one JSON object. */
int body_parse(struct record *r) MUST_CHECK;
/* Reads the line, which is trimmed, into a record that was cleared. */
void body_read(struct record *r);
/* The second half of that, when the line was parsed already. */
void body_take(struct record *r, bool is_object);
/* Finds the seam; the line ends in the brace of the root. */
void body_find_seam(struct record *r, struct span trace_name);
void body_give_uid(struct record *r);

/* Where an in-place name stood in the line; the bytes keep their places. */
static inline size_t body_name_at(const struct record_body *b, struct span name)
{
	return (size_t)(name.ptr - b->text) - 1;
}

/* --- what is no record: reject.c --- */

/* The line, which is malformed or has a trace that is none. */
void reject_raw(struct record *r, enum reason reason);
/* The line, which is too long. */
void reject_long_line(struct record *r);
/* A line of `total' bytes that begins like this. */
void reject_long(struct record *r, struct span head, size_t total);

/* --- members.c and trace.c --- */

void members_names(struct names *names);
/*
 * Takes the known members.  The name of the first bad one, or { NULL, 0 }.
 * `*last' is the name of the last member, `*traces' how many `trace' there are.
 */
struct span members_take(struct record *r, struct span *last, unsigned *traces);
/* How many members `trace' the parsed line has. */
size_t members_trace_count(const struct record *r);
/* Takes token and platform of `device'; -1 when it is none. */
int members_device(struct record *r) MUST_CHECK;
/* The bits that these names have in body->known; all are in our table. */
uint32_t members_mask(const char *const *names);
/* Takes what push-pop told, the outcome and the times. */
void trace_take(struct record *r);

/* --- bytes: splice.c --- */

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
