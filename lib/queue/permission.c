/* Calls permission.lua and puts its answer into words. */
#include "queue/permission.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/redis.h"
#include "queue/key.h"

enum { NAMES_MAX_BYTES = 256 };

extern const char asset_permission_lua[];
extern const size_t asset_permission_lua_len;

static int complain(
	struct redis *r, const struct redis_reply *refused, struct err *err)
{
	struct buf names;
	int result;

	buf_init(&names, NAMES_MAX_BYTES);
	for (size_t i = 0; i < redis_count(refused); i++) {
		struct span name = redis_text(redis_at(refused, i));

		buf_text(&names, i > 0 ? ", " : "");
		buf_put(&names, name.ptr, name.len);
	}
	result = err_usage(err, 0,
		"%s: does not permit our user %s; see push-queue(7)",
		redis_name(r), buf_string(&names));
	buf_release(&names);
	return result;
}

int permission_look(
	struct redis *r, const char *queue, const char *worker, struct err *err)
{
	char *key = key_take(queue, "probe", worker);
	const struct redis_reply *refused;
	struct redis_script script;
	int result;

	redis_script_init(&script, (struct span){ asset_permission_lua,
					   asset_permission_lua_len });
	redis_append_script(r, &script, 1, 1, (struct span[]){ span_of(key) });
	result = redis_reply(r, &refused, err);
	if (result == 0 && redis_count(refused) > 0) {
		result = complain(r, refused, err);
	}
	mem_free(key);
	return result;
}
