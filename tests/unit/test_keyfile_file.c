/* Key files on the disk, and the encrypted PKCS#8 that OpenSSL shares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <rpckit/key.h>

#include "certs.h"
#include "scratch.h"

#define PASS "correct horse"

/* Arguments of give(). */
static char right[] = PASS;
static char wrong[] = "wrong";

static enum rk_err
give(const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	const char *pass = arg;

	(void)path;
	if (attempt > 0)
		return RK_ENOPASS;
	return rk_secret_copy(pass, strlen(pass), out);
}

static char *
take_text(BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	char *text = strndup(data, (size_t)len);

	assert_non_null(text);
	BIO_free(bio);
	return text;
}

/* The key as OpenSSL encrypts it with PBKDF2 and this cipher. */
static char *
openssl_pbkdf2(const struct certs_cert *c, const EVP_CIPHER *cipher)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, c->pkey, cipher,
	                     PASS, (int)strlen(PASS), NULL, NULL),
	    1);
	return take_text(bio);
}

static char *
openssl_scrypt(const struct certs_cert *c, uint64_t n, uint64_t r, uint64_t p)
{
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(c->pkey);
	X509_ALGOR *algo =
	    PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL, n, r, p);
	X509_SIG *sealed = PKCS8_set0_pbe(PASS, (int)strlen(PASS), info, algo);

	assert_non_null(sealed);
	assert_int_equal(PEM_write_bio_PKCS8(bio, sealed), 1);
	X509_SIG_free(sealed);
	PKCS8_PRIV_KEY_INFO_free(info);
	return take_text(bio);
}

static void
assert_opens(const char *pem, const struct certs_cert *c)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_key *key = NULL;
	struct rk_error err;
	size_t len = strlen(pem);

	assert_true(rk_key_is_encrypted(pem, len));
	if (rk_key_parse("k", pem, len, give, right, &key, &err) != RK_OK)
		fail_msg("%s", err.text);
	rk_key_public(key, pub);
	assert_memory_equal(pub, c->pub, sizeof(pub));
	rk_key_free(key);
	assert_int_equal(
	    rk_key_parse("k", pem, len, give, wrong, &key, &err), RK_EPASS);
	assert_int_equal(
	    rk_key_parse("k", pem, len, NULL, NULL, &key, &err), RK_ENOPASS);
	assert_null(key);
}

static void
test_read_openssl(void **state)
{
	struct certs_cert *c = certs_new_ca("x");
	const EVP_CIPHER *ciphers[] = { EVP_aes_128_cbc(), EVP_aes_192_cbc(),
		EVP_aes_256_cbc(), EVP_des_ede3_cbc() };
	char *pem = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		pem = openssl_pbkdf2(c, ciphers[i]);
		assert_opens(pem, c);
		free(pem);
	}
	pem = openssl_scrypt(c, 16, 1, 1);
	assert_opens(pem, c);
	free(pem);
	pem = openssl_scrypt(c, 16384, 8, 1);
	assert_opens(pem, c);
	free(pem);
	certs_free(c);
}

/* Numbers that would cost too much are refused before anybody is asked. */
static void
test_read_greedy(void **state)
{
	struct certs_cert *c = certs_new_ca("x");
	struct rk_key *key = NULL;
	struct rk_error err;
	char *pem = NULL;

	(void)state;
	pem = openssl_scrypt(c, 2, 1, 17);
	assert_int_equal(
	    rk_key_parse("k", pem, strlen(pem), give, right, &key, &err),
	    RK_ELIMIT);
	free(pem);
	certs_free(c);
}

/* Another cipher, another kind of key inside, and every cut. */
static void
test_read_others(void **state)
{
	struct certs_cert *c = certs_new_ca("x");
	struct certs_cert *ec =
	    certs_new(c, &(struct certs_opts){ .key = CERTS_P256 });
	struct rk_key *key = NULL;
	struct rk_error err;
	char *pem = openssl_pbkdf2(c, EVP_camellia_128_cbc());
	size_t i;

	(void)state;
	assert_int_equal(
	    rk_key_parse("k", pem, strlen(pem), give, right, &key, &err),
	    RK_EUNSUPPORTED);
	free(pem);
	pem = openssl_pbkdf2(ec, EVP_aes_256_cbc());
	assert_int_equal(
	    rk_key_parse("k", pem, strlen(pem), give, right, &key, &err),
	    RK_EUNSUPPORTED);
	assert_non_null(strstr(err.text, "EC"));
	free(pem);
	pem = openssl_pbkdf2(c, EVP_aes_256_cbc());
	for (i = 0; i < strlen(pem) - 1; i++)
		assert_int_equal(
		    rk_key_parse("k", pem, i, give, right, &key, &err),
		    RK_EFORMAT);
	free(pem);
	certs_free(ec);
	certs_free(c);
}

