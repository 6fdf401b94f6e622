/* Reads the feedback twice: to count dead tokens by app and platform, and, when
 * the brake lets them go, to remove them. */
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

/* What was found dead. */
struct tally {
	struct devices *devices;
	struct group *groups; /* owned */
	size_t group_count;
	struct candidate *list; /* owned */
	size_t count;
	size_t cap;
};

static void tally_release(struct tally *t)
{
	for (size_t i = 0; i < t->group_count; i++) {
		mem_free(t->groups[i].app);
	}
	mem_free(t->groups);
	mem_free(t->list);
}

static size_t group_find(
	const struct tally *t, struct span app, enum platform platform)
{
	size_t i = 0;

	while (i < t->group_count &&
		(t->groups[i].platform != platform ||
			!span_equal(span_of(t->groups[i].app), app))) {
		i++;
	}
	return i;
}

/* Looks at a token; the same one again counts once. */
static int look(struct tally *t, const struct device *d, int64_t dead_unix_ms,
	struct err *err)
{
	size_t is_there = 0;
	size_t group;

	if (devices_prune(t->devices, d, dead_unix_ms, true, &is_there, err) !=
		0) {
		return -1;
	}
	if (is_there == 0) {
		return 0;
	}
	group = group_find(t, d->app, d->platform);
	if (group == t->group_count) {
		t->groups = mem_resize(
			t->groups, ++t->group_count, sizeof(*t->groups));
		t->groups[group] = (struct group){
			.app = mem_dup(d->app.ptr == NULL ? "" : d->app.ptr,
				d->app.len),
			.platform = d->platform,
		};
	}
	if (t->count == t->cap) {
		t->cap = t->cap == 0 ? 1024 : t->cap * 2;
		t->list = mem_resize(t->list, t->cap, sizeof(*t->list));
	}
	t->list[t->count++] = (struct candidate){ device_key(d), group };
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct candidate *x = a;
	const struct candidate *y = b;

	return memcmp(x->key.bytes, y->key.bytes, DIGEST_BYTES);
}

static bool is_first(const struct tally *t, size_t i)
{
	return i == 0 || compare(t->list + i - 1, t->list + i) != 0;
}

/* Sorts the tokens, so that each is counted once. */
static void count_dead(struct tally *t)
{
	for (size_t i = 0; i < t->group_count; i++) {
		t->groups[i].dead = 0;
	}
	if (t->count > 0) {
		qsort(t->list, t->count, sizeof(*t->list), compare);
	}
	for (size_t i = 0; i < t->count; i++) {
		if (is_first(t, i)) {
			t->groups[t->list[i].group].dead++;
		}
	}
}

static uint64_t count_of(const struct tally *t)
{
	uint64_t count = 0;

	for (size_t i = 0; i < t->group_count; i++) {
		count += t->groups[i].dead;
	}
	return count;
}

static bool count_registered(void *self, struct span line)
{
	struct tally *t = self;
	struct err err = { 0 };
	struct json_doc *doc =
		json_parse(line.ptr, line.len, JSON_STRICT, &err);
	const struct json *root = json_root(doc);
	struct span app = json_text(json_get(root, "app"));
	size_t group = group_find(t, app.ptr == NULL ? span_of("") : app,
		platform_parse(json_text(json_get(root, "platform"))));

	if (group < t->group_count) {
		t->groups[group].registered++;
	}
	json_free(doc);
	return true;
}

static int judge_most(
	const struct tally *t, const struct prune *brake, struct err *err)
{
	for (size_t i = 0; i < t->group_count; i++) {
		const struct group *g = t->groups + i;

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

/* 0 when no platform of any app would lose more than the brake allows; else a
 * usage failure that tells the first such. */
static int judge(struct tally *t, const struct prune *brake, struct err *err)
{
	int64_t percent = brake->percent;
	bool has_many = false;

	count_dead(t);
	if (judge_most(t, brake, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < t->group_count; i++) {
		t->groups[i].registered = 0;
		has_many = has_many || t->groups[i].dead > PRUNE_FEW;
	}
	if (percent >= 100 || !has_many) {
		return 0;
	}
	if (devices_each(t->devices, count_registered, t, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < t->group_count; i++) {
		const struct group *g = t->groups + i;

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

/* --- the feedback --- */

/* What an entry says about a device; false when it does not call it dead. */
static bool is_dead(const struct feedback_entry *e, struct device *d,
	int64_t *since_unix_ms)
{
	*d = (struct device){ .app = e->app,
		.platform = platform_parse(e->platform),
		.token = e->token };
	*since_unix_ms =
		e->vendor_unix_ms > 0 ? e->vendor_unix_ms : e->at_unix_ms;
	return span_is(e->reason, "token-dead") && d->token.len > 0 &&
	       d->platform != PLATFORM_NONE;
}

/* Reads the feedback from where the last prune stopped; with `seen' tokens are
 * only looked at, else removed and counted in *removed. */
static int walk(struct feedback *f, struct devices *devices, struct tally *seen,
	uint64_t *removed, struct err *err)
{
	const struct feedback_entry *entries;
	size_t count = 0;

	if (feedback_rewind(f, err) != 0) {
		return -1;
	}
	do {
		if (feedback_read(f, &entries, &count, err) != 0) {
			return -1;
		}
		for (size_t i = 0; i < count; i++) {
			struct device d;
			int64_t since_unix_ms;
			size_t n = 0;

			if (is_dead(entries + i, &d, &since_unix_ms) &&
				(seen != NULL ? look(seen, &d, since_unix_ms,
							err)
					      : devices_prune(devices, &d,
							since_unix_ms, false,
							&n, err)) != 0) {
				return -1;
			}
			*removed += n;
		}
		if (seen == NULL && count > 0 && feedback_save(f, err) != 0) {
			return -1;
		}
	} while (count > 0);
	return 0;
}

int prune_run(const struct prune *p, struct devices *devices,
	struct feedback *feedback, uint64_t *count, struct err *err)
{
	struct tally seen = { .devices = devices };
	int result;

	*count = 0;
	result = walk(feedback, devices, &seen, count, err);
	if (result == 0) {
		result = judge(&seen, p, err);
	}
	if (result == 0 && p->is_dry) {
		*count = count_of(&seen);
	} else if (result == 0) {
		result = walk(feedback, devices, NULL, count, err);
	}
	tally_release(&seen);
	return result;
}
