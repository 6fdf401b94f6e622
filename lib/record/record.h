/*
 * The record: a task on its way through the chain, one JSON line.
 *
 * A record is parsed once a stage, read-only.  What a stage adds is spliced
 * into the bytes that came, which otherwise pass through as they are; only a
 * line without the usual shape (trace missing, not last, our node already in
 * it) is put together anew.  push-record(5) describes the members.
 *
 * A record owns its parsed form, and its bytes once record_keep() was called, so
 * it may be kept for as long as the vendor takes to answer.  Everything read
 * from it lives as long as it.
 */
#ifndef PUSH_RECORD_RECORD_H
#define PUSH_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "record/json.h"
#include "record/outcome.h"

enum {
	RECORD_MAX_BYTES = 64 * 1024,     /* default for the longest line */
	RECORD_RAW_KEPT_BYTES = 8 * 1024, /* of a line that is too long */
	RECORD_ID_MAX_BYTES = 128,
	RECORD_TARGETS_MAX = 500, /* users or devices of one task */
	RECORD_NODE_MAX_BYTES = 32,
};

enum priority { PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW, PRIORITY_COUNT };
enum kind { KIND_SINGLE, KIND_BATCH, KIND_COUNT };
enum platform { PLATFORM_NONE, PLATFORM_IOS, PLATFORM_ANDROID };

struct record_pool;
struct record_body;

struct record {
	/* The task.  Absent members are { NULL, 0 }, NULL or 0. */
	const struct json *root; /* the parsed object; NULL: not JSON */
	struct span app;
	struct span id;
	struct span user;
	struct span category;
	struct span campaign;
	struct span dedupe_key;
	struct span topic;          /* FCM topic */
	struct span condition;      /* FCM condition */
	struct span channel;        /* APNs broadcast channel */
	struct span jws;            /* of a signed task */
	struct span segment;        /* a named set of users */
	const struct json *device;  /* the object of a single device */
	const struct json *users;   /* the array of many users */
	const struct json *devices; /* the array of many devices */
	const struct json *message;
	enum platform platform; /* of `device' */
	struct span token;      /* of `device' */
	enum priority priority;
	enum kind kind;
	int64_t created_unix_ms;
	int64_t not_before_unix_ms;
	int64_t expires_unix_ms;
	int64_t part_n; /* 0-based place among the parts of a fanned-out task */
	int64_t part_of; /* how many parts there are; 0: not fanned out */

	/* The trace. */
	const struct json *trace; /* as it was read; NULL for a bare task */
	int64_t t0_unix_us;       /* the claim, or when a bare task was met */
	struct span uid;          /* identity of this one push; never absent */
	struct span queue;        /* absent: never saw a queue */
	struct span receipt;      /* what the queue settles by */
	struct span apart; /* devices that are records of their own by now */
	int64_t attempt;   /* 1 at first; 0: never saw a queue */
	int64_t lease_unix_ms; /* when the lease runs out; 0: no lease */
	bool is_resumed; /* came back from the delayed set as a record of the
	                    chain: authorised already */
	bool is_whole; /* and as a task that has not been spread out to devices:
	                  it waited for its quota, or is the rest of a segment */
	enum outcome outcome;
	enum reason reason;
	int64_t after_ms; /* with OUTCOME_RETRY: wait at least this long */

	/* The runtime's stamps. */
	int64_t in_unix_us;  /* when this node had read the line */
	int64_t now_unix_us; /* what decisions take as now: in_unix_us, or the
	                        captured time in a replay */
	bool is_timeless; /* a replay of a task that tells no time: now is that
	                        of the record before, or the beginning of time */
	bool was_decided; /* a stage before this one decided it */
	bool is_held;     /* kept back by an asynchronous stage */
	bool is_consumed; /* replaced by others: not written */

	size_t place;             /* in the batch it came with */
	struct record *next;      /* for the list of whoever holds it */
	struct record_body *body; /* owned; bytes and parsed form */
};

/* --- for stages --- */

/* Decides the record; the outcome is the reason's.  Deciding a decided record
 * is a bug of the caller. */
void record_decide(struct record *r, enum reason reason);

/* Decides for OUTCOME_RETRY: come back after `after_ms' milliseconds. */
void record_retry(struct record *r, enum reason reason, int64_t after_ms);

/* Adds to the facts of this node's trace member.  `name' is a literal. */
void record_fact_text(struct record *r, const char *name, struct span text);
void record_fact_int(struct record *r, const char *name, int64_t n);
void record_fact_bool(struct record *r, const char *name, bool is_true);

/*
 * Adds a member to the task, in front of the trace.  `json' is one value,
 * valid and minified.  The task must not have a member of that name.  What was
 * parsed does not change: the next stage sees it.
 */
void record_add(struct record *r, const char *name, struct span json);

/*
 * Puts another task in this one's place and parses it; the trace stays.  A
 * `trace' inside `json' is dropped.  -1, with the record as it was, when `json'
 * is not an object.
 */
int record_replace(struct record *r, struct span json) MUST_CHECK;

/*
 * The same in two steps, for those who want to look at the task first: a draft,
 * of which nothing but `root' may be read, and NULL when `json' is not an
 * object; then the record becomes what it says, or the draft is thrown away.
 * Either way it is gone.
 */
struct record *record_draft(
	const struct record *r, struct span json) MUST_CHECK;
void record_become(struct record *r, struct record *draft);
void record_discard(struct record *draft); /* accepts NULL */

/* Appends the task as it came, without `trace' and without the named members
 * (a NULL-terminated list, or NULL): an object. */
