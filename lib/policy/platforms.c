/* Sets of platforms, by app. */
#include "policy/platforms.h"

#include "base/mem.h"
#include "policy/nameset.h"

struct platforms {
	struct nameset apps;        /* the count of an entry: its place + 1 */
	struct platforms_set *sets; /* owned; by place */
};

struct platforms_set platforms_read(const struct json *app)
{
	const struct json *list = json_get(app, "platforms");
	struct platforms_set set = { .is_listed = list != NULL };
	struct json_iter it = json_iter(list);
	const struct json *v;

	while ((v = json_next(&it)) != NULL) {
		set.has[platform_parse(json_text(v))] = true;
	}
	return set;
}

bool platforms_allow(const struct platforms_set *set, enum platform platform)
{
	return !set->is_listed || set->has[platform];
}

struct platforms *platforms_new(const struct conf *conf)
{
	struct platforms *p = mem_array(1, sizeof(*p));
	const struct json *apps = conf == NULL ? NULL : conf_at(conf, "apps");
	struct json_iter it = json_iter(apps);
	const struct json *v;

	p->sets = mem_array(json_count(apps) + 1, sizeof(*p->sets));
	while ((v = json_next(&it)) != NULL) {
		struct nameset_entry *e = nameset_add(&p->apps, it.name);

		e->count = p->apps.count;
		p->sets[e->count - 1] = platforms_read(v);
	}
	return p;
}

void platforms_free(struct platforms *p)
{
	if (p != NULL) {
		nameset_release(&p->apps);
		mem_free(p->sets);
		mem_free(p);
	}
}

const struct platforms_set *platforms_of(
	const struct platforms *p, struct span app)
{
	const struct nameset_entry *e = nameset_find(&p->apps, app);

	return e != NULL && p->sets[e->count - 1].is_listed
		       ? &p->sets[e->count - 1]
		       : NULL;
}
