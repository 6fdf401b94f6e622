/* The provider token: the same from every worker, for a slot of half an hour. */
#include "wire/apns.h"

enum { MS_PER_S = 1000 };

int64_t apns_token_issued_s(int64_t now_unix_ms)
{
	int64_t s = now_unix_ms / MS_PER_S - APNS_GRID_SHIFT_S;

	return s - s % APNS_GRID_S;
}

int apns_token(const struct jwt_key *key, struct span key_id,
	struct span team_id, int64_t now_unix_ms, struct buf *out,
	struct err *err)
{
	struct buf header;
	struct buf claims;
	int result;

	buf_init(&header, JWT_HEADER_MAX_BYTES);
	buf_init(&claims, JWT_HEADER_MAX_BYTES);
	buf_text(&header, "{\"alg\":\"ES256\",\"kid\":");
	json_put_span(&header, key_id);
	buf_putc(&header, '}');
	buf_text(&claims, "{\"iss\":");
	json_put_span(&claims, team_id);
	buf_text(&claims, ",\"iat\":");
	buf_i64(&claims, apns_token_issued_s(now_unix_ms));
	buf_putc(&claims, '}');
	if (buf_is_over(&header) || buf_is_over(&claims)) {
		result = err_usage(err, 0, "key id or team id is too long");
	} else {
		result = jwt_sign(key, (struct span){ header.data, header.len },
			(struct span){ claims.data, claims.len }, out, err);
	}
	buf_release(&header);
	buf_release(&claims);
	return result;
}
