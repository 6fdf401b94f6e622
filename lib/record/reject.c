/*
 * Lines that are no record: kept as they came, so that they flow on with their
 * reason and can be looked at.
 */
#include "base/err.h"
#include "record/body.h"

/*
 * The line becomes {"raw":…}.  What is not UTF-8, or would swell by escapes so
 * that the next stage might refuse the line, is kept as base64.
 */
static void wrap_raw(struct record *r, struct span raw, size_t total)
{
	struct buf whole;

	buf_init(&whole, SIZE_MAX);
	buf_text(&whole, "{\"raw\":");
	json_put_span(&whole, raw);
	if (!json_is_utf8(raw.ptr, raw.len) ||
		whole.len > raw.len + raw.len / 2 + 64) {
		buf_reset(&whole);
		buf_text(&whole, "{\"raw_base64\":");
		json_put_base64(&whole, raw.ptr, raw.len);
	}
	if (total > raw.len) {
		buf_text(&whole, ",\"raw_bytes\":");
		buf_u64(&whole, total);
	}
	buf_putc(&whole, '}');
	body_take_line(r->body, &whole);
	if (body_parse(r) != 0) {
		BUG("a wrapped line does not parse");
	}
	r->trace = NULL;
	body_find_seam(r, (struct span){ NULL, 0 });
}

void reject_raw(struct record *r, enum reason reason)
{
	body_clear(r, r->in_unix_us);
	wrap_raw(r, r->body->line, r->body->line.len);
	record_decide(r, reason);
}

/* Keeps the beginning of a line that is too long. */
void reject_long(struct record *r, struct span head, size_t total)
{
	if (head.len > RECORD_RAW_KEPT_BYTES) {
		head.len = RECORD_RAW_KEPT_BYTES;
	}
	/* Not in the middle of a character. */
	for (size_t cut = 0; cut < 4 && cut < head.len; cut++) {
		if (json_is_utf8(head.ptr, head.len - cut)) {
			head.len -= cut;
			break;
		}
	}
	wrap_raw(r, head, total);
	record_decide(r, REASON_TOO_LARGE);
	body_give_uid(r);
}

void reject_long_line(struct record *r)
{
	body_clear(r, r->in_unix_us);
	reject_long(r, r->body->line, r->body->line.len);
}
