/* Dead tokens, counted by app and platform. */
#include "store/prune.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct group {
	char *app; /* owned; "" for none */
	enum platform platform;
	uint64_t dead;
	uint64_t registered;
};

/* A token that would go. */
struct candidate {
	struct digest key;
	size_t group;
};

struct prune {
	struct devices *devices;
	struct group *groups; /* owned */
	size_t group_count;
	struct candidate *list; /* owned */
	size_t count;
	size_t cap;
};

struct prune *prune_new(struct devices *devices)
{
	struct prune *p = mem_array(1, sizeof(*p));

	p->devices = devices;
	return p;
}

void prune_free(struct prune *p)
{
	if (p == NULL) {
		return;
	}
	for (size_t i = 0; i < p->group_count; i++) {
		mem_free(p->groups[i].app);
	}
	mem_free(p->groups);
	mem_free(p->list);
	mem_free(p);
}

static size_t group_find(
	const struct prune *p, struct span app, enum platform platform)
{
	size_t i = 0;

	while (i < p->group_count &&
		(p->groups[i].platform != platform ||
			!span_equal(span_of(p->groups[i].app), app))) {
		i++;
	}
	return i;
}

int prune_look(struct prune *p, const struct device *d, int64_t dead_unix_ms,
	struct err *err)
{
	size_t is_there = 0;
	size_t group;

	if (devices_prune(p->devices, d, dead_unix_ms, true, &is_there, err) !=
		0) {
		return -1;
	}
	if (is_there == 0) {
		return 0;
	}
	group = group_find(p, d->app, d->platform);
	if (group == p->group_count) {
		p->groups = mem_resize(
			p->groups, ++p->group_count, sizeof(*p->groups));
		p->groups[group] = (struct group){
			.app = mem_dup(d->app.ptr == NULL ? "" : d->app.ptr,
				d->app.len),
			.platform = d->platform,
		};
	}
	if (p->count == p->cap) {
		p->cap = p->cap == 0 ? 1024 : p->cap * 2;
		p->list = mem_resize(p->list, p->cap, sizeof(*p->list));
	}
	p->list[p->count++] = (struct candidate){ device_key(d), group };
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct candidate *x = a;
	const struct candidate *y = b;

	return memcmp(x->key.bytes, y->key.bytes, DIGEST_BYTES);
}

static bool is_first(const struct prune *p, size_t i)
{
	return i == 0 || compare(p->list + i - 1, p->list + i) != 0;
}

/* Sorts the tokens, so that each is counted once. */
static void count_dead(struct prune *p)
{
	for (size_t i = 0; i < p->group_count; i++) {
		p->groups[i].dead = 0;
	}
	if (p->count > 0) {
		qsort(p->list, p->count, sizeof(*p->list), compare);
	}
	for (size_t i = 0; i < p->count; i++) {
		if (is_first(p, i)) {
			p->groups[p->list[i].group].dead++;
		}
	}
}

uint64_t prune_count(const struct prune *p)
{
	uint64_t count = 0;

	for (size_t i = 0; i < p->group_count; i++) {
		count += p->groups[i].dead;
	}
	return count;
}

static bool count_registered(void *self, struct span line)
{
	struct prune *p = self;
	struct err err = { 0 };
	struct json_doc *doc =
		json_parse(line.ptr, line.len, JSON_STRICT, &err);
	const struct json *root = json_root(doc);
	struct span app = json_text(json_get(root, "app"));
	size_t group = group_find(p, app.ptr == NULL ? span_of("") : app,
		platform_parse(json_text(json_get(root, "platform"))));

	if (group < p->group_count) {
		p->groups[group].registered++;
	}
	json_free(doc);
	return true;
}

static int judge_most(
	const struct prune *p, const struct prune_brake *brake, struct err *err)
{
	for (size_t i = 0; i < p->group_count; i++) {
		const struct group *g = p->groups + i;

		if (g->dead > brake->most) {
			return err_usage(err, 0,
				"%" PRIu64
				" %s devices of app '%s' are said to "
				"be dead, more than %" PRIu64
				" at once: nothing is removed; is its "
				"credential or environment wrong?",
				g->dead, platform_name(g->platform), g->app,
				brake->most);
		}
	}
	return 0;
}

int prune_judge(
	struct prune *p, const struct prune_brake *brake, struct err *err)
{
	int64_t percent = brake->percent;
	bool has_many = false;

	count_dead(p);
	if (judge_most(p, brake, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < p->group_count; i++) {
		p->groups[i].registered = 0;
		has_many = has_many || p->groups[i].dead > PRUNE_FEW;
	}
	if (percent >= 100 || !has_many) {
		return 0;
	}
	if (devices_each(p->devices, count_registered, p, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < p->group_count; i++) {
		const struct group *g = p->groups + i;

		if (g->dead > PRUNE_FEW &&
			g->dead * 100 > g->registered * (uint64_t)percent) {
			return err_usage(err, 0,
				"%" PRIu64 " of the %" PRIu64
				" %s devices of app '%s' are said to be dead, "
				"more than %" PRId64
				"%%: nothing is removed; is its credential or "
				"environment wrong?",
				g->dead, g->registered,
				platform_name(g->platform), g->app, percent);
		}
	}
	return 0;
}
