/* Fingerprints, their comparison, and the base58check names of keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <rpckit/key.h>

#include "base/str.h"
#include "trust/b58.h"

#define PUB "ec649e383707c58915be0c513d35ff4d1c8461c9350c2fdbadc67295f2bab3ce"
#define B58 "9aUwL21rDmMPNEcRqmGbtmGrhHAVhU6PXY6Cz1iy3dDrNrJW7Bi"

static void
known_pub(uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	size_t n;

	assert_int_equal(str_unhex(PUB, 64, pub, RK_KEY_PUBLIC_LEN, &n), RK_OK);
	assert_int_equal(n, RK_KEY_PUBLIC_LEN);
}

/* Made with: openssl pkey -pubin -outform DER | sha256 | base64. */
static void
test_of_key(void **state)
{
	static const char want[] =
	    "SHA256:qotp/Hq0XEEYxQ6Ku9T2y9NSrmxrxOZv0JfbUwiyabk";
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char fp[RK_FP_LEN];

	(void)state;
	known_pub(pub);
	rk_fp_of_key(pub, fp);
	assert_string_equal(fp, want);
	assert_int_equal(strlen(fp), RK_FP_LEN - 1);
	pub[31] ^= 1;
	rk_fp_of_key(pub, fp);
	assert_string_not_equal(fp, want);
}

/* The example that goes with the PGP word list, and bytes looked up by hand. */
static void
test_words(void **state)
{
	char out[RK_FP_WORDS_LEN];
	char fp[RK_FP_LEN] =
	    "SHA256:qotp/Hq0XEEYxQ6Ku9T2y9NSrmxrxOZv0JfbUwiyabk";

	(void)state;
	rk_fp_words("SHA256:5YKU8umiJ0huiwYbMcxSj9f6PxkAAAAAAAAAAAAAAAA", out);
	assert_string_equal(out,
	    "topmost Istanbul Pluto vagabond treadmill Pacific brackish "
	    "dictator goldfish Medusa");
	rk_fp_words(fp, out);
	assert_string_equal(out,
	    "reward Medusa gazelle Wilmington keyboard politeness "
	    "escape decadence beaming resistor");
	fp[RK_FP_LEN - 2] = '\0';
	rk_fp_words(fp, out);
	assert_string_equal(out, "");
	rk_fp_words("", out);
	assert_string_equal(out, "");
	/* The longest there are: of the first ten bytes, each at its place. */
	rk_fp_words("SHA256:KB8oHygfKB8oHwAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", out);
	assert_string_equal(out,
	    "breadline businessman breadline businessman breadline "
	    "businessman breadline businessman breadline businessman");
	assert_int_equal(strlen(out), RK_FP_WORDS_LEN - 1);
}

static void
test_group(void **state)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char fp[RK_FP_LEN];
	char out[RK_FP_GROUPED_LEN];

	(void)state;
	known_pub(pub);
	rk_fp_of_key(pub, fp);
	rk_fp_group(fp, out);
	assert_int_equal(strlen(out), RK_FP_GROUPED_LEN - 1);
	assert_memory_equal(out, fp, 11);
	assert_int_equal(out[11], ' ');
	assert_int_equal(out[RK_FP_GROUPED_LEN - 5], ' ');
	assert_true(rk_fp_match(fp, out, false));
	rk_fp_group("abcdefgh", out);
	assert_string_equal(out, "abcd efgh");
	rk_fp_group("", out);
	assert_string_equal(out, "");
	/* Longer than any fingerprint: cut, not written past the end. */
	rk_fp_group(
	    "SHA256:0123456789012345678901234567890123456789012345678", out);
	assert_true(strlen(out) <= RK_FP_GROUPED_LEN - 1);
}

static void
test_match(void **state)
{
	static const char fp[] =
	    "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

	(void)state;
	assert_true(rk_fp_match(fp, fp, false));
	assert_true(rk_fp_match(fp, fp + 7, false));
	assert_true(rk_fp_match(fp,
	    "sha256:abcd efgh ijkl mnop qrst uvwx yzAB "
	    "CDEF GHIJ KLMN OPQ",
	    false));
	assert_true(rk_fp_match(fp, "abcdefgh", true));
	assert_true(rk_fp_match(fp, " SHA256: abcd efgh i", true));
	assert_false(rk_fp_match(fp, "abcdefgh", false));
	assert_false(rk_fp_match(fp, "abcdefg", true));
	assert_false(rk_fp_match(fp, "abcdefgH", true));
	assert_false(rk_fp_match(fp, "bcdefghi", true));
	assert_false(rk_fp_match(fp, "", true));
	assert_false(rk_fp_match(fp, "SHA256:", true));
	assert_false(rk_fp_match("", "", true));
	assert_false(rk_fp_match(
	    fp, "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQR", true));
	assert_false(rk_fp_match(
	    fp, "SHA256:SHA256:abcdefghijklmnopqrstuvwxyzABCDE", true));
}

static void
test_key_id(void **state)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char id[RK_KEY_ID_LEN];

	(void)state;
	known_pub(pub);
	rk_key_id(pub, id);
	assert_string_equal(id, "pubkey@edwardsRPC-ed25519-b58c-" B58);
}

static void
test_b58_round(void **state)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint8_t back[RK_KEY_PUBLIC_LEN];
	char text[B58_KEY_LEN];
	unsigned i;

	(void)state;
	for (i = 0; i < 500; i++) {
		rk_random(pub, sizeof(pub));
		if (i == 0)
			memset(pub, 0, sizeof(pub));
		if (i == 1)
			memset(pub, 0xff, sizeof(pub));
		b58_key_encode(pub, text);
		assert_true(strlen(text) < sizeof(text));
		assert_int_equal(text[0], '9');
		assert_int_equal(
		    b58_key_decode(text, strlen(text), back), RK_OK);
		assert_memory_equal(pub, back, sizeof(pub));
	}
}

/* Every other character at every place, every length: none may pass. */
static void
test_b58_hostile(void **state)
{
	static const char zeros[RK_KEY_PUBLIC_LEN];
	char text[sizeof(B58)];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	size_t i;
	unsigned c;

	(void)state;
	for (i = 0; i < sizeof(B58) - 1; i++) {
		assert_int_equal(b58_key_decode(B58, i, pub), RK_EFORMAT);
		assert_memory_equal(pub, zeros, sizeof(pub));
		for (c = 0; c < 256; c++) {
			memcpy(text, B58, sizeof(text));
			if (text[i] == (char)c)
				continue;
			text[i] = (char)c;
			assert_int_equal(
			    b58_key_decode(text, sizeof(B58) - 1, pub),
			    RK_EFORMAT);
		}
	}
	assert_int_equal(b58_key_decode(B58 "1", 52, pub), RK_EFORMAT);
	assert_int_equal(b58_key_decode("1" B58, 52, pub), RK_EFORMAT);
	assert_int_equal(
	    b58_key_decode(
	        "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 51, pub),
	    RK_EFORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_key),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_key_id),
		cmocka_unit_test(test_b58_round),
		cmocka_unit_test(test_b58_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
