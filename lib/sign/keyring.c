/* Loaded keys by the numbers that the rules give them. */
#include "sign/keyring.h"

#include "base/mem.h"

struct keyring {
	const struct auth_rules *rules; /* borrowed */
	struct jwt_key **keys;          /* owned, as are its members */
};

void keyring_free(struct keyring *k)
{
	if (k == NULL) {
		return;
	}
	for (size_t i = 0; i < auth_key_count(k->rules); i++) {
		jwt_key_free(k->keys[i]);
	}
	mem_free(k->keys);
	mem_free(k);
}

static struct jwt_key *load_key(
	const struct conf *conf, const struct auth_key *key, struct err *err)
{
	char *path = conf_file_take(conf, key->file);
	struct jwt_key *loaded =
		jwt_key_checker_file(jwt_alg_parse(key->alg), path, err);

	mem_free(path);
	if (loaded == NULL) {
		(void)err_prefix(err, "'apps.%.*s.keys.%.*s'",
			(int)key->app.len, key->app.ptr, (int)key->id.len,
			key->id.ptr);
	}
	return loaded;
}

int keyring_new(struct keyring **out, const struct auth_rules *rules,
	const struct conf *conf, struct err *err)
{
	size_t count = auth_key_count(rules);
	struct keyring *k = mem_array(1, sizeof(*k));

	k->rules = rules;
	k->keys = mem_array(count + 1, sizeof(struct jwt_key *));
	for (size_t i = 0; i < count; i++) {
		k->keys[i] = load_key(conf, auth_key_at(rules, i), err);
		if (k->keys[i] == NULL) {
			keyring_free(k);
			return -1;
		}
	}
	*out = k;
	return 0;
}

enum reason keyring_verify(const struct keyring *k, const struct record *r,
	struct jwt *jwt, struct auth_fault *fault)
{
	enum jwt_fault wrong = jwt_parse(jwt, auth_jws(r));
	int64_t n;

	if (wrong == JWT_OK && jwt->kid.ptr == NULL) {
		return auth_fault_set(
			fault, REASON_UNAUTHORIZED, "the header names no kid");
	}
	if (wrong == JWT_OK) {
		n = auth_find_key(k->rules, r->app, jwt->kid);
		if (n < 0) {
			return auth_fault_set(fault, REASON_UNAUTHORIZED,
				"no key '%s'", jwt->kid_text);
		}
		wrong = jwt_verify(jwt, k->keys[n]);
		if (wrong == JWT_OK) {
			fault->kid = jwt->kid;
		}
	}
	return wrong == JWT_OK ? REASON_NONE
			       : auth_fault_set(fault, REASON_UNAUTHORIZED,
					 "%s", jwt_fault_text(wrong));
}
