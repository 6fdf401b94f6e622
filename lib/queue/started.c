/* Names the claim in the trace. */
#include "queue/started.h"

enum { US_PER_MS = 1000 };

struct record *started_record(struct record_pool *pool, const char *queue,
	const struct claim_entry *e, int64_t now_unix_us)
{
	struct record *r = record_claim(pool, e->bytes, now_unix_us);

	record_fact_text(r, "q", span_of(queue));
	record_fact_text(r, "uid", e->uid);
	record_fact_text(r, "receipt", e->receipt);
	record_fact_int(r, "attempt", e->attempt);
	record_fact_int(r, "lease_ms", e->lease_unix_ms);
	if (e->first_unix_ms > 0) {
		record_fact_int(r, "first_ms", e->first_unix_ms);
	}
	if (e->apart.len > 0) {
		record_fact_text(r, "apart", e->apart);
	}
	if (e->is_resumed) {
		record_fact_bool(r, "resumed", true);
	}
	if (e->is_whole) {
		record_fact_bool(r, "whole", true);
	}
	return r;
}

bool started_must_wait(const struct claim_entry *e, const struct record *r,
	int64_t now_unix_us)
{
	return r->outcome == OUTCOME_UNDECIDED && !e->has_waited &&
	       !e->is_resumed &&
	       r->not_before_unix_ms > now_unix_us / US_PER_MS;
}
