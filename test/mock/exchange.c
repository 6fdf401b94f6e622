/*
 * Memory and header fields of one request.  An exchange is used again and again,
 * so that a request costs no allocation once its buffers have grown.
 */
#include "exchange.h"

#include <string.h>

#include "base/mem.h"

static const char *const FIELD_NAMES[FIELD_COUNT] = {
	[FIELD_METHOD] = ":method",
	[FIELD_PATH] = ":path",
	[FIELD_AUTHORIZATION] = "authorization",
	[FIELD_CONTENT_TYPE] = "content-type",
	[FIELD_APNS_ID] = "apns-id",
	[FIELD_APNS_TOPIC] = "apns-topic",
	[FIELD_APNS_PUSH_TYPE] = "apns-push-type",
	[FIELD_APNS_PRIORITY] = "apns-priority",
	[FIELD_APNS_EXPIRATION] = "apns-expiration",
	[FIELD_APNS_COLLAPSE_ID] = "apns-collapse-id",
	[FIELD_APNS_CHANNEL_ID] = "apns-channel-id",
	[FIELD_APNS_REQUEST_ID] = "apns-request-id",
	[FIELD_SENTRY_AUTH] = "x-sentry-auth",
};

const char *vendor_name(enum vendor_id id)
{
	static const char *const names[VENDOR_COUNT] = {
		[VENDOR_APNS] = "apns",
		[VENDOR_FCM] = "fcm",
		[VENDOR_OAUTH] = "oauth",
		[VENDOR_SENTRY] = "sentry",
	};

	return names[id];
}

/* Notes are pointed at, so they must not move while a request lasts. */
enum { NOTES_BYTES = 4096 };

struct exchange *exchange_new(void)
{
	struct exchange *x = mem_array(1, sizeof(*x));

	buf_init(&x->head, HEAD_MAX_BYTES);
	buf_init(&x->body, BODY_MAX_BYTES);
	buf_init(&x->answer, ANSWER_MAX_BYTES);
	buf_init(&x->notes, NOTES_BYTES);
	(void)buf_room(&x->notes, NOTES_BYTES); /* all of it, now */
	exchange_reset(x);
	return x;
}

void exchange_free(struct exchange *x)
{
	if (x == NULL) {
		return;
	}
	buf_release(&x->head);
	buf_release(&x->body);
	buf_release(&x->answer);
	buf_release(&x->notes);
	mem_free(x);
}

void exchange_reset(struct exchange *x)
{
	x->next = NULL;
	x->prev = NULL;
	x->conn = NULL;
	x->peer = NULL;
	x->stream_id = 0;
	buf_reset(&x->head);
	memset(x->field_at, 0, sizeof(x->field_at));
	buf_reset(&x->body);
	x->has_duplicate = false;
	x->is_early = false;
	x->is_judged = false;
	x->is_answered = false;
	x->verdict = (struct verdict){ .retry_after_s = -1 };
	buf_reset(&x->answer);
	x->answer_sent_bytes = 0;
	x->answer_type = NULL;
	x->answer_id_name = NULL;
	buf_reset(&x->notes);
}

const char *field_name(enum field field)
{
	return FIELD_NAMES[field];
}

enum field field_of_name(const char *name, size_t len)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		if (memcmp(FIELD_NAMES[i], name, 1) == 0 &&
			strlen(FIELD_NAMES[i]) == len &&
			memcmp(FIELD_NAMES[i], name, len) == 0) {
			return (enum field)i;
		}
	}
	return FIELD_COUNT;
}

void exchange_put_field(
	struct exchange *x, enum field field, const char *value, size_t len)
{
	if (x->field_at[field] != 0) {
		x->has_duplicate = true;
		return;
	}
	x->field_at[field] = (uint32_t)x->head.len + 1;
	x->field_bytes[field] = (uint32_t)len;
	buf_put(&x->head, value, len);
	buf_putc(&x->head, '\0');
	if (buf_is_over(&x->head)) {
		x->field_at[field] = 0;
	}
}

struct span exchange_field(const struct exchange *x, enum field field)
{
	if (x->field_at[field] == 0) {
		return (struct span){ NULL, 0 };
	}
	return (struct span){ x->head.data + x->field_at[field] - 1,
		x->field_bytes[field] };
}

struct span exchange_note(struct exchange *x, const char *ptr, size_t len)
{
	size_t at = x->notes.len;

	buf_put(&x->notes, ptr, len);
	buf_putc(&x->notes, '\0');
	if (buf_is_over(&x->notes)) {
		buf_cut(&x->notes, at);
		return (struct span){ "", 0 };
	}
	return (struct span){ x->notes.data + at, len };
}

void exchange_refuse(struct exchange *x, int status, const char *reason)
{
	x->verdict.status = status;
	x->verdict.reason = reason;
}

bool starts_with(struct span t, const char *word)
{
	size_t len = strlen(word);

	return t.len >= len && memcmp(t.ptr, word, len) == 0;
}
