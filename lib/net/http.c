/*
 * libcurl's ordinary interface, in the loop.  Redirects are not followed, and
 * proxies come from the environment.
 */
#include "net/http.h"

#include <curl/curl.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/multi.h"

struct http {
	struct multi *multi;     /* owned */
	struct http_call *first; /* owned */
};

struct http_call {
	struct http *http;
	struct http_call *prev;
	struct http_call *next;
	CURL *easy;                 /* owned */
	struct curl_slist *headers; /* owned */
	struct buf answer;
	http_done_cb *on_done;
	void *self;
	char *header; /* owned; that is wanted, or NULL */
	char error[CURL_ERROR_SIZE];
};

static void http_call_free(struct http_call *call)
{
	if (call->prev != NULL) {
		call->prev->next = call->next;
	} else {
		call->http->first = call->next;
	}
	if (call->next != NULL) {
		call->next->prev = call->prev;
	}
	multi_remove(call->http->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	buf_release(&call->answer);
	mem_free(call->header);
	mem_free(call);
}

static size_t http_on_body(char *data, size_t size, size_t count, void *self)
{
	struct http_call *call = self;
	size_t room = call->answer.max - call->answer.len;
	size_t len = size * count;

	buf_put(&call->answer, data, len < room ? len : room);
	return len;
}

static void http_on_done(void *self, void *easy, int code)
{
	struct http_call *call = self;
	struct http_answer a = { .retry_after_ms = -1 };
	curl_off_t retry_after_s = 0;
	struct curl_header *found = NULL;
	long status = 0;

	if (code == CURLE_OK && curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE,
					&status) == CURLE_OK) {
		a.status = (int)status;
		a.body = (struct span){ call->answer.data, call->answer.len };
	} else {
		a.error = call->error[0] != '\0'
				  ? call->error
				  : curl_easy_strerror((CURLcode)code);
	}
	if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s) ==
			CURLE_OK &&
		retry_after_s > 0 && retry_after_s < INT32_MAX) {
		a.retry_after_ms = (int64_t)retry_after_s * 1000;
	}
	if (call->header != NULL &&
		curl_easy_header(easy, call->header, 0, CURLH_HEADER, -1,
			&found) == CURLHE_OK) {
		a.header = span_of(found->value);
	}
	call->on_done(call->self, &a);
	http_call_free(call);
}

struct http *http_new(struct loop *l)
{
	struct http *h = mem_array(1, sizeof(*h));

	h->multi = multi_new(l, http_on_done);
	return h;
}

void http_free(struct http *h)
{
	if (h == NULL) {
		return;
	}
	while (h->first != NULL) {
		http_call_free(h->first);
	}
	multi_free(h->multi);
	mem_free(h);
}

#define SET(easy, option, value)                                 \
	if (curl_easy_setopt(easy, option, value) != CURLE_OK) { \
		BUG("libcurl does not know " #option);           \
	}

/* Everything but what is to be done with the URL. */
static struct http_call *prepare(struct http *h, const struct http_ask *ask,
	http_done_cb *on_done, void *self)
{
	struct http_call *call = mem_array(1, sizeof(*call));

	call->http = h;
	call->next = h->first;
	if (h->first != NULL) {
		h->first->prev = call;
	}
	h->first = call;
	call->on_done = on_done;
	call->header = ask->header == NULL ? NULL : mem_text(ask->header);
	call->self = self;
	buf_init(&call->answer, ask->answer_max_bytes > 0
					? ask->answer_max_bytes
					: HTTP_ANSWER_MAX_BYTES);
	for (size_t i = 0; i < HTTP_HEADERS_MAX && ask->headers[i] != NULL;
		i++) {
		call->headers =
			curl_slist_append(call->headers, ask->headers[i]);
	}
	call->easy = curl_easy_init();
	if (call->easy == NULL) {
		BUG("libcurl gives no handle");
	}
	SET(call->easy, CURLOPT_URL, ask->url);
	SET(call->easy, CURLOPT_PROTOCOLS_STR, "https,http");
	SET(call->easy, CURLOPT_HTTPHEADER, call->headers);
	SET(call->easy, CURLOPT_TIMEOUT_MS, (long)ask->timeout_ms);
	SET(call->easy, CURLOPT_NOSIGNAL, 1L);
	SET(call->easy, CURLOPT_ERRORBUFFER, call->error);
	SET(call->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(call->easy, CURLOPT_WRITEFUNCTION, http_on_body);
	SET(call->easy, CURLOPT_WRITEDATA, call);
	if (ask->ca_file != NULL) {
		SET(call->easy, CURLOPT_CAINFO, ask->ca_file);
		SET(call->easy, CURLOPT_CAPATH, NULL);
	}
	return call;
}

struct http_call *http_post(struct http *h, const struct http_ask *ask,
	http_done_cb *on_done, void *self)
{
	struct http_call *call = prepare(h, ask, on_done, self);

	SET(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.len);
	SET(call->easy, CURLOPT_COPYPOSTFIELDS, ask->body.ptr);
	multi_add(h->multi, call->easy, call);
	return call;
}

struct http_call *http_get(struct http *h, const struct http_ask *ask,
	http_done_cb *on_done, void *self)
{
	struct http_call *call = prepare(h, ask, on_done, self);

	multi_add(h->multi, call->easy, call);
	return call;
}

void http_cancel(struct http_call *call)
{
	if (call != NULL) {
		http_call_free(call);
	}
}
