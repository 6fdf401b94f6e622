/*
 * A Redis server for unit tests: on a Unix socket in a folder of its own, and
 * gone with the test.
 */
#ifndef PUSH_UNIT_REDIS_SERVER_H
#define PUSH_UNIT_REDIS_SERVER_H

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "net/redis.h"
#include "test.h"

struct server {
	char folder[64];
	char path[96]; /* of its socket */
	char url[128];
	pid_t pid;
};

static inline void server_wait_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

static inline void server_start(struct server *s)
{
	(void)unlink(s->path);
	s->pid = fork();
	CHECK(s->pid >= 0);
	if (s->pid == 0) {
		int null = open("/dev/null", O_RDWR);

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		(void)execlp("redis-server", "redis-server", "--port", "0",
			"--unixsocket", s->path, "--save", "", "--dir",
			s->folder, (char *)NULL);
		_exit(127);
	}
	for (int left_ms = 20000; left_ms > 0; left_ms -= 10) {
		struct redis *r = NULL;
		struct err err = { 0 };

		if (redis_open(&r, s->url, &err) == 0) {
			redis_close(r);
			return;
		}
		server_wait_ms(10);
	}
	CHECK(0);
}

static inline void server_stop(struct server *s)
{
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
}

/* Begins with an empty server. */
static inline void server_begin(struct server *s)
{
	CHECK(fmt_into(s->folder, sizeof(s->folder), "/tmp/unit.XXXXXX") == 0);
	CHECK(mkdtemp(s->folder) != NULL);
	CHECK(fmt_into(s->path, sizeof(s->path), "%s/s", s->folder) == 0);
	CHECK(fmt_into(s->url, sizeof(s->url), "unix://%s", s->path) == 0);
	server_start(s);
}

static inline void server_end(struct server *s)
{
	server_stop(s);
	(void)unlink(s->path);
	(void)rmdir(s->folder);
}

#endif
