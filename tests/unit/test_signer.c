/* Keys that are elsewhere: a function signs, and is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <rpckit/signer.h>

#include "base/error.h"
#include "trust/key.h"

struct elsewhere {
	struct rk_key *key;
	enum rk_sign_use use;
	unsigned released;
	enum rk_err fail;
	bool silent; /* fails without a text */
	bool lie;
};

static enum rk_err
sign(enum rk_sign_use use, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err, void *arg)
{
	struct elsewhere *e = arg;

	e->use = use;
	if (e->fail != RK_OK && e->silent)
		return e->fail;
	if (e->fail != RK_OK)
		return err_set(err, e->fail, "the card is out");
	rk_key_sign(e->key, msg, len, sig);
	sig[5] ^= e->lie ? 1 : 0;
	return RK_OK;
}

static void
release(void *arg)
{
	((struct elsewhere *)arg)->released++;
}

static struct rk_key *
key_of(struct elsewhere *e)
{
	struct rk_signer s = {
		.size = sizeof(s),
		.name = "card\n1",
		.sign = sign,
		.release = release,
		.arg = e,
	};
	struct rk_key *key = NULL;

	assert_int_equal(rk_key_generate(&e->key), RK_OK);
	rk_key_public(e->key, s.pub);
	assert_int_equal(rk_key_of_signer(&s, &key), RK_OK);
	return key;
}

static void
test_signs(void **state)
{
	struct elsewhere e = { 0 };
	struct rk_key *key = key_of(&e);
	uint8_t sig[RK_KEY_SIG_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_error err;

	(void)state;
	rk_key_public(key, pub);
	assert_int_equal(
	    rk_key_sign_for(key, RK_SIGN_PSK, "m", 1, sig, &err), RK_OK);
	assert_int_equal(e.use, RK_SIGN_PSK);
	assert_true(rk_key_verify(pub, "m", 1, sig));
	assert_false(key_failure(key, &err));
	rk_key_sign(key, "n", 1, sig);
	assert_int_equal(e.use, RK_SIGN_OTHER);
	assert_true(rk_key_verify(pub, "n", 1, sig));
	/* Two hold it. */
	assert_ptr_equal(key_ref(key), key);
	rk_key_free(key);
	assert_int_equal(e.released, 0);
	rk_key_free(key);
	assert_int_equal(e.released, 1);
	rk_key_free(e.key);
}

static void
test_failures(void **state)
{
	struct elsewhere e = { .fail = RK_ETIMEOUT };
	struct rk_key *key = key_of(&e);
	const uint8_t zeros[RK_KEY_SIG_LEN] = { 0 };
	uint8_t sig[RK_KEY_SIG_LEN];
	struct rk_error err;

	(void)state;
	memset(sig, 1, sizeof(sig));
	assert_int_equal(
	    rk_key_sign_for(key, RK_SIGN_TLS, "m", 1, sig, &err), RK_ETIMEOUT);
	assert_memory_equal(sig, zeros, sizeof(sig));
	assert_string_equal(err.text, "the card is out");
	assert_true(key_failure(key, &err));
	assert_int_equal(err.code, RK_ETIMEOUT);
	memset(sig, 1, sizeof(sig));
	rk_key_sign(key, "m", 1, sig);
	assert_memory_equal(sig, zeros, sizeof(sig));

	e.silent = true;
	assert_int_equal(
	    rk_key_sign_for(key, RK_SIGN_TLS, "m", 1, sig, &err), RK_ETIMEOUT);
	assert_string_equal(err.text, "card\\x0a1: time over");

	/* Nobody waits for more, and a code of nobody's is none. */
	e.silent = false;
	e.fail = RK_EAGAIN;
	assert_int_equal(
	    rk_key_sign_for(key, RK_SIGN_TLS, "m", 1, sig, &err), RK_EFAIL);
	assert_int_equal(err.code, RK_EFAIL);
	assert_string_equal(err.text, "the card is out");
	e.fail = RK_ERR_COUNT;
	assert_int_equal(
	    rk_key_sign_for(key, RK_SIGN_TLS, "m", 1, sig, &err), RK_EFAIL);
	assert_true(key_failure(key, &err));
	assert_int_equal(err.code, RK_EFAIL);

	e.fail = RK_OK;
	e.lie = true;
	assert_int_equal(
	    rk_key_sign_for(key, RK_SIGN_TLS, "m", 1, sig, &err), RK_EPROTO);
	assert_memory_equal(sig, zeros, sizeof(sig));
	assert_string_equal(
	    err.text, "card\\x0a1: a signature came that is not this key's");

	e.lie = false;
	assert_int_equal(
	    rk_key_sign_for(key, RK_SIGN_TLS, "m", 1, sig, NULL), RK_OK);
	assert_false(key_failure(key, &err));
	rk_key_free(key);
	rk_key_free(e.key);
}

static void
test_has_no_seed(void **state)
{
	struct elsewhere e = { 0 };
	struct rk_key *key = key_of(&e);
	struct rk_secret *pem = NULL;
	struct rk_signer half = { .size = sizeof(half), .name = "x" };
	struct rk_key *none = NULL;

	(void)state;
	assert_null(rk_key_seed(key));
	assert_int_equal(
	    rk_key_format(key, RK_KEY_PKCS8, NULL, &pem), RK_EUNSUPPORTED);
	assert_null(pem);
	assert_int_equal(rk_key_of_signer(&half, &none), RK_EINVAL);
	assert_null(none);
	half.sign = sign;
	half.size--;
	assert_int_equal(rk_key_of_signer(&half, &none), RK_EINVAL);
	rk_key_free(key);
	rk_key_free(e.key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signs),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_has_no_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
