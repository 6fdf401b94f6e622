/*
 * A Date has whole seconds and is as old as the answer was on its way, so only
 * what is far above that counts.
 */
#include "vendor/skew.h"

#include "base/log.h"
#include "wire/answer.h"

enum {
	MS_PER_S = 1000,
	LOOK_MS = 1000,
	FAR_S = 60, /* as much as the grid of provider tokens bears */
	NEAR_S =
		30, /* lower, so that the log does not say it again and again */
};

int64_t skew_distance_s(const struct skew *s)
{
	if (!s->is_known) {
		return -1;
	}
	return s->ahead_s < 0 ? -s->ahead_s : s->ahead_s;
}

static void skew_tell(struct skew *s)
{
	int64_t distance_s = skew_distance_s(s);

	if (distance_s > FAR_S && !s->is_told) {
		s->is_told = true;
		log_warn("%s: this host's clock is %lld s %s the vendor's: "
			 "tokens may be refused",
			s->vendor, (long long)distance_s,
			s->ahead_s < 0 ? "behind" : "ahead of");
	} else if (distance_s < NEAR_S && s->is_told) {
		s->is_told = false;
		log_info("%s: this host's clock agrees with the vendor's again",
			s->vendor);
	}
}

void skew_note(struct skew *s, struct span date, int64_t now_unix_ms)
{
	int64_t date_s;
	int64_t since_ms = now_unix_ms - s->looked_unix_ms;

	if (date.len == 0 || (since_ms >= 0 && since_ms < LOOK_MS)) {
		return;
	}
	date_s = answer_date_s(date);
	if (date_s < 0) {
		return;
	}
	s->looked_unix_ms = now_unix_ms;
	s->is_known = true;
	s->ahead_s = now_unix_ms / MS_PER_S - date_s;
	skew_tell(s);
}
