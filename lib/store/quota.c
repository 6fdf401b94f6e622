/* One bucket an app. */
#include "store/quota.h"

#include "base/mem.h"
#include "store/rates.h"
#include "store/store.h"

struct quota {
	bool is_replay;
	struct rates *rates; /* owned; NULL: no app had a quota so far */
	struct buf keys;
	struct rate_ask *asks;  /* owned */
	struct record **askers; /* owned; by ask */
	size_t room;
};

struct quota *quota_new(bool is_replay)
{
	struct quota *q = mem_array(1, sizeof(*q));

	q->is_replay = is_replay;
	buf_init(&q->keys, SIZE_MAX);
	return q;
}

void quota_free(struct quota *q)
{
	if (q != NULL) {
		rates_close(q->rates);
		buf_release(&q->keys);
		mem_free(q->asks);
		mem_free(q->askers);
		mem_free(q);
	}
}

int quota_follow(struct quota *q, const struct auth_rules *rules,
	const struct conf *conf, struct err *err)
{
	char *url;
	int failed;

	if (!auth_has_quotas(rules)) {
		return 0;
	}
	url = q->is_replay ? mem_text("memory:")
			   : store_url_take(conf, "auth.store");
	failed = rates_follow(&q->rates, url, err);
	mem_free(url);
	return failed;
}

static void decide(struct record *r, const struct rate_ask *ask)
{
	char why[128];

	if (ask->wait_ms > 0) {
		record_retry(r, REASON_QUOTA_WAIT, ask->wait_ms);
	} else if (ask->wait_ms < 0) {
		if (fmt_into(why, sizeof(why),
			    "the quota of %lld per %lld s is used up",
			    (long long)ask->rate.limit,
			    (long long)(ask->rate.per_ms / 1000)) != 0) {
			BUG("a quota is too long");
		}
		record_fact_text(r, "why", span_of(why));
		record_decide(r, REASON_QUOTA);
	}
}

int quota_take(struct quota *q, const struct auth_rules *rules,
	struct record *const *records, size_t count, struct err *err)
{
	static const char prefix[] = "push:rate:quota:";
	size_t asked = 0;
	const char *at;

	if (!auth_has_quotas(rules)) {
		return 0;
	}
	if (q->room < count) {
		q->room = count;
		q->asks = mem_resize(q->asks, count, sizeof(*q->asks));
		q->askers = mem_resize(q->askers, count, sizeof(*q->askers));
	}
	buf_reset(&q->keys);
	for (size_t i = 0; i < count; i++) {
		struct record *r = records[i];
		const struct rate *rate = auth_quota(rules, r);

		if (rate == NULL || r->outcome != OUTCOME_UNDECIDED ||
			r->is_resumed || r->attempt > 1) {
			continue;
		}
		buf_text(&q->keys, prefix);
		buf_put(&q->keys, r->app.ptr, r->app.len);
		q->asks[asked] = (struct rate_ask){
			.key = { NULL, sizeof(prefix) - 1 + r->app.len },
			.rate = *rate,
			.units = rate_units(r),
			.now_unix_us = r->now_unix_us,
		};
		q->askers[asked++] = r;
	}
	at = q->keys.data;
	for (size_t i = 0; i < asked; i++) {
		q->asks[i].key.ptr = at;
		at += q->asks[i].key.len;
	}
	if (rates_exchange(q->rates, q->asks, asked, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < asked; i++) {
		decide(q->askers[i], &q->asks[i]);
	}
	return 0;
}
