/* What the engine tells the collector. */
#include "base/clock.h"
#include "vendor/engine_core.h"

void engine_count(const struct engine *e, struct buf *json)
{
	const struct credential *c = credentials_first(e->credentials);
	size_t connections = 0;
	size_t streams = 0;
	size_t waiting = 0;
	size_t broken = 0;
	uint64_t paced = 0;
	int64_t oldest_unix_ms = 0;

	for (; c != NULL; c = c->next) {
		if (c->token != NULL &&
			(oldest_unix_ms == 0 ||
				c->token_made_unix_ms < oldest_unix_ms)) {
			oldest_unix_ms = c->token_made_unix_ms;
		}
		for (size_t i = 0; i < e->endpoints; i++) {
			const struct pool *p = c->pools[i];

			connections += p != NULL ? pool_connections(p) : 0;
			streams += p != NULL ? pool_streams(p) : 0;
			waiting += p != NULL ? pool_waiting(p) : 0;
			paced += p != NULL ? pool_put_off(p) : 0;
			broken += p != NULL && pool_is_broken(p);
		}
	}
	buf_fmt(json,
		",\"vendor\":{\"connections\":%zu,\"streams\":%zu,"
		"\"waiting\":%zu,\"delayed\":%zu,\"connects\":%llu,"
		"\"connect_failures\":%llu,\"lost\":%llu,\"goaways\":%llu,",
		connections, streams, waiting, e->delayed.count,
		(unsigned long long)e->counts.connects,
		(unsigned long long)e->counts.connect_failures,
		(unsigned long long)e->counts.lost,
		(unsigned long long)e->counts.goaways);
	buf_fmt(json,
		"\"ambiguous\":%llu,\"unprocessed\":%llu,\"refused\":%llu,\"retried\":%llu,"
		"\"timeouts\":%llu,\"breakers_open\":%zu,\"put_off\":%llu,\"token_age_s\":%lld,"
		"\"clock_skew_s\":%lld}",
		(unsigned long long)e->ambiguous,
		(unsigned long long)e->unprocessed,
		(unsigned long long)e->refused, (unsigned long long)e->retried,
		(unsigned long long)e->timeouts, broken,
		(unsigned long long)paced,
		(long long)(oldest_unix_ms > 0
				    ? (clock_unix_ms() - oldest_unix_ms) / 1000
				    : -1),
		(long long)skew_distance_s(&e->skew));
	credentials_count(e->credentials, json);
}
