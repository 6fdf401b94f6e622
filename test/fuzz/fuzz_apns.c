/* Any task becomes a request that can be sent or is refused with a phrase; any
 * answer has a meaning. */
#include <stdint.h>

#include "sending.h"
#include "wire/apns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static enum reason build(
	const struct record *r, struct request *req, const char **why)
{
	const struct apns_terms terms = { span_of("com.example.shop"), true,
		false };

	return apns_build(r, &terms, req, why);
}

static void classify(int status, struct span answer)
{
	struct answer a = apns_classify(status, answer, answer, 1763627000000);

	expect(a.row != NULL && a.after_ms >= 0 && a.vendor_unix_ms >= 0);
	expect((a.row->reason == REASON_OK) == (status == 200));
	(void)apns_goaway_row(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sending sending = { build, check_request,
		classify };

	sending_fuzz(&sending, data, size);
	return 0;
}
