/* Reads entries; writing them is the scripts' business. */
#include "queue/entry.h"

#include <stdbool.h>
#include <string.h>

#include "record/json.h"

/* Cuts `*text' behind the first `stop' and gives what was before it; false when
 * there is none. */
static bool word(struct span *text, char stop, struct span *head)
{
	const char *at =
		text->len == 0 ? NULL : memchr(text->ptr, stop, text->len);

	if (at == NULL) {
		return false;
	}
	*head = (struct span){ text->ptr, (size_t)(at - text->ptr) };
	*text = (struct span){ at + 1, text->len - head->len - 1 };
	return true;
}

static bool number(struct span digits, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9') {
			return false;
		}
		*out = *out * 10 + (digits.ptr[i] - '0');
	}
	return digits.len > 0 && digits.len < 18;
}

int entry_parse(struct span text, struct entry *out)
{
	struct span attempt;
	struct span first;
	struct span origin;

	if (!word(&text, ' ', &attempt) || !word(&text, ' ', &first) ||
		!word(&text, ' ', &out->uid) || !word(&text, ' ', &origin) ||
		!word(&text, '\n', &out->history) ||
		!number(attempt, &out->attempt) ||
		!number(first, &out->first_unix_ms) || origin.len != 1) {
		return -1;
	}
	out->origin = origin.ptr[0];
	out->bytes = text;
	return 0;
}

int64_t entry_claim_unix_ms(struct span field)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	int64_t us = 0;

	if (field.len <= ENTRY_CLAIM_BYTES) {
		return 0;
	}
	for (size_t i = 0; i < ENTRY_CLAIM_BYTES; i++) {
		const char *digit = memchr(digits, field.ptr[i], 36);

		if (digit == NULL) {
			return 0;
		}
		us = us * 36 + (digit - digits);
	}
	return us / 1000;
}

void entry_put_history(struct buf *json, struct span history)
{
	struct span line;
	bool is_first = true;

	buf_putc(json, '[');
	while (history.len > 1) {
		struct span at;
		struct span receipt;
		struct span part;

		if (!word(&history, ',', &line)) {
			line = history;
			history.len = 0;
		}
		if (!word(&line, '|', &at) || !word(&line, '|', &receipt) ||
			!word(&line, '|', &part)) {
			continue;
		}
		buf_text(json, is_first ? "{\"at_ms\":" : ",{\"at_ms\":");
		buf_put(json, at.ptr, at.len);
		buf_text(json, ",\"receipt\":");
		json_put_span(json, receipt);
		if (!span_is(part, "-")) {
			buf_text(json, ",\"part\":");
			buf_put(json, part.ptr, part.len);
		}
		buf_text(json, ",\"why\":");
		json_put_span(json, line);
		buf_putc(json, '}');
		is_first = false;
	}
	buf_putc(json, ']');
}

void entry_put_raw(struct buf *json, struct span bytes)
{
	if (json_is_utf8(bytes.ptr, bytes.len)) {
		buf_text(json, "\"raw\":");
		json_put_span(json, bytes);
	} else {
		buf_text(json, "\"raw_base64\":");
		json_put_base64(json, bytes.ptr, bytes.len);
	}
}
