/* Puts the records of a task's parts together. */
#include "policy/fanout.h"

#include <string.h>

#include "base/mem.h"

enum fanout_source fanout_source(const struct record *r)
{
	const struct json *devices = json_get(r->root, "devices");
	const struct json *users = json_get(r->root, "users");
	size_t count = json_count(devices != NULL ? devices : users);

	if (r->device != NULL || r->topic.ptr != NULL ||
		r->condition.ptr != NULL || r->channel.ptr != NULL) {
		return FANOUT_NONE;
	}
	if (devices == NULL && users == NULL && r->segment.ptr != NULL) {
		return r->segment.len > 0 ? FANOUT_SEGMENT : FANOUT_BAD;
	}
	if (devices == NULL && users == NULL) {
		return r->user.len > 0 ? FANOUT_USER : FANOUT_BAD;
	}
	if (count == 0 || count > RECORD_TARGETS_MAX) {
		return FANOUT_BAD;
	}
	return devices != NULL ? FANOUT_DEVICES : FANOUT_USERS;
}

void fanout_init(struct fanout *f)
{
	*f = (struct fanout){ .devices = NULL };
	buf_init(&f->task, SIZE_MAX);
	buf_init(&f->json, SIZE_MAX);
}

void fanout_release(struct fanout *f)
{
	buf_release(&f->task);
	buf_release(&f->json);
	mem_free(f->devices);
}

bool fanout_apart(const struct record *r, char dst[FANOUT_APART_BYTES])
{
	struct span platform = span_of(platform_name(r->platform));
	struct digest_part parts[] = { { platform.ptr, platform.len },
		{ r->token.ptr, r->token.len } };
	char hex[FANOUT_APART_BYTES + 1];
	struct digest device;

	if (r->token.ptr == NULL) {
		return false;
	}
	device = digest_of_parts(parts, 2);
	digest_hex(&device, FANOUT_APART_BYTES / 2, hex);
	memcpy(dst, hex, FANOUT_APART_BYTES);
	return true;
}

/* What push-pop said of a task that comes again. */
static struct span told_apart(const struct record *r)
{
	struct json_iter it = json_iter(r->trace);
	struct record_stamp stamp;
	struct span apart = { NULL, 0 };

	while (apart.ptr == NULL && record_stamp_next(&it, &stamp)) {
		apart = json_text(json_get(stamp.facts, "apart"));
	}
	return apart;
}

static bool is_apart(const struct fanout *f, const struct record *child)
{
	char name[FANOUT_APART_BYTES];

	if (f->apart.len < FANOUT_APART_BYTES || !fanout_apart(child, name)) {
		return false;
	}
	for (size_t at = 0; at + FANOUT_APART_BYTES <= f->apart.len;
		at += FANOUT_APART_BYTES + 1) {
		if (memcmp(f->apart.ptr + at, name, FANOUT_APART_BYTES) == 0) {
			return true;
		}
	}
	return false;
}

void fanout_begin(struct fanout *f, const struct record *r,
	const struct platforms_set *platforms)
{
	static const char *const without[] = { "devices", "users", "segment",
		"part", NULL };
	static const char *const without_user[] = { "users", "segment",
		"segment_after", "user", "part", NULL };
	enum fanout_source source = fanout_source(r);
	bool is_users = source == FANOUT_USERS || source == FANOUT_SEGMENT;

	f->platforms = platforms;
	f->devices_count = 0;
	f->apart = told_apart(r);
	buf_reset(&f->task);
	record_task(r, is_users ? without_user : without, &f->task);
	/* The arrays told the kind; now that they are gone it is written. */
	if (r->kind == KIND_BATCH && json_get(r->root, "kind") == NULL) {
		f->task.len--;
		json_put_name(&f->task, "kind");
		buf_text(&f->task, "\"batch\"}");
	}
}

