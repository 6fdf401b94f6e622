/*
 * The trace: what the nodes before this one wrote, for whoever reads it.
 */
#include "record/body.h"
#include "record/json_inner.h"

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

static int64_t int_or_0(const struct json *v)
{
	int64_t n = 0;

	return json_int(v, &n) == 0 ? n : 0;
}

/* What push-pop told about the claim. */
struct claim {
	struct span uid;
	struct span queue;
	struct span receipt;
	struct span apart;
	int64_t attempt;
	int64_t lease_unix_ms;
	bool is_resumed;
	bool is_whole;
	bool has_receipt; /* no other node gives one */
};

static void put_claim(struct claim *c, const struct json_member *fact)
{
	if (span_is(fact->name, "q")) {
		c->queue = json_member_text(fact);
	} else if (span_is(fact->name, "uid")) {
		c->uid = json_member_text(fact);
	} else if (span_is(fact->name, "receipt")) {
		c->receipt = json_member_text(fact);
		c->has_receipt = true;
	} else if (span_is(fact->name, "apart")) {
		c->apart = json_member_text(fact);
	} else if (span_is(fact->name, "attempt")) {
		c->attempt = int_or_0(fact->value);
	} else if (span_is(fact->name, "lease_ms")) {
		c->lease_unix_ms = int_or_0(fact->value);
	} else if (span_is(fact->name, "resumed")) {
		c->is_resumed = json_bool(fact->value, false);
	} else if (span_is(fact->name, "whole")) {
		c->is_whole = json_bool(fact->value, false);
	}
}

static void take_claim(struct record *r, const struct json *facts)
{
	struct json_walk walk = json_walk(facts);
	struct json_member fact;
	struct claim c = { .attempt = 0 };

	while (json_walk_next(&walk, &fact)) {
		put_claim(&c, &fact);
	}
	if (c.has_receipt) {
		r->uid = c.uid;
		r->queue = c.queue;
		r->receipt = c.receipt;
		r->apart = c.apart;
		r->attempt = c.attempt;
		r->lease_unix_ms = c.lease_unix_ms;
		r->is_resumed = c.is_resumed;
		r->is_whole = c.is_whole;
	}
}

/* A member that is no node's. */
static void take_plain(
	struct record *r, const struct json_member *m, bool *has_t0)
{
	if (span_is(m->name, "t0_us")) {
		*has_t0 = json_int(m->value, &r->t0_unix_us) == 0;
	} else if (span_is(m->name, "uid")) {
		r->uid = json_member_text(m);
	} else if (span_is(m->name, "outcome")) {
		r->outcome = outcome_parse(json_member_text(m));
	} else if (span_is(m->name, "reason")) {
		r->reason = reason_parse(json_member_text(m));
	} else if (span_is(m->name, "after_ms")) {
		r->after_ms = int_or_0(m->value);
	}
}

void trace_take(struct record *r)
{
	struct json_walk walk = json_walk(r->trace);
	struct json_member is;
	bool has_t0 = false;

	while (json_walk_next(&walk, &is)) {
		if (!json_member_is_array(&is)) {
			take_plain(r, &is, &has_t0);
		} else if (r->receipt.ptr == NULL) {
			take_claim(r, json_at(is.value, 2));
		}
	}
	r->was_decided = r->outcome != OUTCOME_UNDECIDED;
	if (!has_t0) {
		r->t0_unix_us = r->in_unix_us;
		r->body->is_new_trace = json_get(r->trace, "t0_us") == NULL;
	}
}
