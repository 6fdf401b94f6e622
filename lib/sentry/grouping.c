/* A short list, searched for every line: complaints are few. */
#include "sentry/grouping.h"

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

/* Quotes become '…', words with a digit become N. */
static void simplify(struct span text, char dst[GROUP_TEXT_BYTES + 1])
{
	size_t at = 0;
	size_t i = 0;

	while (i < text.len && at < GROUP_TEXT_BYTES) {
		const char *quote = NULL;
		size_t end = i;
		bool has_digit = false;

		if (text.ptr[i] == '\'') {
			quote = memchr(
				text.ptr + i + 1, '\'', text.len - i - 1);
		}
		if (quote != NULL) {
			dst[at++] = 'Q';
			i = (size_t)(quote + 1 - text.ptr);
			continue;
		}
		for (; end < text.len && is_word(text.ptr[end]); end++) {
			has_digit = has_digit || (text.ptr[end] >= '0' &&
							 text.ptr[end] <= '9');
		}
		if (has_digit) {
			dst[at++] = 'N';
			i = end;
			continue;
		}
		do {
			dst[at++] = text.ptr[i++];
		} while (i < end && at < GROUP_TEXT_BYTES);
	}
	dst[at] = '\0';
}

/* The group's place; a new one takes a free one, or the oldest. */
static struct group *find(
	struct grouping *g, const struct digest *identity, bool *is_new)
{
	struct group *oldest = g->groups;

	*is_new = false;
	for (size_t i = 0; i < g->count; i++) {
		struct group *one = &g->groups[i];

		if (memcmp(&one->identity, identity, sizeof(*identity)) == 0) {
			return one;
		}
		if (one->seen_mono_ms < oldest->seen_mono_ms) {
			oldest = one;
		}
	}
	*is_new = true;
	return g->count < GROUPS_MAX ? &g->groups[g->count++] : oldest;
}

const struct group *grouping_take(struct grouping *g, struct span program,
	struct span text, int64_t every_ms, int64_t now_mono_ms, uint64_t *held)
{
	char simple[GROUP_TEXT_BYTES + 1];
	struct digest identity;
	struct group *group;
	bool is_new;

	simplify(text, simple);
	identity = digest_of_parts(
		(struct digest_part[]){ { program.ptr, program.len },
			{ simple, strlen(simple) } },
		2);
	group = find(g, &identity, &is_new);
	if (is_new) {
		*group = (struct group){ .identity = identity };
		memcpy(group->text, simple, sizeof(simple));
	}
	group->seen_mono_ms = now_mono_ms;
	if (!is_new && now_mono_ms - group->sent_mono_ms < every_ms) {
		group->held++;
		return NULL;
	}
	*held = group->held;
	group->held = 0;
	group->sent_mono_ms = now_mono_ms;
	return group;
}
