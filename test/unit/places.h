/*
 * Places for state, for tests of what lib/store keeps: a Redis server of our own
 * on a Unix socket, and a folder for LMDB files.  Both go away with the test.
 */
#ifndef PUSH_UNIT_PLACES_H
#define PUSH_UNIT_PLACES_H

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/redis.h"
#include "test.h"

static char folder[64];
static char redis_url[128];
static char lmdb_url[128]; /* one file, not synced: power will not fail */
static pid_t places_server;

static inline void places_server_start(void)
{
	char path[96];

	CHECK(fmt_into(path, sizeof(path), "%s/s", folder) == 0);
	places_server = fork();
	if (places_server == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen("/dev/null", "w", stdout) == NULL) {
			_exit(126);
		}
		(void)execlp("redis-server", "redis-server", "--port", "0",
			"--unixsocket", path, "--save", "", "--dir", folder,
			(char *)NULL);
		_exit(127);
	}
	for (int left_ms = 20000; left_ms > 0; left_ms -= 10) {
		struct redis *r = NULL;

		if (redis_open(&r, redis_url, NULL) == 0) {
			redis_close(r);
			return;
		}
		(void)poll(NULL, 0, 10);
	}
	printf("Bail out! no redis-server\n");
	exit(1);
}

/* Call first in main(). */
static inline void places_begin(void)
{
	CHECK(fmt_into(folder, sizeof(folder), "/tmp/push-test.XXXXXX") == 0);
	CHECK(mkdtemp(folder) != NULL);
	CHECK(fmt_into(redis_url, sizeof(redis_url), "unix://%s/s", folder) ==
		0);
	CHECK(fmt_into(lmdb_url, sizeof(lmdb_url), "lmdb:%s/x?sync=none",
		      folder) == 0);
	places_server_start();
}

/* Call last. */
static inline void places_end(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[384];

	(void)kill(places_server, SIGKILL);
	(void)waitpid(places_server, NULL, 0);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.') {
			CHECK(fmt_into(path, sizeof(path), "%s/%s", folder,
				      entry->d_name) == 0);
			(void)unlink(path);
		}
	}
	if (dir != NULL) {
		(void)closedir(dir);
	}
	(void)rmdir(folder);
}

#endif
