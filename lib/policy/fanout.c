/* Puts the records of a task's parts together. */
#include "policy/fanout.h"

#include <string.h>

#include "base/mem.h"

enum fanout_source fanout_source(const struct record *r)
{
	const struct json *devices = r->devices;
	const struct json *users = r->users;
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
	record_stem_init(&f->stem);
	buf_init(&f->json, SIZE_MAX);
}

void fanout_release(struct fanout *f)
{
	record_stem_release(&f->stem);
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
	f->apart = r->apart;
	record_stem_set(&f->stem, r, is_users ? without_user : without);
	/* The arrays told the kind; now that they are gone it is written. */
	f->is_kind_due =
		r->kind == KIND_BATCH && json_get(r->root, "kind") == NULL;
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

static void add_part(
	struct fanout *f, struct record *r, const struct fanout_part *part)
{
	struct span json = span_of("{\"n\":0,\"of\":1}"); /* mostly */

	if (part->of == 0) {
		return;
	}
	if (part->of > 1) {
		buf_reset(&f->json);
		buf_text(&f->json, "{\"n\":");
		buf_u64(&f->json, part->n);
		buf_text(&f->json, ",\"of\":");
		buf_u64(&f->json, part->of);
		buf_putc(&f->json, '}');
		json = (struct span){ f->json.data, f->json.len };
	}
	record_add(r, "part", json);
}

static void add_text(
	struct fanout *f, struct record *r, const char *name, struct span text)
{
	buf_reset(&f->json);
	json_put_span(&f->json, text);
	record_add(r, name, (struct span){ f->json.data, f->json.len });
}

/* REASON_NONE: it may be sent, for all that can be told here. */
static enum reason judge(struct fanout *f, const struct record *child,
	const struct fanout_part *part)
{
	if (child->platform == PLATFORM_NONE) {
		return REASON_BAD_TARGET;
	}
	if (f->platforms != NULL &&
		!platforms_allow(f->platforms, child->platform)) {
		return REASON_PLATFORM_NOT_ALLOWED;
	}
	/* The only part can repeat nothing. */
	if (part->of != 1 && is_repeated(f, child)) {
		return REASON_DUPLICATE;
	}
	return is_apart(f, child) ? REASON_SET_APART : REASON_NONE;
}

struct record *fanout_child(struct fanout *f, struct record_pool *pool,
	const struct fanout_part *part)
{
	struct record *child = record_part(pool, &f->stem);
	enum reason reason = part->without;

	if (f->is_kind_due) {
		record_add(child, "kind", span_of("\"batch\""));
	}
	if (part->user.ptr != NULL) {
		add_text(f, child, "user", part->user);
	}
	if (part->device.ptr != NULL) {
		reason = record_part_device(child, part->device) == 0
				 ? judge(f, child, part)
				 : REASON_BAD_TARGET;
	}
	add_part(f, child, part);
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
	struct record *rest;

	record_stem_set(&f->stem, r, without);
	rest = record_part(pool, &f->stem);
	add_text(f, rest, "segment_after", after);
	add_part(f, rest, part);
	record_retry(rest, REASON_SEGMENT_REST, 0);
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
