/*
 * Counters of programs, kept apart by process (what is live) and added up by
 * node (what is exported).
 *
 * A pipe's content is what the programs before wrote minus what these read,
 * both counted from the same moment.  Programs of one chain start together, so
 * their starts are that moment; when one end is restarted alone, both ends'
 * present counts become it (`in_base', `out_base').
 */
#include "stats/counters.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "record/json.h"

/* In the order in which records pass them. */
static const char *const programs[] = { "push-pop", "push-auth", "push-risk",
	"push-lookup", "push-dedupe", "push-fatigue", "push-apns", "push-fcm",
	"push-ack", "push-stats" };

static const char *const total_names[COUNTERS_TOTAL_COUNT] = {
	[COUNTERS_IN] = "in",
	[COUNTERS_OUT] = "out",
	[COUNTERS_DROPPED] = "dropped",
	[COUNTERS_LOST_DATAGRAMS] = "lost_datagrams",
};

struct process {
	size_t node; /* place in nodes */
	char host[COUNTERS_NAME_BYTES + 1];
	int64_t pid;
	int64_t first_mono_ms;
	int64_t last_mono_ms;
	uint64_t totals[COUNTERS_TOTAL_COUNT]; /* as it said last */
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t held;
	uint64_t in_base;  /* not counted for the pipe before it */
	uint64_t out_base; /* for the pipe behind it */
};

struct counters {
	struct counters_node nodes[COUNTERS_NODES_MAX]; /* by rank */
	size_t node_count;
	struct process processes[COUNTERS_PROCESSES_MAX];
	size_t process_count;
	uint64_t bad;
};

static uint64_t number(const struct json *object, const char *name)
{
	int64_t n;

	return json_int(json_get(object, name), &n) == 0 && n > 0 ? (uint64_t)n
								  : 0;
}

static int name_copy(char *dst, struct span text)
{
	if (text.ptr == NULL || text.len == 0) {
		return -1;
	}
	return fmt_into(
		dst, COUNTERS_NAME_BYTES + 1, "%.*s", (int)text.len, text.ptr);
}

static size_t rank_of(struct span program)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		if (span_is(program, programs[i])) {
			return i + 1;
		}
	}
	return 0;
}

/* Places of nodes have moved up by one from `place' on. */
static void shift_processes(struct counters *c, size_t place)
{
	for (size_t i = 0; i < c->process_count; i++) {
		if (c->processes[i].node >= place) {
			c->processes[i].node++;
		}
	}
}

/* The node's place, new or old; COUNTERS_NODES_MAX when there is no room. */
static size_t node_place(struct counters *c,
	const char name[COUNTERS_NAME_BYTES + 1], size_t rank)
{
	size_t place = c->node_count;

	for (size_t i = 0; i < c->node_count; i++) {
		if (strcmp(c->nodes[i].name, name) == 0) {
			return i;
		}
		if (rank > 0 && place == c->node_count &&
			(c->nodes[i].rank > rank || c->nodes[i].rank == 0)) {
			place = i;
		}
	}
	if (c->node_count == COUNTERS_NODES_MAX) {
		return COUNTERS_NODES_MAX;
	}
	memmove(&c->nodes[place + 1], &c->nodes[place],
		(c->node_count - place) * sizeof(*c->nodes));
	c->node_count++;
	shift_processes(c, place);
	c->nodes[place] = (struct counters_node){ .rank = rank };
	memcpy(c->nodes[place].name, name, sizeof(c->nodes[place].name));
	return place;
}

/* The greatest rank below `rank' that has a live process; 0: none. */
static size_t rank_before(const struct counters *c, size_t rank)
{
	size_t best = 0;

	for (size_t i = 0; i < c->process_count; i++) {
		size_t other = c->nodes[c->processes[i].node].rank;

		if (other < rank && other > best) {
			best = other;
		}
	}
	return best;
}

static size_t rank_behind(const struct counters *c, size_t rank)
{
	size_t best = 0;

	for (size_t i = 0; i < c->process_count; i++) {
		size_t other = c->nodes[c->processes[i].node].rank;

		if (other > rank && (best == 0 || other < best)) {
			best = other;
		}
	}
	return best;
}

/* The pipe between two ranks counts from empty again. */
static void pipe_restart(struct counters *c, size_t before, size_t behind)
{
	for (size_t i = 0; i < c->process_count; i++) {
		struct process *p = &c->processes[i];
		size_t rank = c->nodes[p->node].rank;

		if (rank == before) {
			p->out_base = p->totals[COUNTERS_OUT];
		}
		if (rank == behind) {
			p->in_base = p->totals[COUNTERS_IN];
		}
	}
}

/* Whether any process of this rank has been there for longer than a chain
 * takes to start. */
static bool is_older(const struct counters *c, size_t rank, int64_t now_mono_ms)
{
	for (size_t i = 0; i < c->process_count; i++) {
		const struct process *p = &c->processes[i];

		if (c->nodes[p->node].rank == rank &&
			now_mono_ms - p->first_mono_ms > COUNTERS_TOGETHER_MS) {
			return true;
		}
	}
	return false;
}

/* After a process of this rank has come or gone: pipes to neighbours that were
 * there before have lost their common beginning. */
