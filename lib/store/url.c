/* Each kind of URL is judged by who would open it. */
#include "store/url.h"

#include <string.h>

#include "base/mem.h"
#include "net/redis_url.h"
#include "store/lmdb.h"

int store_url_check(const char *url, struct err *err)
{
	if (strncmp(url, "lmdb:", strlen("lmdb:")) == 0) {
		return lmdb_check(url, err);
	}
	if (strncmp(url, "redis", strlen("redis")) == 0 ||
		strncmp(url, "unix:", strlen("unix:")) == 0) {
		return redis_url_check(url, err);
	}
	if (strcmp(url, "memory:") == 0) {
		return 0;
	}
	/* Not the whole of it: it may hold a password. */
	return err_usage(err, 0,
		"unknown store '%.*s': expected memory:, lmdb:PATH, "
		"redis://HOST or unix:///PATH",
		(int)strcspn(url, ":/?@"), url);
}

int store_choice_check(const struct store_choice *choice,
	const struct conf *conf, struct err *err)
{
	char *url = store_choice_take(choice, conf);
	int failed = store_url_check(url, err);

	mem_free(url);
	if (failed != 0 && choice->option == NULL) {
		return err_prefix(err, "'%s'",
			conf_at(conf, choice->path) != NULL ? choice->path
							    : "redis");
	}
	return failed;
}
