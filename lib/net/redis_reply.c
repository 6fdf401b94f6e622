/* What a reply of Redis holds, and the name of a script (net/redis.h). */
#include "net/redis.h"

#include <hiredis/hiredis.h>

enum redis_type redis_type(const struct redis_reply *reply)
{
	const redisReply *x = (const redisReply *)reply;

	switch (x == NULL ? REDIS_REPLY_NIL : x->type) {
	case REDIS_REPLY_INTEGER:
		return REDIS_TYPE_INT;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return REDIS_TYPE_TEXT;
	case REDIS_REPLY_ARRAY:
		return REDIS_TYPE_LIST;
	case REDIS_REPLY_ERROR:
		return REDIS_TYPE_ERROR;
	default:
		return REDIS_TYPE_NIL;
	}
}

int64_t redis_int(const struct redis_reply *reply)
{
	return redis_type(reply) == REDIS_TYPE_INT
		       ? ((const redisReply *)reply)->integer
		       : 0;
}

struct span redis_text(const struct redis_reply *reply)
{
	const redisReply *x = (const redisReply *)reply;
	enum redis_type type = redis_type(reply);

	return type == REDIS_TYPE_TEXT || type == REDIS_TYPE_ERROR
		       ? (struct span){ x->str, x->len }
		       : (struct span){ NULL, 0 };
}

size_t redis_count(const struct redis_reply *reply)
{
	return redis_type(reply) == REDIS_TYPE_LIST
		       ? ((const redisReply *)reply)->elements
		       : 0;
}

const struct redis_reply *redis_at(const struct redis_reply *reply, size_t i)
{
	return i < redis_count(reply)
		       ? (const struct redis_reply *)((const redisReply *)reply)
				 ->element[i]
		       : NULL;
}

void redis_script_init(struct redis_script *s, struct span body)
{
	s->body = body;
	digest_sha1_hex(body.ptr, body.len, s->sha1);
}
