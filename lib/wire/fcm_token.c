/* The access token: a signed assertion in exchange for it. */
#include "wire/fcm.h"

enum {
	MS_PER_S = 1000,
	ACCESS_TOKEN_MAX_BYTES = 4096,
	ERROR_WORD_MAX_BYTES = 40,
};

/* [G-oauth], "Preparing to make an authorized API call", HTTP/REST. */
static void put_assertion(const struct fcm_account *a, int64_t now_s,
	struct buf *header, struct buf *claims)
{
	buf_text(header, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":");
	json_put_span(header, span_of(a->private_key_id));
	buf_putc(header, '}');

	buf_text(claims, "{\"iss\":");
	json_put_span(claims, span_of(a->client_email));
	buf_text(claims, ",\"scope\":\"https://www.googleapis.com/auth/"
			 "firebase.messaging\",\"aud\":");
	json_put_span(claims, span_of(a->token_uri));
	buf_text(claims, ",\"iat\":");
	buf_i64(claims, now_s);
	buf_text(claims, ",\"exp\":");
	buf_i64(claims, now_s + FCM_ASSERTION_LIFE_S);
	buf_putc(claims, '}');
}

int fcm_token_request(const struct fcm_account *a, int64_t now_unix_ms,
	struct buf *out, struct err *err)
{
	struct buf header;
	struct buf claims;
	int result;

	buf_init(&header, JWT_KEY_FILE_MAX_BYTES);
	buf_init(&claims, JWT_KEY_FILE_MAX_BYTES);
	put_assertion(a, now_unix_ms / MS_PER_S, &header, &claims);
	buf_text(out, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type"
		      "%3Ajwt-bearer&assertion=");
	result = jwt_sign(a->key, (struct span){ header.data, header.len },
		(struct span){ claims.data, claims.len }, out, err);
	buf_release(&header);
	buf_release(&claims);
	return result;
}

/* RFC 6749 section 5.2: a word such as invalid_grant. */
static bool is_error_word(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') ||
			    s.ptr[i] == '_')) {
			return false;
		}
	}
	return s.len > 0 && s.len <= ERROR_WORD_MAX_BYTES;
}

static int token_refused(int status, const struct json *root, struct err *err)
{
	struct span word = json_text(json_get(root, "error"));

	if (!is_error_word(word)) {
		word = span_of("no word why");
	}
	if (status == 400 || status == 401 || status == 403) {
		return err_usage(err, 0,
			"Google refuses the service account: %d, %.*s", status,
			(int)word.len, word.ptr);
	}
	return err_set(err, 0, "Google gives no access token: %d, %.*s", status,
		(int)word.len, word.ptr);
}

int fcm_token_parse(int status, struct span body, struct buf *token,
	int64_t *life_s, struct err *err)
{
	struct json_doc *doc = NULL;
	const struct json *root = NULL;
	struct span text;
	int result = 0;

	if (body.len > 0) {
		doc = json_parse(body.ptr, body.len, JSON_STRICT, NULL);
		root = doc == NULL ? NULL : json_root(doc);
	}
	text = json_text(json_get(root, "access_token"));
	if (status != 200) {
		result = token_refused(status, root, err);
	} else if (!request_is_word(text, ACCESS_TOKEN_MAX_BYTES) ||
		   json_int(json_get(root, "expires_in"), life_s) != 0 ||
		   *life_s <= 0) {
		result = err_set(err, 0,
			"Google's answer has no access_token with expires_in");
	} else {
		buf_put(token, text.ptr, text.len);
		if (buf_is_over(token)) {
			result = err_set(err, 0, "access token is too long");
		}
	}
	json_free(doc);
	return result;
}
