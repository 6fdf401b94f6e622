/* Any task becomes a request that can be sent or is refused with a phrase; any
 * answer of Google's has a meaning.  Input: one line with a task, the rest is an
 * answer: its first two bytes are the status. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/fcm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int is_true)
{
	if (!is_true) {
		abort();
	}
}

static void check_request(const struct request *req)
{
	struct json_doc *doc =
		json_parse(req->body.data, req->body.len, JSON_STRICT, NULL);
	const struct json *message = json_get(json_root(doc), "message");
	int targets = (json_get(message, "token") != NULL) +
		      (json_get(message, "topic") != NULL) +
		      (json_get(message, "condition") != NULL);

	expect(doc != NULL && targets == 1);
	expect(json_get(json_get(message, "android"), "priority") != NULL);
	json_free(doc);
}

static void build(struct span line)
{
	struct record_pool *pool = record_pool_new(RECORD_MAX_BYTES, "f");
	struct record *r = record_read(pool, line.ptr, line.len, 1);
	const struct fcm_terms terms = { span_of("shop-prod"), true, false };
	struct request req;
	const char *why = NULL;

	request_init(&req);
	if (r->outcome == OUTCOME_UNDECIDED) {
		if (fcm_build(r, &terms, &req, &why) == REASON_NONE) {
			expect(why == NULL);
			check_request(&req);
		} else {
			expect(why != NULL);
		}
	}
	request_release(&req);
	record_free(pool, r);
	record_pool_free(pool);
}

static void classify(struct span answer)
{
	struct answer a;
	struct buf text;
	struct fcm_account account;
	struct err err = { 0 };
	int64_t life_s;
	int status = answer.len < 2 ? 0
				    : (unsigned char)answer.ptr[0] * 256 +
					      (unsigned char)answer.ptr[1];

	if (answer.len >= 2) {
		answer.ptr += 2;
		answer.len -= 2;
	}
	a = fcm_classify(status, answer, answer, 1763627000000);
	expect(a.row != NULL && a.after_ms >= 0);
	expect((a.row->reason == REASON_OK) == (status == 200));
	buf_init(&text, 65536);
	fcm_message_name(answer, &text);
	buf_reset(&text);
	if (fcm_token_parse(status, answer, &text, &life_s, &err) == 0) {
		expect(text.len > 0 && life_s > 0);
	} else {
		expect(err.text[0] != '\0');
	}
	buf_release(&text);
	if (fcm_account_parse(&account, answer, &err) == 0) {
		fcm_account_release(&account);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size == 0 ? NULL : memchr(data, '\n', size);
	size_t len = newline == NULL ? size : (size_t)(newline - data);

	build((struct span){ (const char *)data, len });
	if (newline != NULL) {
		classify((struct span){
			(const char *)newline + 1, size - len - 1 });
	}
	return 0;
}
