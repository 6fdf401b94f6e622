/* Signed tokens: known answers, both directions, and everything that must not
 * be taken for a good signature. */
#include "wire/jwt.h"

#include <string.h>

#include "test.h"
#include "wire/base64url.h"

#define KEYS "test/fixtures/keys/"

/* RFC 7515 appendices A.1 and A.3. */
static const char rfc_claims[] =
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
	"LmNvbS9pc19yb290Ijp0cnVlfQ";
static const char rfc_hs256_header[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1"
				       "NiJ9";
static const char rfc_hs256_sig[] =
	"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
static const char rfc_es256_header[] = "eyJhbGciOiJFUzI1NiJ9";
static const char rfc_es256_sig[] =
	"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQ"
	"xfKTUJqPP3-Kg6NU1Q";
static const char rfc_payload[] = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,"
				  "\r\n \"http://example.com/is_root\":true}";

static void join(char dst[1024], const char *a, const char *b, const char *c)
{
	CHECK(fmt_into(dst, 1024, "%s.%s.%s", a, b, c) == 0);
}

static enum jwt_fault check(
	struct jwt *t, const char *compact, const struct jwt_key *key)
{
	enum jwt_fault fault = jwt_parse(t, span_of(compact));

	return fault == JWT_OK ? jwt_verify(t, key) : fault;
}

static void the_rfcs_hs256_example_verifies(void)
{
	struct err err = { 0 };
	struct jwt_key *key =
		jwt_key_secret_file(KEYS "rfc7515-a1-secret", &err);
	struct jwt t;
	char text[1024];

	CHECK(key != NULL);
	CHECK(jwt_key_alg(key) == JWT_HS256);
	jwt_init(&t, 4096);
	join(text, rfc_hs256_header, rfc_claims, rfc_hs256_sig);
	CHECK(check(&t, text, key) == JWT_OK);
	CHECK(t.alg == JWT_HS256);
	CHECK(t.kid.ptr == NULL);
	CHECK(span_is(t.payload, rfc_payload));
	/* And again: the key is good for more than one token. */
	CHECK(check(&t, text, key) == JWT_OK);
	jwt_release(&t);
	jwt_key_free(key);
}

static void the_rfcs_es256_example_verifies(void)
{
	struct err err = { 0 };
	struct jwt_key *key = jwt_key_public_file(
		JWT_ES256, KEYS "rfc7515-a3-public.pem", &err);
	struct jwt t;
	char text[1024];

	CHECK(key != NULL);
	jwt_init(&t, 4096);
	join(text, rfc_es256_header, rfc_claims, rfc_es256_sig);
	CHECK(check(&t, text, key) == JWT_OK);
	CHECK(span_is(t.payload, rfc_payload));
	jwt_release(&t);
	jwt_key_free(key);
}

static const char header_es256[] = "{\"alg\":\"ES256\",\"kid\":\"k1\"}";
static const char header_rs256[] = "{\"alg\":\"RS256\"}";
static const char header_hs256[] = "{\"alg\":\"HS256\",\"kid\":\"k 2\"}";

/* Signs with one key and verifies with the other, many times: the bytes of R
 * and S begin with zeros now and then. */
static void round_trip(const struct jwt_key *maker,
	const struct jwt_key *checker, const char *header)
{
	struct err err = { 0 };
	struct jwt t;
	struct buf token;

	jwt_init(&t, 4096);
	buf_init(&token, 4096);
	for (int i = 0; i < 300; i++) {
		char claims[32];

		CHECK(fmt_into(claims, sizeof(claims), "{\"n\":%d}", i) == 0);
		buf_reset(&token);
		CHECK(jwt_sign(maker, span_of(header), span_of(claims), &token,
			      &err) == 0);
		CHECK(check(&t, buf_string(&token), checker) == JWT_OK);
		CHECK(span_is(t.payload, claims));
		if (jwt_key_alg(maker) == JWT_ES256) {
			CHECK(t.signature.len == 64);
		} else if (i == 20) {
			break; /* nothing varies */
		}
	}
	buf_release(&token);
	jwt_release(&t);
}

static void what_one_key_signs_the_other_verifies(void)
{
	struct err err = { 0 };
	struct jwt_key *es = jwt_key_private_file(
		JWT_ES256, KEYS "test-only-es256.p8", &err);
	struct jwt_key *es_public = jwt_key_public_file(
		JWT_ES256, KEYS "test-only-es256-public.pem", &err);
	struct jwt_key *rs = jwt_key_private_file(
		JWT_RS256, KEYS "test-only-rs256.pem", &err);
	struct jwt_key *rs_public = jwt_key_public_file(
		JWT_RS256, KEYS "test-only-rs256-public.pem", &err);
	struct jwt_key *hs =
		jwt_key_secret_file(KEYS "test-only-hs256-secret", &err);

	CHECK(es != NULL && es_public != NULL);
	CHECK(rs != NULL && rs_public != NULL && hs != NULL);
	round_trip(es, es_public, header_es256);
	round_trip(rs, rs_public, header_rs256);
	round_trip(hs, hs, header_hs256);
	jwt_key_free(es);
	jwt_key_free(es_public);
	jwt_key_free(rs);
	jwt_key_free(rs_public);
	jwt_key_free(hs);
}

static void one_secret_gives_one_token_and_says_so(void)
{
	struct err err = { 0 };
	struct jwt_key *es = jwt_key_private_file(
		JWT_ES256, KEYS "test-only-es256.p8", &err);
	struct buf a;
	struct buf b;

	buf_init(&a, 4096);
	buf_init(&b, 4096);
	CHECK(jwt_sign(es, span_of(header_es256), span_of("{}"), &a, &err) ==
		0);
	CHECK(jwt_sign(es, span_of(header_es256), span_of("{}"), &b, &err) ==
		0);
	CHECK(a.len == b.len);
	CHECK((memcmp(a.data, b.data, a.len) == 0) == jwt_is_deterministic(es));
	buf_release(&a);
	buf_release(&b);
	jwt_key_free(es);
}

static void any_changed_byte_breaks_the_signature(void)
{
	struct err err = { 0 };
	struct jwt_key *keys[2] = {
		jwt_key_secret_file(KEYS "rfc7515-a1-secret", &err),
		jwt_key_public_file(
			JWT_ES256, KEYS "rfc7515-a3-public.pem", &err),
	};
	const char *headers[2] = { rfc_hs256_header, rfc_es256_header };
	const char *sigs[2] = { rfc_hs256_sig, rfc_es256_sig };
	struct jwt t;
	char text[1024];

	jwt_init(&t, 4096);
	for (int k = 0; k < 2; k++) {
		join(text, headers[k], rfc_claims, sigs[k]);
		for (size_t i = 0; text[i] != '\0'; i++) {
			char was = text[i];

			text[i] = was == 'A' ? 'B' : 'A';
			CHECK(check(&t, text, keys[k]) != JWT_OK);
			text[i] = was;
		}
		CHECK(check(&t, text, keys[k]) == JWT_OK);
		jwt_key_free(keys[k]);
	}
	jwt_release(&t);
}

static void a_signature_of_zeros_or_of_another_length_is_none(void)
{
	struct err err = { 0 };
	struct jwt_key *key = jwt_key_public_file(
		JWT_ES256, KEYS "rfc7515-a3-public.pem", &err);
	struct jwt t;
	struct buf sig;
	char text[1024];
	char zeros[72] = "";

	jwt_init(&t, 4096);
	buf_init(&sig, 200);
	for (size_t len = 0; len <= sizeof(zeros); len++) {
		buf_reset(&sig);
		base64url_put(&sig, zeros, len);
		join(text, rfc_es256_header, rfc_claims, buf_string(&sig));
		CHECK(check(&t, text, key) == JWT_BAD_SIGNATURE);
	}
	buf_release(&sig);
	jwt_release(&t);
	jwt_key_free(key);
}

/* The attack that gave JWT its name: HS256 with the public key as secret. */
static void the_alg_must_be_the_keys(void)
{
	struct err err = { 0 };
	struct jwt_key *ec = jwt_key_public_file(
		JWT_ES256, KEYS "test-only-es256-public.pem", &err);
	struct jwt_key *forger;
	struct buf pem;
	struct buf token;
	struct jwt t;

	CHECK(jwt_key_secret_file(KEYS "test-only-es256-public.pem", &err) ==
		NULL);
	buf_init(&pem, 4096);
	CHECK(buf_read_file(&pem, KEYS "test-only-es256-public.pem", &err) ==
		0);
	forger = jwt_key_secret((struct span){ pem.data, pem.len }, &err);
	buf_release(&pem);
	CHECK(ec != NULL && forger != NULL);
	buf_init(&token, 4096);
	jwt_init(&t, 4096);
	CHECK(jwt_sign(forger, span_of(header_hs256), span_of("{}"), &token,
		      &err) == 0);
	CHECK(check(&t, buf_string(&token), ec) == JWT_WRONG_ALG);
	CHECK(check(&t, buf_string(&token), forger) == JWT_OK);
	jwt_release(&t);
	buf_release(&token);
	jwt_key_free(ec);
	jwt_key_free(forger);
}

static enum jwt_fault fault_of_header(const char *header)
{
	struct jwt t;
	struct buf text;
	enum jwt_fault fault;

	jwt_init(&t, 65536);
	buf_init(&text, 65536);
	base64url_put(&text, header, strlen(header));
	buf_text(&text, ".e30.AAAA");
	fault = jwt_parse(&t, (struct span){ text.data, text.len });
	buf_release(&text);
	jwt_release(&t);
	return fault;
}

static void headers_are_judged(void)
{
	char big[2048];

	CHECK(fault_of_header("{\"alg\":\"HS256\"}") == JWT_OK);
	CHECK(fault_of_header("{\"alg\":\"none\"}") == JWT_BAD_ALG);
	CHECK(fault_of_header("{\"alg\":\"hs256\"}") == JWT_BAD_ALG);
	CHECK(fault_of_header("{\"alg\":\"HS512\"}") == JWT_BAD_ALG);
	CHECK(fault_of_header("{\"alg\":1}") == JWT_BAD_HEADER);
	CHECK(fault_of_header("{}") == JWT_BAD_HEADER);
	CHECK(fault_of_header("[]") == JWT_BAD_HEADER);
	CHECK(fault_of_header("") == JWT_BAD_HEADER);
	CHECK(fault_of_header("{\"alg\":\"HS256\",\"kid\":7}") ==
		JWT_BAD_HEADER);
	CHECK(fault_of_header("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}") ==
		JWT_CRITICAL);
	CHECK(fault_of_header("{\"alg\":\"HS256\",\"b64\":false}") ==
		JWT_CRITICAL);

	memset(big, ' ', sizeof(big));
	memcpy(big, "{\"alg\":\"HS256\"", 14);
	big[sizeof(big) - 2] = '}';
	big[sizeof(big) - 1] = '\0';
	CHECK(fault_of_header(big) == JWT_TOO_LARGE);

	memset(big, 'k', sizeof(big));
	memcpy(big, "{\"alg\":\"HS256\",\"kid\":\"", 22);
	memcpy(big + 22 + JWT_KID_MAX_BYTES, "\"}", 3);
	CHECK(fault_of_header(big) == JWT_OK);
	memcpy(big + 22 + JWT_KID_MAX_BYTES, "k\"}", 4);
	CHECK(fault_of_header(big) == JWT_BAD_HEADER);
}

static enum jwt_fault fault_of(const char *compact)
{
	struct jwt t;
	enum jwt_fault fault;

	jwt_init(&t, 256);
	fault = jwt_parse(&t, span_of(compact));
	jwt_release(&t);
	return fault;
}

static void the_compact_form_is_strict(void)
{
	char long_text[300];

	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9.e30.AAAA") == JWT_OK);
	CHECK(fault_of("") == JWT_NOT_COMPACT);
	CHECK(fault_of("a") == JWT_NOT_COMPACT);
	CHECK(fault_of("a.b") == JWT_NOT_COMPACT);
	CHECK(fault_of("a.b.c.d") == JWT_NOT_COMPACT);
	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9.e30.AAAA.") == JWT_NOT_COMPACT);
	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9.e30=.AAAA") == JWT_BAD_BASE64);
	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9.e30.AA+A") == JWT_BAD_BASE64);
	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9.e30.AA/A") == JWT_BAD_BASE64);
	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9.e30.AAAA\n") == JWT_BAD_BASE64);
	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9. e30.AAAA") == JWT_BAD_BASE64);
	/* One byte too few; bits that belong to no byte. */
	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9.e30.AAAAA") == JWT_BAD_BASE64);
	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9.e30.AAAAAB") == JWT_BAD_BASE64);
	CHECK(fault_of("eyJhbGciOiJIUzI1NiJ9.e31.AAAA") == JWT_BAD_BASE64);

	memset(long_text, 'A', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	CHECK(fault_of(long_text) == JWT_TOO_LARGE);
}

static void a_kid_is_what_the_header_says(void)
{
	struct err err = { 0 };
	struct jwt_key *hs =
		jwt_key_secret_file(KEYS "test-only-hs256-secret", &err);
	struct buf token;
	struct jwt t;

	buf_init(&token, 4096);
	jwt_init(&t, 4096);
	CHECK(jwt_sign(hs, span_of(header_hs256), span_of("{}"), &token,
		      &err) == 0);
	CHECK(jwt_parse(&t, (struct span){ token.data, token.len }) == JWT_OK);
	CHECK(span_is(t.kid, "k 2"));
	jwt_release(&t);
	buf_release(&token);
	jwt_key_free(hs);
}

static enum jwt_fault parse_in_turn(struct jwt *t, const char *header)
{
	struct buf text;
	enum jwt_fault fault;

	buf_init(&text, 4096);
	base64url_put(&text, header, strlen(header));
	buf_text(&text, ".e30.AAAA");
	fault = jwt_parse(t, (struct span){ text.data, text.len });
	CHECK((t->alg == JWT_NONE) == (fault != JWT_OK));
	buf_release(&text);
	return fault;
}

/* A header that was seen before is known, whatever came between. */
static void headers_come_in_any_order(void)
{
	struct jwt t;

	jwt_init(&t, 4096);
	CHECK(parse_in_turn(&t, "") == JWT_BAD_HEADER);
	for (int i = 0; i < 3; i++) {
		for (int again = 0; again < 3; again++) {
			CHECK(parse_in_turn(&t, header_hs256) == JWT_OK);
			CHECK(t.alg == JWT_HS256 && span_is(t.kid, "k 2"));
			CHECK(span_is(t.payload, "{}") && t.signature.len == 3);
		}
		CHECK(parse_in_turn(&t, header_es256) == JWT_OK);
		CHECK(t.alg == JWT_ES256 && span_is(t.kid, "k1"));
		CHECK(parse_in_turn(&t, "{\"alg\":\"no\",\"kid\":\"k 2\"}") ==
			JWT_BAD_ALG);
		CHECK(t.kid.ptr == NULL);
		CHECK(parse_in_turn(&t, header_es256) == JWT_OK);
		CHECK(t.alg == JWT_ES256 && span_is(t.kid, "k1"));
		CHECK(parse_in_turn(&t, header_rs256) == JWT_OK);
		CHECK(t.alg == JWT_RS256 && t.kid.ptr == NULL);
		CHECK(parse_in_turn(&t, "") == JWT_BAD_HEADER);
	}
	jwt_release(&t);
}

/* Every byte at every place of a group, and what is left behind groups. */
static void every_digit_has_its_value(void)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-_";
	struct buf out;

	buf_init(&out, 64);
	CHECK(buf_room(&out, 64) != NULL);
	for (int byte = 0; byte < 256; byte++) {
		const char *digit = memchr(digits, byte, 64);
		unsigned value = digit == NULL ? 0 : (unsigned)(digit - digits);

		for (size_t at = 0; at < 8; at++) {
			char text[8] = { 'A', 'A', 'A', 'A', 'A', 'A', 'A',
				'A' };
			uint64_t bits = 0;

			text[at] = (char)byte;
			buf_reset(&out);
			CHECK(base64url_decode(
				      (struct span){ text, sizeof(text) },
				      &out) == (digit != NULL));
			for (size_t i = 0; i < out.len; i++) {
				bits = bits << 8 | (unsigned char)out.data[i];
			}
			CHECK(digit == NULL ||
				(out.len == 6 &&
					bits == (uint64_t)value
							<< 6 * (7 - at)));
			/* Two and three digits behind a group: 4 or 2 bits of
			 * the last one belong to no byte. */
			for (size_t len = 6; len < 8; len++) {
				unsigned spare = len == 6 ? 15 : 3;

				buf_reset(&out);
				CHECK(base64url_decode(
					      (struct span){ text, len },
					      &out) ==
					(at >= len ||
						(digit != NULL &&
							(at + 1 < len ||
								(value &
									spare) ==
									0))));
			}
		}
	}
	buf_release(&out);
}

static bool refused(struct jwt_key *key, struct err *err, const char *part)
{
	bool is_refused =
		key == NULL && err->is_usage && strstr(err->text, part) != NULL;

	if (!is_refused) {
		printf("%s\n", err->text);
	}
	jwt_key_free(key);
	return is_refused;
}

static void wrong_key_files_are_named(void)
{
	struct err err = { 0 };

	CHECK(refused(jwt_key_private_file(
			      JWT_ES256, KEYS "test-only-rs256.pem", &err),
		&err, "test-only-rs256.pem': not a P-256 key"));
	CHECK(refused(jwt_key_private_file(
			      JWT_ES256, KEYS "test-only-p384.pem", &err),
		&err, "not a P-256 key"));
	CHECK(refused(jwt_key_private_file(
			      JWT_RS256, KEYS "test-only-es256.p8", &err),
		&err, "not an RSA key"));
	CHECK(refused(jwt_key_private_file(JWT_ES256,
			      KEYS "test-only-es256-public.pem", &err),
		&err, "no private key"));
	CHECK(refused(
		jwt_key_public_file(JWT_ES256, KEYS "test-only-es256.p8", &err),
		&err, "no public key"));
	CHECK(refused(jwt_key_public_file(JWT_ES256, KEYS "README", &err), &err,
		"no public key"));
	CHECK(refused(jwt_key_private_file(JWT_ES256, KEYS "absent", &err),
		&err, "absent"));
	CHECK(refused(jwt_key_private_file(JWT_ES256, "/dev/null", &err), &err,
		"not a PEM"));
	CHECK(refused(jwt_key_secret(span_of("short"), &err), &err,
		"secret of 5 bytes"));
}

static void a_secrets_last_newline_does_not_count(void)
{
	struct err err = { 0 };
	struct jwt_key *from_file =
		jwt_key_secret_file(KEYS "test-only-hs256-secret", &err);
	struct jwt_key *from_text = jwt_key_secret(
		span_of("test-only secret of more than 32 bytes"), &err);
	struct buf a;
	struct buf b;

	buf_init(&a, 4096);
	buf_init(&b, 4096);
	CHECK(jwt_sign(from_file, span_of(header_hs256), span_of("{}"), &a,
		      &err) == 0);
	CHECK(jwt_sign(from_text, span_of(header_hs256), span_of("{}"), &b,
		      &err) == 0);
	CHECK(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	buf_release(&a);
	buf_release(&b);
	jwt_key_free(from_file);
	jwt_key_free(from_text);
}

static void no_room_is_an_error(void)
{
	struct err err = { 0 };
	struct jwt_key *hs =
		jwt_key_secret_file(KEYS "test-only-hs256-secret", &err);
	struct buf out;

	buf_init(&out, 40);
	CHECK(jwt_sign(hs, span_of(header_hs256), span_of("{}"), &out, &err) ==
		-1);
	buf_release(&out);
	jwt_key_free(hs);
}

static void make_and_check_once(void)
{
	struct err err = { 0 };
	struct jwt_key *hs =
		jwt_key_secret_file(KEYS "test-only-hs256-secret", &err);
	struct buf token;
	struct jwt t;

	buf_init(&token, 4096);
	jwt_init(&t, 4096);
	CHECK(jwt_sign(hs, span_of(header_hs256), span_of("{}"), &token,
		      &err) == 0);
	CHECK(check(&t, buf_string(&token), hs) == JWT_OK);
	jwt_release(&t);
	buf_release(&token);
	jwt_key_free(hs);
}

static void memory_that_is_gone_ends_the_program_in_order(void)
{
	test_each_allocation_fails(make_and_check_once);
}

static void names_and_faults_have_words(void)
{
	for (int i = JWT_OK; i <= JWT_BAD_SIGNATURE; i++) {
		CHECK(strlen(jwt_fault_text((enum jwt_fault)i)) > 5);
	}
	CHECK(jwt_alg_parse(span_of("ES256")) == JWT_ES256);
	CHECK(strcmp(jwt_alg_name(JWT_RS256), "RS256") == 0);
	CHECK(strcmp(jwt_alg_name(JWT_NONE), "none") == 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(the_rfcs_hs256_example_verifies),
		TEST(the_rfcs_es256_example_verifies),
		TEST(what_one_key_signs_the_other_verifies),
		TEST(one_secret_gives_one_token_and_says_so),
		TEST(any_changed_byte_breaks_the_signature),
		TEST(a_signature_of_zeros_or_of_another_length_is_none),
		TEST(the_alg_must_be_the_keys),
		TEST(headers_are_judged),
		TEST(the_compact_form_is_strict),
		TEST(a_kid_is_what_the_header_says),
		TEST(headers_come_in_any_order),
		TEST(every_digit_has_its_value),
		TEST(wrong_key_files_are_named),
		TEST(a_secrets_last_newline_does_not_count),
		TEST(no_room_is_an_error),
		TEST(memory_that_is_gone_ends_the_program_in_order),
		TEST(names_and_faults_have_words),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
