/*
 * Counters of programs, kept apart by process (what is live) and added up by
 * node (what is exported).
 *
 * A pipe's content is what the programs before wrote minus what these read,
 * both counted from the same moment.  Programs of one chain start together, so
 * their starts are that moment; when one end is restarted alone, both ends'
 * present counts become it (`in_base', `out_base').
 */
#include "stats/live.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "record/json.h"

/* In the order in which records pass them. */
static const char *const programs[] = { "push-pop", "push-auth", "push-risk",
	"push-lookup", "push-dedupe", "push-fatigue", "push-apns", "push-fcm",
	"push-ack", "push-stats" };

static const char *const total_names[LIVE_TOTAL_COUNT] = {
	[LIVE_IN] = "in",
	[LIVE_OUT] = "out",
	[LIVE_DROPPED] = "dropped",
	[LIVE_LOST_DATAGRAMS] = "lost_datagrams",
};

/* What had passed at one moment; all programs report at whole seconds. */
struct sample {
	int64_t unix_s;
	uint64_t in;
	uint64_t out;
};

struct process {
	size_t node; /* place in nodes */
	char host[LIVE_NAME_BYTES + 1];
	int64_t pid;
	int64_t first_mono_ms;
	int64_t last_mono_ms;
	uint64_t totals[LIVE_TOTAL_COUNT]; /* as it said last */
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t held;
	int64_t facts[FACTS_MAX];
	struct credential_list credentials; /* owned */
	struct counted_list rules;          /* as it said last; owned */
	struct sample last;
	struct sample
		before;    /* the second before, for those not yet heard of */
	uint64_t in_base;  /* not counted for the pipe before it */
	uint64_t out_base; /* for the pipe behind it */
};

struct live {
	struct live_node nodes[LIVE_NODES_MAX]; /* by rank */
	size_t node_count;
	struct process processes[LIVE_PROCESSES_MAX];
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
		dst, LIVE_NAME_BYTES + 1, "%.*s", (int)text.len, text.ptr);
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
static void shift_processes(struct live *c, size_t place)
{
	for (size_t i = 0; i < c->process_count; i++) {
		if (c->processes[i].node >= place) {
			c->processes[i].node++;
		}
	}
}

/* The node's place, new or old; LIVE_NODES_MAX when there is no room. */
static size_t node_place(
	struct live *c, const char name[LIVE_NAME_BYTES + 1], size_t rank)
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
	if (c->node_count == LIVE_NODES_MAX) {
		return LIVE_NODES_MAX;
	}
	memmove(&c->nodes[place + 1], &c->nodes[place],
		(c->node_count - place) * sizeof(*c->nodes));
	c->node_count++;
	shift_processes(c, place);
	c->nodes[place] = (struct live_node){ .rank = rank };
	memcpy(c->nodes[place].name, name, sizeof(c->nodes[place].name));
	return place;
}

/* The greatest rank below `rank' that has a live process; 0: none. */
static size_t rank_before(const struct live *c, size_t rank)
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

static size_t rank_behind(const struct live *c, size_t rank)
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
static void pipe_restart(struct live *c, size_t before, size_t behind)
{
	for (size_t i = 0; i < c->process_count; i++) {
		struct process *p = &c->processes[i];
		size_t rank = c->nodes[p->node].rank;

		if (rank == before) {
			p->out_base = p->totals[LIVE_OUT];
		}
		if (rank == behind) {
			p->in_base = p->totals[LIVE_IN];
		}
	}
}

/* Whether any process of this rank has been there for longer than a chain
 * takes to start. */
static bool is_older(const struct live *c, size_t rank, int64_t now_mono_ms)
{
	for (size_t i = 0; i < c->process_count; i++) {
		const struct process *p = &c->processes[i];

		if (c->nodes[p->node].rank == rank &&
			now_mono_ms - p->first_mono_ms > LIVE_TOGETHER_MS) {
			return true;
		}
	}
	return false;
}

/* After a process of this rank has come or gone: pipes to neighbours that were
 * there before have lost their common beginning. */
static void restart_around(struct live *c, size_t rank, int64_t now_mono_ms)
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

static void process_release(struct process *p)
{
	credential_list_release(&p->credentials);
	counted_list_release(&p->rules);
}

static struct process *process_find(
	struct live *c, size_t node, const char *host, int64_t pid)
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

static void facts_take(
	struct live_node *node, struct process *p, const struct json *said)
{
	for (size_t i = 0; node_facts[i].name != NULL; i++) {
		uint64_t last = (uint64_t)p->facts[i];
		int64_t n;

		if (fact_read(&node_facts[i], said, &n) != 0) {
			continue;
		}
		node->has_fact[i] = true;
		if (node_facts[i].sort == FACT_TOTAL && n >= 0) {
			advance(&node->facts[i], &last, (uint64_t)n);
		}
		p->facts[i] = n;
	}
	credential_list_release(&p->credentials);
	p->credentials = credential_list_read(json_get(said, "credentials"));
	counted_list_advance(&node->rules, &p->rules, json_get(said, "rules"));
}

static void process_take(
	struct live *c, struct process *p, const struct json *said)
{
	struct live_node *node = &c->nodes[p->node];
	const struct json *outcomes = json_get(said, "outcomes");
	int64_t second = (int64_t)number(said, "time_ms") / 1000;

