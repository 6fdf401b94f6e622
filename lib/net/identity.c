/*
 * Reads PKCS #12 and PEM with OpenSSL.
 *
 * What macOS exports is often encrypted with RC2, which OpenSSL 3 has only in its
 * "legacy" provider: that is loaded while a file needs it.
 */
#include "net/identity.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/mem.h"

enum { PASSWORD_MAX_BYTES = 1024, CHAIN_MAX = 16 };

struct identity {
	X509 *certificate;      /* owned, like all here */
	STACK_OF(X509) * chain; /* NULL: none */
	EVP_PKEY *key;
	char *user; /* NULL: none */
};

static BIO *bio_of(struct span bytes)
{
	BIO *bio = bytes.len <= IDENTITY_FILE_MAX_BYTES
			   ? BIO_new_mem_buf(bytes.ptr, (int)bytes.len)
			   : NULL;

	if (bio == NULL) {
		BUG("a file of %zu bytes", bytes.len);
	}
	return bio;
}

/* --- PKCS #12 --- */

/* May leave some members unset.  False: not with this password. */
static bool identity_unpack(
	struct identity *id, PKCS12 *box, const char *password)
{
	ERR_clear_error();
	return PKCS12_parse(box, password, &id->key, &id->certificate,
		       &id->chain) == 1;
}

static int identity_from_box(
	struct identity *id, PKCS12 *box, const char *password, struct err *err)
{
	OSSL_PROVIDER *legacy;
	unsigned long code;

	if (identity_unpack(id, box, password)) {
		return 0;
	}
	code = ERR_peek_last_error();
	if (ERR_GET_REASON(code) == PKCS12_R_MAC_VERIFY_FAILURE) {
		return err_usage(err, 0, "the password is wrong");
	}
	legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
	if (legacy != NULL) {
		bool is_read = identity_unpack(id, box, password);

		(void)OSSL_PROVIDER_unload(legacy);
		if (is_read) {
			return 0;
		}
	}
	return err_usage(err, 0,
		"its encryption is not supported here; export it again with "
		"'openssl pkcs12'");
}

/* --- PEM --- */

static int on_password(char *dst, int size, int is_for_writing, void *self)
{
	const char *password = self;
	size_t len = strlen(password);

	(void)is_for_writing;
	if (len > (size_t)size) {
		return -1;
	}
	memcpy(dst, password, len);
	return (int)len;
}

/* Certificates are never encrypted, so none of their readers asks. */
static void identity_read_chain(struct identity *id, BIO *bio)
{
	X509 *next;

	id->chain = sk_X509_new_null();
	while (id->chain != NULL && sk_X509_num(id->chain) < CHAIN_MAX &&
		(next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_push(id->chain, next) == 0) {
			X509_free(next);
		}
	}
}

static int identity_from_pem(struct identity *id,
	const struct identity_files *files, char *password, struct err *err)
{
	BIO *certificate = bio_of(files->certificate);
	BIO *key = bio_of(files->key.len > 0 ? files->key : files->certificate);

	id->certificate = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
	if (id->certificate != NULL) {
		identity_read_chain(id, certificate);
	}
	id->key = PEM_read_bio_PrivateKey(key, NULL, on_password, password);
	BIO_free(certificate);
	BIO_free(key);
	if (id->certificate == NULL) {
		return err_usage(
			err, 0, "neither PKCS #12 nor PEM with a certificate");
	}
	return 0;
}

/* --- what it says --- */

static char *identity_read_user(const X509 *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_userId, -1);
	const ASN1_STRING *text;

	if (at < 0) {
		return NULL;
	}
	text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	return mem_dup((const char *)ASN1_STRING_get0_data(text),
		(size_t)ASN1_STRING_length(text));
}

static int identity_check(struct identity *id, struct err *err)
{
	if (id->certificate == NULL) {
		return err_usage(err, 0, "no certificate in it");
	}
	if (id->key == NULL) {
		return err_usage(
			err, 0, "no private key, or one with another password");
	}
	if (X509_check_private_key(id->certificate, id->key) != 1) {
		return err_usage(err, 0,
			"the private key belongs to another certificate");
	}
	id->user = identity_read_user(id->certificate);
	return 0;
}

static int identity_read(struct identity *id,
	const struct identity_files *files, char *password, struct err *err)
{
	BIO *bio = bio_of(files->certificate);
	PKCS12 *box = d2i_PKCS12_bio(bio, NULL);
	int result;

	BIO_free(bio);
	if (box != NULL) {
		result = identity_from_box(id, box, password, err);
		PKCS12_free(box);
	} else {
		result = identity_from_pem(id, files, password, err);
	}
	return result == 0 ? identity_check(id, err) : result;
}

struct identity *identity_new(
	const struct identity_files *files, struct err *err)
{
	struct identity *id = mem_array(1, sizeof(*id));
	char password[PASSWORD_MAX_BYTES] = "";
	int result;

	if (files->password.len >= sizeof(password)) {
		result = err_usage(err, 0, "the password is too long");
	} else {
		if (files->password.len > 0) {
			memcpy(password, files->password.ptr,
				files->password.len);
		}
		result = identity_read(id, files, password, err);
	}
	OPENSSL_cleanse(password, sizeof(password));
	ERR_clear_error();
	if (result != 0) {
		identity_free(id);
		return NULL;
	}
	return id;
}

void identity_free(struct identity *id)
{
	if (id == NULL) {
		return;
	}
	X509_free(id->certificate);
	sk_X509_pop_free(id->chain, X509_free);
	EVP_PKEY_free(id->key);
	mem_free(id->user);
	mem_free(id);
}

int64_t identity_end_unix_ms(const struct identity *id)
{
	const ASN1_TIME *end = X509_get0_notAfter(id->certificate);
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0;
	int seconds = 0;

	if (epoch == NULL || ASN1_TIME_diff(&days, &seconds, epoch, end) != 1) {
		days = 0; /* no time that can be: ended */
		seconds = 0;
	}
	ASN1_TIME_free(epoch);
	return ((int64_t)days * 24 * 60 * 60 + seconds) * 1000;
}

struct span identity_user(const struct identity *id)
{
	return id->user != NULL ? span_of(id->user) : (struct span){ NULL, 0 };
}

int identity_show(const struct identity *id, void *context)
{
	if (SSL_CTX_use_certificate(context, id->certificate) != 1 ||
		SSL_CTX_use_PrivateKey(context, id->key) != 1) {
		return -1;
	}
	for (int i = 0; id->chain != NULL && i < sk_X509_num(id->chain); i++) {
		if (SSL_CTX_add1_chain_cert(
			    context, sk_X509_value(id->chain, i)) != 1) {
			return -1;
		}
	}
	return 0;
}
