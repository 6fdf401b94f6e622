/* Finds the place that an URL names, and passes on to it. */
#include "store/store.h"

#include <string.h>

#include "base/mem.h"
#include "policy/dedupe.h"
#include "policy/fatigue.h"
#include "store/backend.h"
#include "store/url.h"

struct store {
	const struct store_backend *backend;
	void *self;
};

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

char *store_url_take(const struct conf *conf, const char *path)
{
	const char *url =
		conf_text(conf, path, conf_text(conf, "redis", "memory:"));
	size_t scheme_len = strlen("lmdb:");
	struct buf b;
	char *file;

	if (!starts_with(url, "lmdb:") || url[scheme_len] == '\0') {
		return mem_text(url);
	}
	file = conf_file_take(conf, url + scheme_len);
	buf_init(&b, SIZE_MAX);
	buf_text(&b, "lmdb:");
	buf_text(&b, file);
	mem_free(file);
	(void)buf_string(&b);
	return b.data;
}

int store_open(struct store **out, const char *url, struct err *err)
{
	const struct store_backend *backend;
	void *self = NULL;

	if (strcmp(url, "memory:") == 0) {
		backend = store_memory_open(&self);
	} else if (starts_with(url, "lmdb:")) {
		backend = store_embedded_open(&self, url, err);
	} else if (starts_with(url, "redis") || starts_with(url, "unix:")) {
		backend = store_redis_open(&self, url, err);
	} else {
		return store_url_check(url, err); /* tells what is expected */
	}
	if (backend == NULL) {
		return -1;
	}
	*out = mem_array(1, sizeof(**out));
	(*out)->backend = backend;
	(*out)->self = self;
	return 0;
}

void store_close(struct store *s)
{
	if (s != NULL) {
		s->backend->close(s->self);
		mem_free(s);
	}
}

char *store_choice_take(
	const struct store_choice *choice, const struct conf *conf)
{
	if (choice->option != NULL) {
		return mem_text(choice->option);
	}
	return choice->is_replay ? mem_text("memory:")
				 : store_url_take(conf, choice->path);
}

int store_place_open(struct store_place *p, const struct store_choice *choice,
	const struct conf *conf, struct err *err)
{
	struct store *store = NULL;
	char *url = store_choice_take(choice, conf);

	if (p->url != NULL && strcmp(url, p->url) == 0) {
		mem_free(url);
		return 0;
	}
	if (store_open(&store, url, err) != 0) {
		mem_free(url);
		return -1;
	}
	store_place_close(p);
	*p = (struct store_place){ store, url };
	return 0;
}

void store_place_close(struct store_place *p)
{
	store_close(p->store);
	mem_free(p->url);
	*p = (struct store_place){ .store = NULL };
}

int store_exchange(
	struct store *s, struct store_ask *asks, size_t count, struct err *err)
{
	return count == 0 ? 0 : s->backend->exchange(s->self, asks, count, err);
}

enum store_answer store_apply(
	const struct store_ask *ask, struct store_cell *cell)
{
	switch (ask->verb) {
	case STORE_DEDUPE_RESERVE:
	case STORE_DEDUPE_EXTEND:
	case STORE_DEDUPE_DONE:
	case STORE_DEDUPE_RELEASE:
		return dedupe_apply(ask, cell);
	case STORE_FATIGUE_TAKE:
	case STORE_FATIGUE_KEEP:
	case STORE_FATIGUE_RELEASE:
		return fatigue_apply(ask, cell);
	}
	BUG("unknown verb %d", (int)ask->verb);
}