	for (int i = 0; i < LIVE_TOTAL_COUNT; i++) {
		advance(&node->totals[i], &p->totals[i],
			number(said, total_names[i]));
	}
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		advance(&node->outcomes[i], &p->outcomes[i],
			number(outcomes, outcome_name((enum outcome)i)));
	}
	facts_take(node, p, said);
	p->held = number(said, "held");
	if (p->last.unix_s != second) {
		p->before = p->last;
		p->last.unix_s = second;
	}
	p->last.in = p->totals[LIVE_IN];
	p->last.out = p->totals[LIVE_OUT];
}

static int take(struct live *c, const struct json *said, int64_t now_mono_ms)
{
	char node[LIVE_NAME_BYTES + 1] = "";
	char host[LIVE_NAME_BYTES + 1] = "";
	size_t rank = rank_of(json_text(json_get(said, "program")));
	struct process *p;
	size_t place;
	int64_t pid;

	if (name_copy(node, json_text(json_get(said, "node"))) != 0 ||
		name_copy(host, json_text(json_get(said, "host"))) != 0 ||
		json_int(json_get(said, "pid"), &pid) != 0) {
		return -1;
	}
	live_sweep(c, now_mono_ms);
	place = node_place(c, node, rank);
	if (place == LIVE_NODES_MAX) {
		return -1;
	}
	p = process_find(c, place, host, pid);
	if (p != NULL && number(said, "in") >= p->totals[LIVE_IN] &&
		number(said, "out") >= p->totals[LIVE_OUT]) {
		p->last_mono_ms = now_mono_ms;
		process_take(c, p, said);
		return 0;
	}
	/* New, or another process under the same number (in containers all are
	 * number 1). */
	if (p == NULL) {
		if (c->process_count == LIVE_PROCESSES_MAX) {
			return -1;
		}
		p = &c->processes[c->process_count++];
	} else {
		process_release(p);
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

struct live *live_new(void)
{
	return mem_array(1, sizeof(struct live));
}

void live_free(struct live *c)
{
	for (size_t i = 0; c != NULL && i < c->process_count; i++) {
		process_release(&c->processes[i]);
	}
	for (size_t i = 0; c != NULL && i < c->node_count; i++) {
		counted_list_release(&c->nodes[i].rules);
	}
	mem_free(c);
}

int live_take(
	struct live *c, const char *bytes, size_t len, int64_t now_mono_ms)
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

void live_sweep(struct live *c, int64_t now_mono_ms)
{
	for (size_t i = c->process_count; i-- > 0;) {
		struct process *p = &c->processes[i];
		size_t rank = c->nodes[p->node].rank;

		if (now_mono_ms - p->last_mono_ms <= LIVE_STALE_MS) {
			continue;
		}
		process_release(p);
		*p = c->processes[--c->process_count];
		restart_around(c, rank, now_mono_ms);
	}
}

size_t live_count(const struct live *c)
{
	return c->node_count;
}

const struct live_node *live_at(const struct live *c, size_t i)
{
	return &c->nodes[i];
}

/* The newest second that all processes of the two ranks have told about. */
static int64_t common_second(const struct live *c, size_t before, size_t rank)
{
	int64_t second = INT64_MAX;

	for (size_t i = 0; i < c->process_count; i++) {
		const struct process *p = &c->processes[i];
		size_t own = c->nodes[p->node].rank;

		if ((own == before || own == rank) && p->last.unix_s < second) {
			second = p->last.unix_s;
		}
	}
	return second;
}

static uint64_t since(uint64_t now, uint64_t base)
{
	return now > base ? now - base : 0;
}

static uint64_t pipe_now(const struct live *c, size_t before, size_t rank)
{
	int64_t second = common_second(c, before, rank);
	uint64_t written = 0;
	uint64_t read = 0;

	for (size_t i = 0; i < c->process_count; i++) {
		const struct process *p = &c->processes[i];
		const struct sample *s =
			p->last.unix_s <= second ? &p->last : &p->before;

		if (c->nodes[p->node].rank == before) {
			written += since(s->out, p->out_base);
		}
		if (c->nodes[p->node].rank == rank) {
			read += since(s->in, p->in_base);
		}
	}
	return since(written, read);
}

struct live_now live_now(const struct live *c, size_t i)
{
	struct live_now now = { 0 };
	size_t rank = c->nodes[i].rank;
	size_t before = rank == 0 ? 0 : rank_before(c, rank);

	for (size_t n = 0; n < c->process_count; n++) {
		if (c->processes[n].node == i) {
			now.processes++;
			now.inside += c->processes[n].held;
		}
	}
	now.has_pipe = before != 0 && now.processes > 0;
	if (now.has_pipe) {
		now.pipe = pipe_now(c, before, rank);
	}
	return now;
}

int64_t live_gauge(const struct live *c, size_t i, size_t fact)
{
	int64_t value = node_facts[fact].sort == FACT_SUM ? 0 : FACT_NONE;

	for (size_t n = 0; n < c->process_count; n++) {
		if (c->processes[n].node == i) {
			fact_add(&node_facts[fact], &value,
				c->processes[n].facts[fact]);
		}
	}
	return value;
}

struct credential_list live_credentials(const struct live *c, size_t i)
{
	struct credential_list all = { 0 };

	for (size_t n = 0; n < c->process_count; n++) {
		if (c->processes[n].node == i) {
			credential_list_add(&all, &c->processes[n].credentials);
		}
	}
	return all;
}

uint64_t live_bad(const struct live *c)
{
	return c->bad;
}

const char *live_total_name(enum live_total total)
{
	return total_names[total];
}
