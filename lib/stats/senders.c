/* Apps are found by hash, campaigns where the last one was, else by a search. */
#include "stats/senders.h"

void senders_init(struct senders *s)
{
	label_set(&s->apps[STATS_APPS_MAX].name, span_of("other"));
	label_set(&s->campaigns[STATS_CAMPAIGNS_MAX].app, span_of("other"));
	label_set(&s->campaigns[STATS_CAMPAIGNS_MAX].name, span_of("other"));
}

void senders_release(struct senders *s)
{
	for (size_t i = 0; i <= STATS_APPS_MAX; i++) {
		distinct_release(&s->apps[i].users);
		for (size_t v = 0; v < STATS_VENDORS_MAX; v++) {
			hist_release(&s->apps[i].vendors[v].latency);
		}
	}
	for (size_t i = 0; i <= STATS_CAMPAIGNS_MAX; i++) {
		distinct_release(&s->campaigns[i].users);
	}
}

static struct stats_app *app_of(struct senders *s, struct span name)
{
	enum { SLOTS = sizeof(s->app_slots) / sizeof(*s->app_slots) };
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < name.len; i++) {
		hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619U;
	}
	for (;; hash++) {
		uint16_t *slot = &s->app_slots[hash % SLOTS];

		if (*slot == 0 && s->app_count == STATS_APPS_MAX) {
			return &s->apps[STATS_APPS_MAX];
		}
		if (*slot == 0) {
			*slot = (uint16_t)++s->app_count;
			label_set(&s->apps[*slot - 1].name, name);
		}
		if (label_is(&s->apps[*slot - 1].name, name)) {
			return &s->apps[*slot - 1];
		}
	}
}

static struct stats_campaign *campaign_of(
	struct senders *s, struct span app, struct span name)
{
	struct stats_campaign *c = &s->campaigns[s->campaign_last];

	if (s->campaign_count > 0 && label_is(&c->name, name) &&
		label_is(&c->app, app)) {
		return c;
	}
	for (size_t i = 0; i < s->campaign_count; i++) {
		c = &s->campaigns[i];
		if (label_is(&c->name, name) && label_is(&c->app, app)) {
			s->campaign_last = i;
			return c;
		}
	}
	if (s->campaign_count == STATS_CAMPAIGNS_MAX) {
		return &s->campaigns[STATS_CAMPAIGNS_MAX];
	}
	s->campaign_last = s->campaign_count++;
	c = &s->campaigns[s->campaign_last];
	label_set(&c->app, app);
	label_set(&c->name, name);
	return c;
}

struct stats_app *senders_take(struct senders *s, const struct record *r)
{
	struct span name = label_text(r->app);
	struct stats_campaign *campaign;
	struct stats_app *app;

	if (r->app.ptr == NULL || r->reason == REASON_UNKNOWN_APP) {
		return NULL; /* names that anybody can invent */
	}
	app = app_of(s, name);
	app->records++;
	if (r->user.ptr != NULL) {
		distinct_add(&app->users, r->user);
	}
	if (r->campaign.ptr == NULL) {
		return app;
	}
	campaign = campaign_of(s, name, label_text(r->campaign));
	campaign->records++;
	campaign->accepted += r->outcome == OUTCOME_ACCEPTED;
	if (r->user.ptr != NULL) {
		distinct_add(&campaign->users, r->user);
	}
	return app;
}

bool reason_at_fault(enum reason reason)
{
	return reason_row(reason)->outcome == OUTCOME_RETRY ||
	       reason == REASON_VENDOR_CONFIG ||
	       reason == REASON_ATTEMPTS_EXHAUSTED ||
	       reason == REASON_UNCONFIRMED;
}

struct stats_success asked_success(const struct stats_asked *asked)
{
	struct stats_success sum = { 0 };

	for (int i = 0; i < REASON_COUNT; i++) {
		enum reason reason = (enum reason)i;
		enum outcome outcome = reason_row(reason)->outcome;
		uint64_t n = asked->reasons[i];

		sum.records += n;
		if (outcome == OUTCOME_ACCEPTED) {
			sum.accepted += n;
		} else if (reason_at_fault(reason)) {
			sum.at_fault += n;
		}
	}
	return sum;
}
