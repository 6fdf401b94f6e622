/* Any bytes become one line of JSON that ends in our stamp. */
#include <stdint.h>
#include <string.h>

#include "expect.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What leaves a stage is one valid line that the next stage takes as it is. */
static void check_line(struct record_pool *pool, const struct buf *out)
{
	struct record *again;

	expect(out->len > 2 && out->data[out->len - 1] == '\n');
	expect(memchr(out->data, '\n', out->len - 1) == NULL);
	again = record_read(pool, out->data, out->len - 1, 2000);
	expect(again->reason != REASON_MALFORMED || again->was_decided);
	expect(json_get(again->trace, "fuzz") != NULL || again->was_decided);
	record_rewind(again, "fuzz");
	record_free(pool, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_pool *pool = record_pool_new(RECORD_MAX_BYTES, "f");
	const char *text = (const char *)data;
	struct record *r;
	struct buf out;

	buf_init(&out, SIZE_MAX);
	if (memchr(text, '\n', size) == NULL) {
		/* The fuzzer tells when its bytes are written to. */
		r = record_read_borrowed(
			pool, (struct span){ text, size }, 1000);
		if (size % 2 == 0) {
			record_keep(r);
		}
		if (!r->was_decided && r->outcome == OUTCOME_UNDECIDED) {
			record_fact_text(r, "why", (struct span){ text, size });
			record_add(r, "added", span_of("{}"));
			(void)!record_replace(r, (struct span){ text, size });
		}
		record_write(r, r->was_decided ? NULL : "fuzz", 1007, &out);
		check_line(pool, &out);
		record_free(pool, r);
	}
	buf_reset(&out);
	r = record_claim(pool, (struct span){ text, size }, 1000);
	record_write(r, "fuzz", 1007, &out);
	check_line(pool, &out);
	record_free(pool, r);
	buf_release(&out);
	record_pool_free(pool);
	return 0;
}
