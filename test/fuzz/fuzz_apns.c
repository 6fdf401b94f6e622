/* Any task becomes a request that can be sent or is refused with a phrase; any
 * answer has a meaning.  Input: one line with a task, the rest is an answer: its
 * first two bytes are the status. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/apns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int is_true)
{
	if (!is_true) {
		abort();
	}
}

static void expect_visible(struct span s)
{
	expect(s.len > 0);
	for (size_t i = 0; i < s.len; i++) {
		expect(s.ptr[i] > 0x20 && s.ptr[i] < 0x7f);
	}
}

static void check_request(const struct request *req)
{
	struct json_doc *doc;

	expect(req->body.len <= APNS_PAYLOAD_MAX_VOIP_BYTES);
	doc = json_parse(req->body.data, req->body.len, JSON_STRICT, NULL);
	expect(doc != NULL &&
		(json_get(json_root(doc), "aps") != NULL ||
			span_is(request_find(req, "apns-push-type"), "mdm")));
	json_free(doc);
	expect_visible((struct span){ req->path.data, req->path.len });
	for (size_t i = 0; i < req->header_count; i++) {
		expect_visible(request_value(req, i));
	}
	expect(request_find(req, "apns-push-type").ptr != NULL);
}

static void build(struct span line)
{
	struct record_pool *pool = record_pool_new(RECORD_MAX_BYTES, "f");
	struct record *r = record_read(pool, line.ptr, line.len, 1);
	const struct apns_terms terms = { span_of("com.example.shop"), true,
		false };
	struct request req;
	const char *why = NULL;

	request_init(&req);
	if (r->outcome == OUTCOME_UNDECIDED) {
		if (apns_build(r, &terms, &req, &why) == REASON_NONE) {
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
	int status = answer.len < 2 ? 0
				    : (unsigned char)answer.ptr[0] * 256 +
					      (unsigned char)answer.ptr[1];

	if (answer.len >= 2) {
		answer.ptr += 2;
		answer.len -= 2;
	}
	a = apns_classify(status, answer, answer, 1763627000000);
	expect(a.row != NULL && a.after_ms >= 0 && a.vendor_unix_ms >= 0);
	expect((a.row->reason == REASON_OK) == (status == 200));
	(void)apns_goaway_row(answer);
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
