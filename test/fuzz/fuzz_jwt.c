/* No bytes are taken for a token that our key has signed, and what it signs
 * comes back as it was. */
#include <stdint.h>
#include <string.h>

#include "expect.h"
#include "wire/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char header[] = "{\"alg\":\"HS256\",\"kid\":\"k\"}";
	static struct jwt_key *key;
	struct span input = { (const char *)data, size };
	struct buf token;
	struct jwt t;

	if (key == NULL) {
		key = jwt_key_secret(
			span_of("fuzz only: a secret of 32 bytes or more"),
			NULL);
		expect(key != NULL);
	}
	jwt_init(&t, 4096);
	buf_init(&token, 65536);
	if (jwt_parse(&t, input) == JWT_OK) {
		expect(t.payload.len < size);
		expect(t.kid.len <= JWT_KID_MAX_BYTES);
		expect(jwt_verify(&t, key) != JWT_OK);
	}
	if (size < 2048) {
		expect(jwt_sign(key, span_of(header), input, &token, NULL) ==
			0);
		expect(jwt_parse(&t, (struct span){ token.data, token.len }) ==
			JWT_OK);
		expect(jwt_verify(&t, key) == JWT_OK);
		expect(span_equal(t.payload, input));
	}
	buf_release(&token);
	jwt_release(&t);
	return 0;
}
