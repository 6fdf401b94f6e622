/* From a finished record to what the stores are asked. */
#include "policy/mark.h"

void mark_ask_dedupe(const struct record *r, unsigned flags,
	struct dedupe_rules *rules, struct store_asks *asks)
{
	enum store_verb verb;
	size_t first = asks->count;

	if (!record_passed(r, "dedupe")) {
		return;
	}
	if ((flags & ACK_MARK_DONE) != 0) {
		verb = STORE_DEDUPE_DONE;
	} else if ((flags & ACK_RELEASE) != 0) {
		verb = STORE_DEDUPE_RELEASE;
	} else if ((flags & ACK_DELAY) != 0) {
		verb = STORE_DEDUPE_EXTEND;
	} else {
		return;
	}
	(void)dedupe_ask(rules, r, verb, asks); /* nobody looks at the answer */
	for (size_t i = first; verb == STORE_DEDUPE_EXTEND && i < asks->count;
		i++) {
		/* Held when it comes back, too. */
		asks->items[i].window_ms += r->after_ms;
	}
}

void mark_ask_fatigue(const struct record *r, unsigned flags,
	const struct fatigue_rules *rules, struct store_asks *asks)
{
	if (!record_passed(r, "fatigue")) {
		return;
	}
	if ((flags & ACK_MARK_DONE) != 0) {
		(void)fatigue_ask(rules, r, STORE_FATIGUE_KEEP, asks);
	} else if ((flags & ACK_RELEASE) != 0) {
		(void)fatigue_ask(rules, r, STORE_FATIGUE_RELEASE, asks);
	}
}
