/* SHA-256 by this processor's instructions and without them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/crypt.h"
#include "base/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
same(const uint8_t hash[CRYPT_HASH_LEN], const char *hex)
{
	char is[2 * CRYPT_HASH_LEN + 1];

	str_hex(is, hash, CRYPT_HASH_LEN);
	assert_string_equal(is, hex);
}

/* How a hash is come by: as this processor does, and as any does. */
typedef void sha256_fn(
    uint8_t *out, const void *a, size_t a_len, const void *b, size_t b_len);
static sha256_fn *const sha256_ways[] = { crypt_sha256_join,
	crypt_sha256_anywhere };

/* FIPS 180-4's and NIST's examples. */
static const struct {
	const char *text;
	size_t times;
	const char *hash;
} sha256_known[] = {
	{ "", 0,
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
	    "5" },
	{ "abc", 1,
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"
	    "d" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c"
	    "1" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
	  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
	    1,
	    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d"
	    "1" },
	{ "a", 1000000,
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd"
	    "0" },
};

static void
test_sha256(void **state)
{
	uint8_t out[CRYPT_HASH_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(sha256_known); i++) {
		const size_t one = strlen(sha256_known[i].text);
		const size_t len = one * sha256_known[i].times;
		uint8_t *data = malloc(len + 1);

		assert_non_null(data);
		for (size_t at = 0; at < len; at += one)
			memcpy(data + at, sha256_known[i].text, one);
		for (size_t w = 0; w < COUNT(sha256_ways); w++) {
			sha256_ways[w](out, data, len, NULL, 0);
			same(out, sha256_known[i].hash);
			sha256_ways[w](out, NULL, 0, data, len);
			same(out, sha256_known[i].hash);
			sha256_ways[w](
			    out, data, len / 3, data + len / 3, len - len / 3);
			same(out, sha256_known[i].hash);
		}
		crypt_sha256(out, data, len);
		same(out, sha256_known[i].hash);
		free(data);
	}
}

/* Every length around the ends of blocks, in one piece and cut anywhere, is
 * the same for both, and as libsodium has it in one go. */
static void
test_sha256_lengths(void **state)
{
	uint8_t data[301];
	uint8_t want[CRYPT_HASH_LEN];
	uint8_t out[CRYPT_HASH_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 151 + (i >> 3));
	for (size_t len = 0; len <= sizeof(data); len++) {
		crypto_hash_sha256(want, data, len);
		for (size_t i = 0; i < COUNT(sha256_ways) * (len + 1); i++) {
			const size_t cut = i / COUNT(sha256_ways);

			memset(out, 0, sizeof(out));
			sha256_ways[i % COUNT(sha256_ways)](
			    out, data, cut, data + cut, len - cut);
			assert_memory_equal(out, want, sizeof(want));
		}
	}
	/* In place, as a hash of all that was said is carried on. */
	crypto_hash_sha256(want, data, CRYPT_HASH_LEN + 1);
	for (size_t w = 0; w < COUNT(sha256_ways); w++) {
		memcpy(out, data, sizeof(out));
		sha256_ways[w](out, out, sizeof(out), data + sizeof(out), 1);
		assert_memory_equal(out, want, sizeof(want));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_sha256_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
