/* The generic cell rate algorithm, with time in microseconds. */
#include "policy/rate.h"

#include "base/num.h"
#include "policy/fanout.h"

enum { US_PER_MS = 1000 };

void rate_take(struct rate_ask *ask, double *full_us)
{
	const struct rate *rate = &ask->rate;
	int64_t units = ask->units < rate->limit ? ask->units : rate->limit;
	double now = (double)ask->now_unix_us;
	double per = (double)rate->per_ms * US_PER_MS;
	double from = *full_us > now ? *full_us : now;
	double after;
	double over;

	ask->wait_ms = -1;
	if (rate->limit <= 0) {
		return;
	}
	after = from + per * (double)units / (double)rate->limit;
	over = after - now - per;
	if (over <= 0) {
		ask->wait_ms = 0;
	} else if (over <= (double)rate->max_wait_ms * US_PER_MS) {
		ask->wait_ms = (int64_t)(over / US_PER_MS) + 1;
	} else {
		return;
	}
	*full_us = after;
}

struct rate rate_from(const struct json *v)
{
	struct rate rate = { 0 };

	if (json_int(json_get(v, "limit"), &rate.limit) != 0) {
		rate.limit = 0;
	}
	if (num_parse_duration(
		    json_text(json_get(v, "per")).ptr, &rate.per_ms) != 0) {
		rate.per_ms = 0;
	}
	if (num_parse_duration(json_text(json_get(v, "wait")).ptr,
		    &rate.max_wait_ms) != 0) {
		rate.max_wait_ms = 0;
	}
	return rate;
}

int64_t rate_units(const struct record *r)
{
	size_t n = json_count(r->users) + json_count(r->devices);

	if (r->is_whole && fanout_after(r).ptr != NULL) {
		return FANOUT_PAGE;
	}
	return n > 0 ? (int64_t)n : 1;
}