/* Every byte of the structure changed: never a crash, never another key
 * without a word about the passphrase. */
static void
test_read_changed(void **state)
{
	struct certs_cert *c = certs_new_ca("x");
	char *pem = openssl_pbkdf2(c, EVP_aes_256_cbc());
	struct rk_key *key = NULL;
	struct rk_error err;
	size_t i;

	(void)state;
	for (i = 0; pem[i] != '\0'; i++) {
		pem[i] ^= 2;
		/* No passphrase: the structure is all that is read. */
		assert_int_not_equal(
		    rk_key_parse("k", pem, strlen(pem), NULL, NULL, &key, &err),
		    RK_OK);
		pem[i] ^= 2;
	}
	free(pem);
	certs_free(c);
}

/* What we write, OpenSSL reads. */
static void
test_written(void **state)
{
	struct rk_key *key = NULL;
	struct rk_secret *pass = NULL;
	struct rk_secret *empty = NULL;
	struct rk_secret *pem = NULL;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint8_t got[RK_KEY_PUBLIC_LEN];
	size_t len = sizeof(got);
	EVP_PKEY *pkey = NULL;
	BIO *bio = NULL;

	(void)state;
	assert_int_equal(rk_key_generate(&key), RK_OK);
	assert_int_equal(rk_secret_copy(PASS, strlen(PASS), &pass), RK_OK);
	assert_int_equal(rk_secret_new(0, &empty), RK_OK);
	assert_int_equal(
	    rk_key_format(key, RK_KEY_PKCS8_PBES2, NULL, &pem), RK_EINVAL);
	assert_int_equal(
	    rk_key_format(key, RK_KEY_PKCS8_PBES2, empty, &pem), RK_EINVAL);
	assert_int_equal(
	    rk_key_format(key, RK_KEY_RPC25519, NULL, &pem), RK_EINVAL);
	assert_null(pem);
	assert_int_equal(
	    rk_key_format(key, RK_KEY_PKCS8_PBES2, pass, &pem), RK_OK);
	bio = BIO_new_mem_buf(rk_secret_peek(pem), (int)rk_secret_len(pem));
	pkey =
	    PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t)PASS);
	assert_non_null(pkey);
	assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, got, &len), 1);
	rk_key_public(key, pub);
	assert_memory_equal(pub, got, sizeof(pub));
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	rk_secret_free(pem);
	rk_secret_free(empty);
	rk_secret_free(pass);
	rk_key_free(key);
}

static enum rk_err
load(const char *path, struct rk_error *err)
{
	struct rk_key *key = NULL;
	enum rk_err r = rk_key_load(path, NULL, NULL, &key, err);

	if (r != RK_OK)
		assert_null(key);
	rk_key_free(key);
	return r;
}

static void
test_file_checks(void **state)
{
	struct certs_cert *c = certs_new_ca("x");
	struct rk_error err;
	char *big = calloc(1, 70001);

	(void)state;
	assert_non_null(big);
	memset(big, '\n', 70000);
	scratch_make("a.key", c->key_pem, 0600);
	assert_int_equal(load("a.key", &err), RK_OK);
	assert_int_equal(chmod("a.key", 0400), 0);
	assert_int_equal(load("a.key", &err), RK_OK);
	assert_int_equal(chmod("a.key", 0640), 0);
	assert_int_equal(load("a.key", &err), RK_EMODE);
	assert_non_null(strstr(err.text, "chmod"));
	assert_non_null(strstr(err.text, "a.key"));
	assert_int_equal(chmod("a.key", 0602), 0);
	assert_int_equal(load("a.key", &err), RK_EMODE);
	assert_int_equal(chmod("a.key", 0600), 0);
	assert_int_equal(symlink("a.key", "link.key"), 0);
	assert_int_equal(load("link.key", &err), RK_EMODE);
	assert_int_equal(mkfifo("fifo.key", 0600), 0);
	assert_int_equal(load("fifo.key", &err), RK_EMODE);
	assert_int_equal(mkdir("dir.key", 0700), 0);
	assert_int_equal(load("dir.key", &err), RK_EMODE);
	assert_int_equal(load("none.key", &err), RK_ENOENT);
	assert_non_null(strstr(err.text, "none.key"));
	scratch_make("big.key", big, 0600);
	assert_int_equal(load("big.key", &err), RK_ETOOBIG);
	assert_int_equal(link("a.key", "b.key"), 0);
	assert_int_equal(load("a.key", &err), RK_EMODE);
	free(big);
	certs_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_openssl),
		cmocka_unit_test(test_read_greedy),
		cmocka_unit_test(test_read_others),
		cmocka_unit_test(test_read_changed),
		cmocka_unit_test(test_written),
		cmocka_unit_test_setup_teardown(
		    test_file_checks, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
