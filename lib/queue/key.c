/* Checks and builds the names of keys. */
#include "queue/key.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"

enum { KEY_MAX_BYTES = 2 * KEY_NAME_MAX_BYTES + 64 };

bool key_is_queue(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (c <= ' ' || c > '~' || c == '{' || c == '}') {
			return false;
		}
	}
	return name.len > 0 && name.len <= KEY_NAME_MAX_BYTES;
}

bool key_is_worker(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '.' || c == '_' ||
			    c == '-')) {
			return false;
		}
	}
	return name.len > 0 && name.len <= KEY_NAME_MAX_BYTES;
}

void key_host_worker(char dst[KEY_NAME_MAX_BYTES + 1])
{
	memset(dst, 0, KEY_NAME_MAX_BYTES + 1);
	if (gethostname(dst, KEY_NAME_MAX_BYTES) != 0 || dst[0] == '\0') {
		memcpy(dst, "worker", sizeof("worker"));
	}
	for (char *c = dst; *c != '\0'; c++) {
		if (!key_is_worker((struct span){ c, 1 })) {
			*c = '-';
		}
	}
}

void key_uid_prefix(const char *queue, char dst[KEY_UID_PREFIX_LEN + 1])
{
	struct digest name = digest_of(queue, strlen(queue));

	digest_hex(&name, KEY_UID_PREFIX_LEN / 2, dst);
}

char *key_take(const char *queue, const char *what, const char *worker)
{
	struct buf key;
	char *taken;

	buf_init(&key, KEY_MAX_BYTES);
	buf_fmt(&key, "{%s}:%s", queue, what);
	if (worker != NULL) {
		buf_fmt(&key, ":%s", worker);
	}
	taken = mem_text(buf_string(&key));
	buf_release(&key);
	return taken;
}
