/*
 * What is fuzzed of both vendors' protocols.  Input: one line with a task, the
 * rest is an answer: its first two bytes are the status.
 */
#ifndef PUSH_FUZZ_SENDING_H
#define PUSH_FUZZ_SENDING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "expect.h"
#include "record/record.h"
#include "wire/request.h"

struct sending {
	/* apns_build() or fcm_build(), with terms. */
	enum reason (*build)(
		const struct record *r, struct request *req, const char **why);
	void (*check_request)(const struct request *req);
	void (*classify)(int status, struct span body);
};

static inline void sending_task(const struct sending *s, struct span line)
{
	struct record_pool *pool = record_pool_new(RECORD_MAX_BYTES, "f");
	struct record *r = record_read(pool, line.ptr, line.len, 1);
	struct request req;
	const char *why = NULL;

	request_init(&req);
	if (r->outcome == OUTCOME_UNDECIDED) {
		if (s->build(r, &req, &why) == REASON_NONE) {
			expect(why == NULL);
			s->check_request(&req);
		} else {
			expect(why != NULL);
		}
	}
	request_release(&req);
	record_free(pool, r);
	record_pool_free(pool);
}

static inline void sending_answer(const struct sending *s, struct span answer)
{
	int status = 0;

	if (answer.len >= 2) {
		status = (unsigned char)answer.ptr[0] * 256 +
			 (unsigned char)answer.ptr[1];
		answer.ptr += 2;
		answer.len -= 2;
	}
	s->classify(status, answer);
}

static inline void sending_fuzz(
	const struct sending *s, const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *newline = size == 0 ? NULL : memchr(text, '\n', size);
	size_t len = newline == NULL ? size : (size_t)(newline - text);

	sending_task(s, (struct span){ text, len });
	if (newline != NULL) {
		sending_answer(s, (struct span){ newline + 1, size - len - 1 });
	}
}

#endif
