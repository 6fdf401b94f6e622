/*
 * Parts: what one task becomes when it is spread out.  Their lines are that of
 * the task without its lists, and nothing of it is parsed again.
 */
#include "record/body.h"

#include <string.h>

void record_stem_init(struct record_stem *s)
{
	*s = (struct record_stem){ .whole = NULL };
	buf_init(&s->cut, SIZE_MAX);
}

void record_stem_release(struct record_stem *s)
{
	buf_release(&s->cut);
}

void record_stem_set(struct record_stem *s, const struct record *whole,
	const char *const *without)
{
	const struct record_body *b = whole->body;
	bool has_trace = b->trace_end != b->seam;

	s->whole = whole;
	if (s->without != without) { /* mostly the same from task to task */
		s->without = without;
		s->mask = members_mask(without);
	}
	s->is_cut = (b->known & s->mask) != 0;
	if (!s->is_cut) {
		return;
	}
	buf_reset(&s->cut);
	record_task(whole, without, &s->cut);
	s->is_empty_task = s->cut.len == 2;
	buf_cut(&s->cut, s->cut.len - 1);
	if (has_trace && !s->is_empty_task) {
		buf_putc(&s->cut, ',');
	}
	s->seam = s->trace_end = s->cut.len;
	if (has_trace) {
		s->trace_end += b->trace_end - b->seam;
		buf_put(&s->cut, b->line.ptr + b->seam, b->line.len - b->seam);
	} else {
		buf_putc(&s->cut, '}');
	}
}

struct record *record_part(
	struct record_pool *pool, const struct record_stem *s)
{
	const struct record_body *from = s->whole->body;
	struct record *r = pool_take(pool);
	struct record_body *b = r->body;

	body_clear(r, s->whole->in_unix_us);
	*r = *s->whole; /* what was parsed is borrowed */
	r->body = b;
	r->next = NULL;
	r->device = NULL;
	r->token = (struct span){ NULL, 0 };
	r->platform = PLATFORM_NONE;
	r->part_n = r->part_of = 0;
	r->is_held = r->is_consumed = false;
	body_borrow_line(b, s->is_cut ? (struct span){ s->cut.data, s->cut.len }
				      : from->line);
	b->seam = s->is_cut ? s->seam : from->seam;
	b->trace_end = s->is_cut ? s->trace_end : from->trace_end;
	b->is_empty_task = s->is_cut ? s->is_empty_task : from->is_empty_task;
	b->is_empty_trace = from->is_empty_trace;
	b->is_new_trace = from->is_new_trace;
	b->is_new_uid = from->is_new_uid;
	if (b->is_new_uid) {
		memcpy(b->uid, from->uid, sizeof(b->uid));
		r->uid.ptr = b->uid;
	}
	b->replay_out_unix_us = from->replay_out_unix_us;
	return r;
}

int record_part_device(struct record *part, struct span json)
{
	const struct json *device = body_parse_text(part->body, json);

	if (device == NULL) {
		return -1;
	}
	if (memchr(json.ptr, '\n', json.len) == NULL) {
		record_add(part, "device", json);
	} else {
		struct buf line; /* without the white space */

		buf_init(&line, SIZE_MAX);
		json_write(&line, device);
		record_add(
			part, "device", (struct span){ line.data, line.len });
		buf_release(&line);
	}
	part->device = device;
	if (members_device(part) != 0) {
		record_fact_text(part, "member", span_of("device"));
		record_decide(part, REASON_BAD_MEMBER);
	}
	return 0;
}
