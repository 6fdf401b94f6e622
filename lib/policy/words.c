/* Compiled patterns, and which of them a text can match at all. */
#include "policy/words.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

enum {
	/* What one pattern may cost on one text; ours.  Sound patterns need a few
	 * steps a byte, and a text has a few hundred bytes. */
	MATCH_LIMIT = 100 * 1000,
	DEPTH_LIMIT = 1000,
	HEAP_LIMIT_KIB = 1024,
	JIT_STACK_BYTES = 256 * 1024,
	BYTE_VALUES = 256,
	FEW_BYTES = 4,
	/* A pattern's call costs about as much as looking at so many bytes. */
	BYTES_A_CALL = 64,
};

struct word {
	struct span pattern; /* owned */
	pcre2_code *code;    /* owned */
	bool is_jit;
	bool is_few; /* each match begins with one of these, some told twice */
	unsigned char begin[FEW_BYTES];
};

struct words {
	bool is_caseless;
	struct word *items; /* owned */
	size_t count;
	pcre2_match_context *context; /* owned; NULL: no words */
	pcre2_match_data *data;       /* owned, likewise */
	pcre2_jit_stack *stack;       /* owned, likewise */
};

struct words *words_new(bool is_caseless)
{
	struct words *words = mem_array(1, sizeof(*words));

	words->is_caseless = is_caseless;
	return words;
}

void words_free(struct words *words)
{
	if (words == NULL) {
		return;
	}
	for (size_t i = 0; i < words->count; i++) {
		mem_free((void *)(uintptr_t)words->items[i].pattern.ptr);
		pcre2_code_free(words->items[i].code);
	}
	mem_free(words->items);
	pcre2_match_data_free(words->data);
	pcre2_match_context_free(words->context);
	pcre2_jit_stack_free(words->stack);
	mem_free(words);
}

size_t words_count(const struct words *words)
{
	return words->count;
}

/* What all patterns share: made with the first. */
static int prepare(struct words *words, struct err *err)
{
	if (words->data != NULL) {
		return 0;
	}
	words->context = pcre2_match_context_create(NULL);
	words->data = pcre2_match_data_create(1, NULL);
	words->stack = pcre2_jit_stack_create(
		JIT_STACK_BYTES / 8, JIT_STACK_BYTES, NULL);
	if (words->context == NULL || words->data == NULL) {
		return err_set(err, 0, "no memory for patterns");
	}
	(void)pcre2_set_match_limit(words->context, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(words->context, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(words->context, HEAP_LIMIT_KIB);
	if (words->stack != NULL) {
		pcre2_jit_stack_assign(words->context, NULL, words->stack);
	}
	return 0;
}

/* The bytes that a match can begin with, as the library found them out: one, in
 * either case, or a set. */
static void learn_begin(struct word *word)
{
	const uint8_t *set = NULL;
	uint32_t type = 0;
	uint32_t unit = 0;
	size_t count = 0;

	(void)pcre2_pattern_info(word->code, PCRE2_INFO_FIRSTCODETYPE, &type);
	(void)pcre2_pattern_info(word->code, PCRE2_INFO_FIRSTCODEUNIT, &unit);
	(void)pcre2_pattern_info(word->code, PCRE2_INFO_FIRSTBITMAP, &set);
	if (type == 1) {
		/* Whether case counts is not told. */
		bool is_letter = (unit | 0x20) >= 'a' && (unit | 0x20) <= 'z';

		memset(word->begin, (int)unit, FEW_BYTES);
		word->begin[0] ^= is_letter ? 0x20 : 0;
		word->is_few = true;
		return;
	}
	for (unsigned byte = 0; set != NULL && byte < BYTE_VALUES; byte++) {
		if ((set[byte / 8] >> byte % 8 & 1) == 0) {
			continue;
		}
		if (count == FEW_BYTES) {
			return;
		}
		memset(word->begin + count, (int)byte, FEW_BYTES - count);
		count++;
	}
	word->is_few = count > 0;
}

/* The direct way to the compiled pattern saves most of what a short text costs;
 * texts have been checked to be UTF-8 when the record was parsed. */
static int match(struct words *words, const struct word *word, struct span text)
{
	return word->is_jit
		       ? pcre2_jit_match(word->code, (PCRE2_SPTR)text.ptr,
				 text.len, 0, 0, words->data, words->context)
		       : pcre2_match(word->code, (PCRE2_SPTR)text.ptr, text.len,
				 0, PCRE2_NO_UTF_CHECK, words->data,
				 words->context);
}

/* Does it match where nothing stands?  Then it would stop whatever is sent, as
 * "free|" does, which a person did not mean. */
static bool matches_all(struct words *words, const struct word *word)
{
	return match(words, word, (struct span){ "", 0 }) >= 0 &&
	       match(words, word, (struct span){ "\1", 1 }) >= 0;
}

int words_add(struct words *words, struct span pattern, struct err *err)
{
	uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C |
			   (words->is_caseless ? PCRE2_CASELESS : 0);
	int why = 0;
	PCRE2_SIZE at = 0;
	struct word *word;
	pcre2_code *code;

	if (prepare(words, err) != 0) {
		return -1;
	}
	code = pcre2_compile(
		(PCRE2_SPTR)pattern.ptr, pattern.len, options, &why, &at, NULL);
	if (code == NULL) {
		char text[128] = "";

		(void)pcre2_get_error_message(
			why, (PCRE2_UCHAR *)text, sizeof(text));
		return err_usage(err, 0,
			"blocked word '%.*s' is no pattern: %s at offset %zu",
			(int)pattern.len, pattern.ptr, text, at);
	}
	words->items = mem_resize(
		words->items, words->count + 1, sizeof(*words->items));
	word = &words->items[words->count++];
	*word = (struct word){
		.pattern = { mem_dup(pattern.ptr, pattern.len), pattern.len },
		.code = code,
		/* Without JIT the same matches are found, only more slowly. */
		.is_jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0,
	};
	if (matches_all(words, word)) {
		return err_usage(err, 0,
			"blocked word '%.*s' matches every text",
			(int)pattern.len, pattern.ptr);
	}
	learn_begin(word);
	return 0;
}

/* Which bytes a text has; all of them for one that is too long to look at. */
static void look(const struct words *words, struct span text, bool *has)
{
	bool is_long = text.len / BYTES_A_CALL >= words->count;

	memset(has, is_long, BYTE_VALUES);
	for (size_t i = 0; !is_long && i < text.len; i++) {
		has[(unsigned char)text.ptr[i]] = true;
	}
}

static bool can_match(const struct word *word, const bool *has)
{
	const unsigned char *begin = word->begin;

	return !word->is_few || has[begin[0]] || has[begin[1]] ||
	       has[begin[2]] || has[begin[3]];
}

bool words_find(struct words *words, struct span text, struct words_hit *hit)
{
	bool has[BYTE_VALUES];

	if (words->count == 0) {
		return false;
	}
	/* Most patterns have nothing to begin with in a short text. */
	look(words, text, has);
	for (size_t i = 0; i < words->count; i++) {
		const struct word *word = &words->items[i];
		int found = can_match(word, has) ? match(words, word, text)
						 : PCRE2_ERROR_NOMATCH;

		if (found != PCRE2_ERROR_NOMATCH) {
			*hit = (struct words_hit){ word->pattern, found < 0 };
			return true;
		}
	}
	return false;
}
