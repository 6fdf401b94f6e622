/*
 * Goes through the text sign by sign, where a sign is a character and those that
 * change its look: accents, skin tones, variants, and what joiners tie to it.
 * That is less than Unicode's grapheme clusters (UAX #29), whose tables would be
 * longer than all else here, and enough for what people write.
 */
#include "wire/shorten.h"

#include <stdint.h>
#include <string.h>

#include "base/span.h"

static const char ellipsis[] = "\xe2\x80\xa6";

enum {
	ELLIPSIS_BYTES = sizeof(ellipsis) - 1,
	JOINER = 0x200d,
	ESCAPE_BYTES = 2,
	ESCAPE_CODE_BYTES = 6,
};

/* --- characters --- */

/* One as it is written: itself in UTF-8, or an escape. */
struct character {
	size_t written;
	size_t read; /* bytes that it becomes */
	uint32_t code;
};

/* Only control characters are written as \uXXXX; they, and the end of a line,
 * look like a space. */
static struct character escape_at(struct span s)
{
	const char c = s.ptr[s.len > 1 ? 1 : 0];
	size_t len = c == 'u' ? ESCAPE_CODE_BYTES : ESCAPE_BYTES;
	bool is_shown = c == '"' || c == '\\' || c == '/';

	return (struct character){ len < s.len ? len : s.len, 1,
		is_shown ? (uint32_t)c : ' ' };
}

static struct character character_at(struct span s)
{
	static const uint32_t masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	unsigned char c = (unsigned char)s.ptr[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	struct character out = { len, len, c & masks[len] };

	if (c == '\\') {
		return escape_at(s);
	}
	if (len > s.len) {
		len = s.len; /* never: what is written is whole */
	}
	for (size_t i = 1; i < len; i++) {
		out.code = out.code << 6 | ((unsigned char)s.ptr[i] & 0x3f);
	}
	out.written = out.read = len;
	return out;
}

/* Belongs to the character before it. */
static bool is_extending(uint32_t c)
{
	static const struct {
		uint32_t from;
		uint32_t to;
	} ranges[] = {
		{ 0x0300, 0x036f },   /* accents */
		{ 0x0591, 0x05bd },   /* Hebrew points */
		{ 0x064b, 0x065f },   /* Arabic vowels */
		{ 0x093a, 0x094f },   /* Devanagari vowels, virama */
		{ 0x0e31, 0x0e3a },   /* Thai vowels and tones, */
		{ 0x0e47, 0x0e4e },   /* likewise */
		{ 0x1ab0, 0x1aff },   /* more accents */
		{ 0x200c, 0x200d },   /* joiners */
		{ 0x20d0, 0x20ff },   /* for symbols: keycaps */
		{ 0x3099, 0x309a },   /* kana sound marks */
		{ 0xfe00, 0xfe0f },   /* variants */
		{ 0xfe20, 0xfe2f },   /* half accents */
		{ 0x1f3fb, 0x1f3ff }, /* skin tones */
		{ 0xe0020, 0xe007f }, /* tags: flags of regions */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (c >= ranges[i].from && c <= ranges[i].to) {
			return true;
		}
	}
	return false;
}

/* Two of these are one flag. */
static bool is_flag_half(uint32_t c)
{
	return c >= 0x1f1e6 && c <= 0x1f1ff;
}

/* --- signs --- */

/* The sign that the text begins with. */
static struct character sign_at(struct span s)
{
	struct character sign = character_at(s);
	uint32_t last = sign.code;
	bool is_half = is_flag_half(last);

	while (sign.written < s.len) {
		struct character next = character_at((struct span){
			s.ptr + sign.written, s.len - sign.written });

		if (!is_extending(next.code) && last != JOINER &&
			!(is_half && is_flag_half(next.code))) {
			break;
		}
		is_half = false;
		sign.written += next.written;
		sign.read += next.read;
		last = next.code;
	}
	return sign;
}

static size_t counted(const struct character *c, enum shorten_count count)
{
	return count == SHORTEN_READ ? c->read : c->written;
}

static size_t length(struct span s, enum shorten_count count)
{
	size_t sum = 0;

	while (s.len > 0) {
		struct character c = character_at(s);

		sum += counted(&c, count);
		s.ptr += c.written;
		s.len -= c.written;
	}
	return sum;
}

/* Written bytes of the longest beginning that has at most `max', and does not end
 * in a space. */
static size_t beginning(struct span s, size_t max, enum shorten_count count)
{
	size_t sum = 0;
	size_t at = 0;
	size_t end = 0;

	while (at < s.len) {
		struct character sign =
			sign_at((struct span){ s.ptr + at, s.len - at });

		sum += counted(&sign, count);
		if (sum > max) {
			break;
		}
		at += sign.written;
		if (sign.code != ' ') {
			end = at;
		}
	}
	return end;
}

size_t shorten(struct buf *b, const struct shorten_place *place,
	size_t over_bytes, enum shorten_count count)
{
	struct span text = { b->data + place->at, place->len };
	size_t had = length(text, count);
	size_t keep;
	size_t gone;

	if (had < over_bytes + ELLIPSIS_BYTES) {
		return 0;
	}
	keep = beginning(text, had - over_bytes - ELLIPSIS_BYTES, count);
	if (keep == 0 || place->len - keep < ELLIPSIS_BYTES) {
		return 0;
	}
	gone = place->len - keep - ELLIPSIS_BYTES;
	memcpy(b->data + place->at + keep, ellipsis, ELLIPSIS_BYTES);
	memmove(b->data + place->at + keep + ELLIPSIS_BYTES,
		b->data + place->at + place->len,
		b->len - place->at - place->len);
	buf_cut(b, b->len - gone);
	return gone;
}
