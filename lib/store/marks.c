/* Both stores, their rules, and what is to be asked of them. */
#include "store/marks.h"

#include <string.h>

#include "base/mem.h"
#include "policy/mark.h"
#include "store/store.h"
#include "store/url.h"

struct marks {
	int64_t dedupe_window_ms;
	struct store *dedupe;              /* owned; NULL: nothing to mark in */
	struct store *fatigue;             /* owned; NULL likewise */
	struct dedupe_rules *dedupe_rules; /* owned */
	struct fatigue_rules *fatigue_rules; /* owned */
	struct store_asks dedupe_asks;
	struct store_asks fatigue_asks;
};

static int open_store(struct store **out, const char *given,
	const struct conf *conf, const char *path, struct err *err)
{
	char *url =
		given != NULL ? mem_text(given) : store_url_take(conf, path);
	int failed = 0;

	if (strcmp(url, "memory:") != 0) {
		failed = store_open(out, url, err);
	}
	mem_free(url);
	return failed;
}

int marks_check(const struct marks_settings *settings, const struct conf *conf,
	struct err *err)
{
	const struct store_choice dedupe = { settings->dedupe_url,
		"dedupe.store", false };
	const struct store_choice fatigue = { settings->fatigue_url,
		"fatigue.store", false };
	struct marks *m = mem_array(1, sizeof(*m));
	int failed = 0;

	m->dedupe_window_ms = settings->dedupe_window_ms;
	if (marks_reload(m, conf, err) != 0 ||
		store_choice_check(&dedupe, conf, err) != 0 ||
		store_choice_check(&fatigue, conf, err) != 0) {
		failed = -1;
	}
	marks_close(m);
	return failed;
}

int marks_open(struct marks **out, const struct marks_settings *settings,
	const struct conf *conf, struct err *err)
{
	struct marks *m = mem_array(1, sizeof(*m));

	m->dedupe_window_ms = settings->dedupe_window_ms;
	if (marks_reload(m, conf, err) != 0 ||
		open_store(&m->dedupe, settings->dedupe_url, conf,
			"dedupe.store", err) != 0 ||
		open_store(&m->fatigue, settings->fatigue_url, conf,
			"fatigue.store", err) != 0) {
		marks_close(m);
		return -1;
	}
	*out = m;
	return 0;
}

void marks_close(struct marks *m)
{
	if (m == NULL) {
		return;
	}
	store_close(m->dedupe);
	store_close(m->fatigue);
	dedupe_rules_free(m->dedupe_rules);
	fatigue_rules_free(m->fatigue_rules);
	store_asks_release(&m->dedupe_asks);
	store_asks_release(&m->fatigue_asks);
	mem_free(m);
}

int marks_reload(struct marks *m, const struct conf *conf, struct err *err)
{
	struct dedupe_rules *dedupe = NULL;
	struct fatigue_rules *fatigue = NULL;

	if (dedupe_rules_new(&dedupe, conf, m->dedupe_window_ms, err) != 0) {
		return -1;
	}
	if (fatigue_rules_new(&fatigue, conf, err) != 0) {
		dedupe_rules_free(dedupe);
		return -1;
	}
	dedupe_rules_free(m->dedupe_rules);
	fatigue_rules_free(m->fatigue_rules);
	m->dedupe_rules = dedupe;
	m->fatigue_rules = fatigue;
	return 0;
}

void marks_reset(struct marks *m)
{
	store_asks_reset(&m->dedupe_asks);
	store_asks_reset(&m->fatigue_asks);
}

void marks_add(struct marks *m, const struct record *r, unsigned flags)
{
	mark_ask_dedupe(r, flags, m->dedupe_rules, &m->dedupe_asks);
	mark_ask_fatigue(r, flags, m->fatigue_rules, &m->fatigue_asks);
}

int marks_exchange(struct marks *m, struct err *err)
{
	if (m->dedupe != NULL && store_exchange(m->dedupe, m->dedupe_asks.items,
					 m->dedupe_asks.count, err) != 0) {
		return -1;
	}
	return m->fatigue == NULL
		       ? 0
		       : store_exchange(m->fatigue, m->fatigue_asks.items,
				 m->fatigue_asks.count, err);
}
