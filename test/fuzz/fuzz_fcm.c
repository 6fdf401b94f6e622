/* Any task becomes a request that can be sent or is refused with a phrase; any
 * answer of Google's has a meaning. */
#include <stdint.h>

#include "sending.h"
#include "wire/fcm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static enum reason build(
	const struct record *r, struct request *req, const char **why)
{
	const struct fcm_terms terms = { span_of("shop-prod"), true, false };

	return fcm_build(r, &terms, req, why);
}

static void classify(int status, struct span answer)
{
	struct answer a;
	struct buf text;
	struct fcm_account account;
	struct err err = { 0 };
	int64_t life_s;

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
	static const struct sending sending = { build, check_request,
		classify };

	sending_fuzz(&sending, data, size);
	return 0;
}
