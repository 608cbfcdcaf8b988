/* Private keys: making, signing, and refusing what is not a signature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <rpckit/key.h>

#include "base/str.h"

/* RFC 8032 section 7.1, test 2. */
#define SEED "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
#define PUB "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define SIG                                                                \
	"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" \
	"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"

static void
unhex(const char *hex, uint8_t *dst, size_t len)
{
	size_t n;

	assert_int_equal(str_unhex(hex, strlen(hex), dst, len, &n), RK_OK);
	assert_int_equal(n, len);
}

static struct rk_key *
vector_key(void)
{
	uint8_t seed[RK_KEY_SEED_LEN];
	struct rk_key *key = NULL;

	unhex(SEED, seed, sizeof(seed));
	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	return key;
}

static void
test_vector(void **state)
{
	struct rk_key *key = vector_key();
	uint8_t want[RK_KEY_SIG_LEN];
	uint8_t got[RK_KEY_SIG_LEN];

	(void)state;
	unhex(PUB, want, RK_KEY_PUBLIC_LEN);
	rk_key_public(key, got);
	assert_memory_equal(got, want, RK_KEY_PUBLIC_LEN);
	unhex(SEED, want, RK_KEY_SEED_LEN);
	assert_memory_equal(rk_key_seed(key), want, RK_KEY_SEED_LEN);
	unhex(SIG, want, sizeof(want));
	rk_key_sign(key, "\x72", 1, got);
	assert_memory_equal(got, want, sizeof(got));
	rk_key_free(key);
}

/* One bit anywhere in key, message or signature makes it false. */
static void
test_flipped_bits(void **state)
{
	struct rk_key *key = vector_key();
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint8_t sig[RK_KEY_SIG_LEN];
	uint8_t msg[3] = { 1, 2, 3 };
	size_t i;

	(void)state;
	rk_key_public(key, pub);
	rk_key_sign(key, msg, sizeof(msg), sig);
	assert_true(rk_key_verify(pub, msg, sizeof(msg), sig));
	for (i = 0; i < 8 * sizeof(sig); i++) {
		sig[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_false(rk_key_verify(pub, msg, sizeof(msg), sig));
		sig[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < 8 * sizeof(pub); i++) {
		pub[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_false(rk_key_verify(pub, msg, sizeof(msg), sig));
		pub[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < sizeof(msg); i++)
		assert_false(rk_key_verify(pub, msg, i, sig));
	assert_true(rk_key_verify(pub, msg, sizeof(msg), sig));
	rk_key_free(key);
}

/*
 * The points of small order, also in the encodings that are not canonical.
 * With such a key R = the neutral element and S = 0 verify for many messages
 * in a verifier that does not look.
 */
static void
test_weak_keys(void **state)
{
	static const char *const weak[] = {
		"01000000000000000000000000000000000000000000000000000000000000"
		"00",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"7f",
		"00000000000000000000000000000000000000000000000000000000000000"
		"00",
		"00000000000000000000000000000000000000000000000000000000000000"
		"80",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc"
		"05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc"
		"85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03"
		"7a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03"
		"fa",
		"01000000000000000000000000000000000000000000000000000000000000"
		"80",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ff",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ff",
	};
	uint8_t sig[RK_KEY_SIG_LEN] = { 1 };
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint8_t msg;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
		unhex(weak[i], pub, sizeof(pub));
		for (msg = 0; msg < 32; msg++)
			assert_false(rk_key_verify(pub, &msg, 1, sig));
	}
}

/* S + L is the same number to a sloppy verifier. */
static void
test_not_canonical(void **state)
{
	static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63,
		0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
		0x14, [31] = 0x10 };
	struct rk_key *key = vector_key();
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint8_t sig[RK_KEY_SIG_LEN];
	unsigned carry = 0;
	size_t i;

	(void)state;
	rk_key_public(key, pub);
	rk_key_sign(key, "m", 1, sig);
	for (i = 0; i < 32; i++) {
		carry += (unsigned)sig[32 + i] + order[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_false(rk_key_verify(pub, "m", 1, sig));
	rk_key_free(key);
}

static void
test_generate(void **state)
{
	struct rk_key *a = NULL;
	struct rk_key *b = NULL;
	uint8_t pub_a[RK_KEY_PUBLIC_LEN];
	uint8_t pub_b[RK_KEY_PUBLIC_LEN];
	uint8_t sig[RK_KEY_SIG_LEN];

	(void)state;
	assert_int_equal(rk_key_generate(&a), RK_OK);
	assert_int_equal(rk_key_generate(&b), RK_OK);
	rk_key_public(a, pub_a);
	rk_key_public(b, pub_b);
	assert_memory_not_equal(pub_a, pub_b, sizeof(pub_a));
	rk_key_sign(a, "", 0, sig);
	assert_true(rk_key_verify(pub_a, "", 0, sig));
	assert_false(rk_key_verify(pub_b, "", 0, sig));
	rk_key_free(a);
	rk_key_free(b);
	rk_key_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_weak_keys),
		cmocka_unit_test(test_not_canonical),
		cmocka_unit_test(test_generate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
