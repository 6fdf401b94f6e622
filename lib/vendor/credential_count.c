/* What a person should know of each credential, for the counters' datagram. */
#include "base/clock.h"
#include "vendor/credential.h"
#include "vendor/pool.h"

/* A datagram is no place for a thousand. */
enum { COUNT_MAX_BYTES = 6 * 1024, NUMBERS_MAX_BYTES = 256 };

static void put_number(struct buf *json, const char *name, int64_t n)
{
	buf_fmt(json, ",\"%s\":%lld", name, (long long)n);
}

static void put_credential(
	struct buf *json, const struct credential *c, const char *app)
{
	const int64_t now_unix_ms = clock_unix_ms();
	size_t connections = 0;
	size_t streams = 0;
	size_t broken = 0;

	for (size_t i = 0; i < VENDOR_ENDPOINTS_MAX; i++) {
		const struct pool *p = c->pools[i];

		connections += p != NULL ? pool_connections(p) : 0;
		streams += p != NULL ? pool_streams(p) : 0;
		broken += p != NULL && pool_is_broken(p);
	}
	buf_text(json, "{\"app\":");
	json_put_text(json, app, strlen(app));
	put_number(json, "connections", (int64_t)connections);
	put_number(json, "streams", (int64_t)streams);
	put_number(json, "breakers_open", (int64_t)broken);
	put_number(json, "token_failures", c->failures);
	if (c->token != NULL) {
		put_number(json, "token_age_s",
			(now_unix_ms - c->token_made_unix_ms) / 1000);
	}
	/* One that is made here has no end: it is replaced when due. */
	if (c->token != NULL && c->token_end_unix_ms != INT64_MAX) {
		put_number(
			json, "token_expires_s", c->token_end_unix_ms / 1000);
	}
	if (c->certificate != NULL) {
		put_number(json, "certificate_expires_s",
			c->certificate_end_unix_ms / 1000);
	}
	buf_putc(json, '}');
}

void credentials_count(const struct credentials *all, struct buf *json)
{
	const size_t begin = json->len;

	buf_text(json, ",\"credentials\":[");
	for (const struct credential *c = credentials_first(all); c != NULL;
		c = c->next) {
		const char *app = credential_app_name(c);

		/* Escapes make a name longer. */
		if (c->refs == 0 || json->len - begin + strlen(app) * 6 +
						    NUMBERS_MAX_BYTES >
					    COUNT_MAX_BYTES) {
			continue;
		}
		if (json->data[json->len - 1] != '[') {
			buf_putc(json, ',');
		}
		put_credential(json, c, app);
	}
	buf_putc(json, ']');
}