void record_task(
	const struct record *r, const char *const *without, struct buf *out);

/*
 * What the parts of one task have in common: its line without the members named
 * (those of this list that it has; they are ones that struct record knows).
 * Used again for the next task.  Borrows the record and the list.
 */
struct record_stem {
	const struct record *whole; /* borrowed */
	const char *const *without; /* borrowed; the members named, and */
	uint32_t mask;              /* what they are in the table */
	struct buf cut;             /* owned; the line, if is_cut */
	size_t seam;                /* as in the body of a record */
	size_t trace_end;
	bool is_empty_task;
	bool is_cut; /* the line is not simply that of the whole */
};
void record_stem_init(struct record_stem *s);
void record_stem_release(struct record_stem *s);
void record_stem_set(struct record_stem *s, const struct record *whole,
	const char *const *without);

/*
 * A new record for a part of the stem's task, to which members are then added:
 * the same trace, stamps and identity, and no device.  Emit or free it before
 * the whole goes or the stem is set again: it borrows what was parsed of the
 * one, and the line of the other.
 */
struct record *record_part(
	struct record_pool *pool, const struct record_stem *s);

/* Adds the member `device' and reads it.  A device without a token decides the
 * part as bad-member; -1, with nothing changed, when `json' is not even JSON. */
int record_part_device(struct record *part, struct span json) MUST_CHECK;

/* What a log line may show: the id, or the uid. */
struct span record_name(const struct record *r);

/* A short hash of a device token, for logs: 8 hexadecimal digits and NUL. */
void record_token_hash(struct span token, char dst[9]);

const char *priority_name(enum priority priority);
const char *kind_name(enum kind kind);
const char *platform_name(enum platform platform);
enum platform platform_parse(struct span name); /* PLATFORM_NONE: unknown */

/* --- for the runtime and push-pop --- */

/* `max_bytes' bounds a line; `uid_seed' makes the uids of bare tasks unique to
 * this process ("" in a replay: they are then numbered from 1). */
struct record_pool *record_pool_new(size_t max_bytes, const char *uid_seed);
void record_pool_free(struct record_pool *pool); /* accepts NULL */

/* The longest line to expect: a task of the maximum and what stages add. */
size_t record_line_max_bytes(const struct record_pool *pool);

/*
 * Reads one line (no newline).  Never fails: what is not a task or a record
 * comes out decided as malformed, too-large or bad-member, with its raw bytes
 * kept.  `in_unix_us' stamps it, and is its t0 when it has no trace.
 */
struct record *record_read(struct record_pool *pool, const char *line,
	size_t len, int64_t in_unix_us);

/* The same without a copy of the line, which must stay as it is until the record
 * is written, or freed, or kept. */
struct record *record_read_borrowed(
	struct record_pool *pool, struct span line, int64_t in_unix_us);

/* For a record that stays when its line goes, or its whole when it is a part:
 * copies the bytes that it borrows, if it does. */
void record_keep(struct record *r);

/*
 * For lines longer than the maximum: `head' is the beginning, `total' the whole
 * length.
 */
struct record *record_read_too_long(struct record_pool *pool, struct span head,
	size_t total, int64_t in_unix_us);

/*
 * push-pop's: reads what a producer pushed (any `trace' in it is dropped) and
 * starts the trace with this claim.  Like record_read() it never fails.
 * The caller then adds the facts "q", "uid", "receipt", "attempt", "lease_ms".
 */
struct record *record_claim(
	struct record_pool *pool, struct span task, int64_t t0_unix_us);

/*
 * Replay: cuts the trace back to before `node', takes the outcome away if this
 * node or a later one gave it, and sets in_unix_us and now_unix_us to the
 * captured time, or created_ms of a bare task.
 */
void record_rewind(struct record *r, const char *node);

/* Appends the record as one line with its newline.  `node' NULL adds no stamp
 * (records that came decided pass untouched). */
void record_write(struct record *r, const char *node, int64_t out_unix_us,
	struct buf *out);

void record_free(struct record_pool *pool, struct record *r); /* accepts NULL */

/*
 * For stages that keep many undecided records for long: what is left of one is
 * its line and some numbers, in one piece of memory.  The record is gone.
 */
struct record_parked;
struct record_parked *record_park(struct record *r, const char *node);

/* Ends the parking.  Texts and JSON are absent; times, attempt and lease are
 * there, facts may be added, and it can be decided and written by `node'. */
struct record *record_unpark(struct record_parked *p);
/* Parses one that was parked again: all is there as before. */
void record_restore(struct record *r);

/* --- for readers of traces --- */

/* One node's stamp. */
struct record_stamp {
	struct span node;
	int64_t in_us;            /* after t0 */
	int64_t out_us;           /* after t0 */
	const struct json *facts; /* NULL: none */
};

/* Walks the nodes of a parsed trace in order:
 *   struct json_iter it = json_iter(r->trace);
 *   while (record_stamp_next(&it, &stamp)) ... */
bool record_stamp_next(struct json_iter *it, struct record_stamp *stamp);

/* The facts of a node, NULL when the trace has no such node. */
const struct json *record_facts(const struct record *r, const char *node);

/* In a replay: the facts that this node had written when the record was
 * captured (NULL: none), and in *reason what it had decided.  Lives as long as
 * the task is not replaced. */
const struct json *record_captured(const struct record *r, enum reason *reason);

/* True when the trace, as it was read, has this node. */
bool record_passed(const struct record *r, const char *node);

#endif
