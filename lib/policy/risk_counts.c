/* How often each rule of risk control was hit, for the counters. */
#include "base/mem.h"
#include "policy/nameset.h"
#include "policy/risk.h"

enum { COUNTED_RULES_MAX = 10 * 1000 };

struct risk_counts {
	struct nameset rules; /* "kind:rule" */
	uint64_t left_out;    /* hits of rules that were one too many */
	struct buf name;
};

struct risk_counts *risk_counts_new(void)
{
	struct risk_counts *counts = mem_array(1, sizeof(*counts));

	buf_init(&counts->name, SIZE_MAX);
	return counts;
}

void risk_counts_free(struct risk_counts *counts)
{
	if (counts != NULL) {
		nameset_release(&counts->rules);
		buf_release(&counts->name);
		mem_free(counts);
	}
}

void risk_count(
	struct risk_counts *counts, enum risk_kind kind, struct span rule)
{
	struct span name;

	buf_reset(&counts->name);
	buf_text(&counts->name, risk_kind_name(kind));
	if (kind != RISK_USER && kind != RISK_DEVICE) {
		buf_putc(&counts->name, ':');
		buf_put(&counts->name, rule.ptr, rule.len);
	}
	name = (struct span){ counts->name.data, counts->name.len };
	if (counts->rules.count >= COUNTED_RULES_MAX &&
		!nameset_has(&counts->rules, name)) {
		counts->left_out++;
	} else {
		nameset_add(&counts->rules, name)->count++;
	}
}

void risk_counts_put(const struct risk_counts *counts, struct buf *json)
{
	uint64_t left_out = counts->left_out;
	size_t begin = json->len;

	buf_text(json, ",\"rules\":{");
	for (size_t i = 0; i < counts->rules.slot_count; i++) {
		const struct nameset_entry *e = &counts->rules.slots[i];

		if (e->name.ptr == NULL) {
			continue;
		}
		/* Escapes and the number make it longer. */
		if (json->len - begin + e->name.len * 6 + 32 >
			RISK_COUNTS_MAX_BYTES) {
			left_out += e->count;
			continue;
		}
		if (json->data[json->len - 1] != '{') {
			buf_putc(json, ',');
		}
		json_put_span(json, e->name);
		buf_putc(json, ':');
		buf_u64(json, e->count);
	}
	buf_putc(json, '}');
	if (left_out > 0) {
		buf_text(json, ",\"rules_left_out\":");
		buf_u64(json, left_out);
	}
}
