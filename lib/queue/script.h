/* The queue's Lua scripts: each is lib/queue/entry.lua and its own text; those
 * that look for tasks by id have task.lua between. */
#ifndef PUSH_QUEUE_SCRIPT_H
#define PUSH_QUEUE_SCRIPT_H

#include "net/redis.h"

struct script {
	struct redis_script call; /* for redis_append_script() */
	char *text;               /* owned */
};

enum script_name {
	SCRIPT_CLAIM,
	SCRIPT_HOLD,
	SCRIPT_RELEASE,
	SCRIPT_RECOVER,
	SCRIPT_RESUME,
	SCRIPT_SETTLE,
	SCRIPT_INSPECT,
	SCRIPT_LETTERS,
	SCRIPT_CANCEL,
};

void script_init(struct script *s, enum script_name name);
void script_release(struct script *s);

#endif