/* The same device twice in one task is one notification. */
static bool is_repeated(struct fanout *f, const struct record *child)
{
	struct digest_part parts[] = {
		{ &child->platform, sizeof(child->platform) },
		{ child->token.ptr, child->token.len },
	};
	struct digest device = digest_of_parts(parts, 2);

	for (size_t i = 0; i < f->devices_count; i++) {
		if (memcmp(f->devices + i, &device, sizeof(device)) == 0) {
			return true;
		}
	}
	if (f->devices_count == f->devices_cap) {
		f->devices_cap = f->devices_cap == 0 ? 16 : f->devices_cap * 2;
		f->devices = mem_resize(
			f->devices, f->devices_cap, sizeof(*f->devices));
	}
	f->devices[f->devices_count++] = device;
	return false;
}

/* And closes the object. */
static void put_part(struct buf *b, const struct fanout_part *part)
{
	if (part->of > 0) {
		json_put_name(b, "part");
		buf_text(b, "{\"n\":");
		buf_u64(b, part->n);
		buf_text(b, ",\"of\":");
		buf_u64(b, part->of);
		buf_putc(b, '}');
	}
	buf_putc(b, '}');
}

static struct record *compose(struct fanout *f, struct record_pool *pool,
	const struct record *r, const struct fanout_part *part)
{
	struct buf *b = &f->json;

	buf_reset(b);
	buf_put(b, f->task.data, f->task.len - 1); /* open at its end */
	if (part->user.ptr != NULL) {
		json_put_name(b, "user");
		json_put_span(b, part->user);
	}
	if (part->device.ptr != NULL) {
		json_put_name(b, "device");
		buf_put(b, part->device.ptr, part->device.len);
	}
	put_part(b, part);
	return record_child(pool, r, (struct span){ b->data, b->len });
}

struct record *fanout_child(struct fanout *f, struct record_pool *pool,
	const struct record *r, const struct fanout_part *part)
{
	struct record *child = compose(f, pool, r, part);
	enum reason reason = REASON_NONE;

	if (child == NULL) { /* what stands for a device is not even JSON */
		struct fanout_part without = *part;

		without.device = (struct span){ NULL, 0 };
		reason = REASON_BAD_TARGET;
		child = compose(f, pool, r, &without);
	} else if (part->device.ptr == NULL) {
		reason = part->without;
	} else if (child->platform == PLATFORM_NONE) {
		reason = REASON_BAD_TARGET;
	} else if (f->platforms != NULL &&
		   !platforms_allow(f->platforms, child->platform)) {
		reason = REASON_PLATFORM_NOT_ALLOWED;
	} else if (is_repeated(f, child)) {
		reason = REASON_DUPLICATE;
	} else if (is_apart(f, child)) {
		reason = REASON_SET_APART;
	}
	if (child == NULL) {
		BUG("a task without its targets is no object");
	}
	if (reason != REASON_NONE && child->outcome == OUTCOME_UNDECIDED) {
		record_decide(child, reason);
	}
	return child;
}

struct span fanout_after(const struct record *r)
{
	return json_text(json_get(r->root, "segment_after"));
}

struct record *fanout_rest(struct fanout *f, struct record_pool *pool,
	const struct record *r, const struct fanout_part *part,
	struct span after)
{
	static const char *const without[] = { "segment_after", "part", NULL };
	struct buf *b = &f->json;
	struct record *rest;

	buf_reset(b);
	record_task(r, without, b);
	buf_cut(b, b->len - 1); /* open at its end */
	json_put_name(b, "segment_after");
	json_put_span(b, after);
	put_part(b, part);
	rest = record_child(pool, r, (struct span){ b->data, b->len });
	if (rest == NULL) {
		BUG("a task without its place is no object");
	}
	if (rest->outcome == OUTCOME_UNDECIDED) {
		record_retry(rest, REASON_SEGMENT_REST, 0);
	}
	return rest;
}

enum reason fanout_captured(const struct record *r)
{
	static const enum reason kept[] = { REASON_NO_DEVICE,
		REASON_EMPTY_SEGMENT, REASON_DUPLICATE, REASON_SET_APART,
		REASON_BAD_TARGET, REASON_SEGMENT_REST };
	enum reason was;

	(void)record_captured(r, &was);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (was == kept[i]) {
			return was;
		}
	}
	return REASON_NONE;
}