static void restart_around(struct counters *c, size_t rank, int64_t now_mono_ms)
{
	size_t before = rank_before(c, rank);
	size_t behind = rank_behind(c, rank);

	if (rank == 0) {
		return;
	}
	if (before != 0 && is_older(c, before, now_mono_ms)) {
		pipe_restart(c, before, rank);
	}
	if (behind != 0 && is_older(c, behind, now_mono_ms)) {
		pipe_restart(c, rank, behind);
	}
}

static struct process *process_find(
	struct counters *c, size_t node, const char *host, int64_t pid)
{
	for (size_t i = 0; i < c->process_count; i++) {
		struct process *p = &c->processes[i];

		if (p->node == node && p->pid == pid &&
			strcmp(p->host, host) == 0) {
			return p;
		}
	}
	return NULL;
}

/* Adds what is new since the last datagram to the node's total. */
static void advance(uint64_t *total, uint64_t *last, uint64_t now)
{
	if (now > *last) {
		*total += now - *last;
	}
	*last = now;
}

static void process_take(
	struct counters *c, struct process *p, const struct json *said)
{
	struct counters_node *node = &c->nodes[p->node];
	const struct json *outcomes = json_get(said, "outcomes");

	for (int i = 0; i < COUNTERS_TOTAL_COUNT; i++) {
		advance(&node->totals[i], &p->totals[i],
			number(said, total_names[i]));
	}
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		advance(&node->outcomes[i], &p->outcomes[i],
			number(outcomes, outcome_name((enum outcome)i)));
	}
	p->held = number(said, "held");
}

static int take(
	struct counters *c, const struct json *said, int64_t now_mono_ms)
{
	char node[COUNTERS_NAME_BYTES + 1] = "";
	char host[COUNTERS_NAME_BYTES + 1] = "";
	size_t rank = rank_of(json_text(json_get(said, "program")));
	struct process *p;
	size_t place;
	int64_t pid;

	if (name_copy(node, json_text(json_get(said, "node"))) != 0 ||
		name_copy(host, json_text(json_get(said, "host"))) != 0 ||
		json_int(json_get(said, "pid"), &pid) != 0) {
		return -1;
	}
	counters_sweep(c, now_mono_ms);
	place = node_place(c, node, rank);
	if (place == COUNTERS_NODES_MAX) {
		return -1;
	}
	p = process_find(c, place, host, pid);
	if (p != NULL && number(said, "in") >= p->totals[COUNTERS_IN] &&
		number(said, "out") >= p->totals[COUNTERS_OUT]) {
		p->last_mono_ms = now_mono_ms;
		process_take(c, p, said);
		return 0;
	}
	/* New, or another process under the same number (in containers all are
	 * number 1). */
	if (p == NULL) {
		if (c->process_count == COUNTERS_PROCESSES_MAX) {
			return -1;
		}
		p = &c->processes[c->process_count++];
	}
	*p = (struct process){ .node = place,
		.pid = pid,
		.first_mono_ms = now_mono_ms,
		.last_mono_ms = now_mono_ms };
	memcpy(p->host, host, sizeof(p->host));
	process_take(c, p, said);
	restart_around(c, c->nodes[place].rank, now_mono_ms);
	return 0;
}

struct counters *counters_new(void)
{
	return mem_array(1, sizeof(struct counters));
}

void counters_free(struct counters *c)
{
	mem_free(c);
}

int counters_take(
	struct counters *c, const char *bytes, size_t len, int64_t now_mono_ms)
{
	struct json_doc *doc = json_parse(bytes, len, JSON_STRICT, NULL);
	int result = -1;

	if (doc != NULL) {
		result = take(c, json_root(doc), now_mono_ms);
	}
	json_free(doc);
	if (result != 0) {
		c->bad++;
	}
	return result;
}

void counters_sweep(struct counters *c, int64_t now_mono_ms)
{
	for (size_t i = c->process_count; i-- > 0;) {
		struct process *p = &c->processes[i];
		size_t rank = c->nodes[p->node].rank;

		if (now_mono_ms - p->last_mono_ms <= COUNTERS_STALE_MS) {
			continue;
		}
		*p = c->processes[--c->process_count];
		restart_around(c, rank, now_mono_ms);
	}
}

size_t counters_count(const struct counters *c)
{
	return c->node_count;
}

const struct counters_node *counters_at(const struct counters *c, size_t i)
{
	return &c->nodes[i];
}

struct counters_live counters_live(const struct counters *c, size_t i)
{
	struct counters_live live = { 0 };
	size_t rank = c->nodes[i].rank;
	size_t before = rank == 0 ? 0 : rank_before(c, rank);
	uint64_t written = 0;
	uint64_t read = 0;

	for (size_t n = 0; n < c->process_count; n++) {
		const struct process *p = &c->processes[n];

		if (p->node == i) {
			live.processes++;
			live.inside += p->held;
		}
		if (before != 0 && c->nodes[p->node].rank == before) {
			written += p->totals[COUNTERS_OUT] - p->out_base;
		}
		if (before != 0 && c->nodes[p->node].rank == rank) {
			read += p->totals[COUNTERS_IN] - p->in_base;
		}
	}
	live.has_pipe = before != 0 && live.processes > 0;
	if (live.has_pipe && written > read) {
		live.pipe = written - read;
	}
	return live;
}

uint64_t counters_bad(const struct counters *c)
{
	return c->bad;
}

const char *counters_total_name(enum counters_total total)
{
	return total_names[total];
}
