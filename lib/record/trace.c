/*
 * The trace: what the nodes before this one wrote, for whoever reads it.
 */
#include "record/body.h"

bool record_stamp_next(struct json_iter *it, struct record_stamp *stamp)
{
	const struct json *v;

	while ((v = json_next(it)) != NULL) {
		if (json_type(v) == JSON_ARRAY &&
			json_int(json_at(v, 0), &stamp->in_us) == 0 &&
			json_int(json_at(v, 1), &stamp->out_us) == 0) {
			stamp->node = it->name;
			stamp->facts = json_at(v, 2);
			return true;
		}
	}
	return false;
}

const struct json *record_facts(const struct record *r, const char *node)
{
	return json_at(json_get(r->trace, node), 2);
}

bool record_passed(const struct record *r, const char *node)
{
	return json_get(r->trace, node) != NULL;
}

/* What push-pop told about the claim. */
static void take_claim(struct record *r, const struct json *facts)
{
	r->uid = json_text(json_get(facts, "uid"));
	r->queue = json_text(json_get(facts, "q"));
	r->receipt = json_text(json_get(facts, "receipt"));
	r->is_resumed = json_bool(json_get(facts, "resumed"), false);
	r->is_whole = json_bool(json_get(facts, "whole"), false);
	if (json_int(json_get(facts, "attempt"), &r->attempt) != 0) {
		r->attempt = 0;
	}
	if (json_int(json_get(facts, "lease_ms"), &r->lease_unix_ms) != 0) {
		r->lease_unix_ms = 0;
	}
}

void trace_take(struct record *r)
{
	struct json_iter it = json_iter(r->trace);
	const struct json *v;
	bool has_t0 = false;

	while ((v = json_next(&it)) != NULL) {
		const struct json *facts;

		if (span_is(it.name, "t0_us")) {
			has_t0 = json_int(v, &r->t0_unix_us) == 0;
		} else if (span_is(it.name, "uid")) {
			r->uid = json_text(v);
		} else if (span_is(it.name, "outcome")) {
			r->outcome = outcome_parse(json_text(v));
		} else if (span_is(it.name, "reason")) {
			r->reason = reason_parse(json_text(v));
		} else if (span_is(it.name, "after_ms")) {
			if (json_int(v, &r->after_ms) != 0) {
				r->after_ms = 0;
			}
		} else if (r->receipt.ptr == NULL &&
			   (facts = json_at(v, 2)) != NULL &&
			   json_get(facts, "receipt") != NULL) {
			take_claim(r, facts);
		}
	}
	r->was_decided = r->outcome != OUTCOME_UNDECIDED;
	if (!has_t0) {
		r->t0_unix_us = r->in_unix_us;
		r->body->is_new_trace = json_get(r->trace, "t0_us") == NULL;
	}
}
