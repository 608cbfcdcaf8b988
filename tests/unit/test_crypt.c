/* The RFCs' vectors, every kind of damage, and guarded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include <sodium.h>

#include <rpckit/secret.h>

#include "base/crypt.h"
#include "base/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Bytes of a vector; wrong hex is a fault of the test. */
struct bytes {
	uint8_t p[160];
	size_t n;
};

static struct bytes
unhex(const char *s)
{
	struct bytes b = { .n = 0 };

	if (str_unhex(s, strlen(s), b.p, sizeof(b.p), &b.n) != RK_OK)
		fail_msg("bad hex %s", s);
	return b;
}

/* n bytes that count up from first. */
static struct bytes
count(uint8_t first, size_t n)
{
	struct bytes b = { .n = n };

	for (size_t i = 0; i < n; i++)
		b.p[i] = (uint8_t)(first + i);
	return b;
}

static void
same(const uint8_t *got, const char *hex)
{
	struct bytes want = unhex(hex);

	assert_memory_equal(got, want.p, want.n);
}

static void
test_sha512(void **state)
{
	struct crypt_sha512 h;
	uint8_t out[CRYPT_HASH512_LEN];
	char hex[2 * sizeof(out) + 1];

	(void)state;
	crypt_sha512_init(&h);
	crypt_sha512_update(&h, "a", 1);
	crypt_sha512_update(&h, "", 0);
	crypt_sha512_update(&h, "bc", 2);
	crypt_sha512_final(&h, out);
	str_hex(hex, out, sizeof(out));
	/* FIPS 180-4's example. */
	assert_string_equal(hex,
	    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

/* RFC 4231, test cases 1, 2 and 6. */
static void
test_hmac(void **state)
{
	uint8_t out[CRYPT_HASH_LEN];
	uint8_t key[131];

	(void)state;
	memset(key, 0x0b, 20);
	crypt_hmac(out, key, 20, "Hi There", 8);
	same(out, "b0344c61d8db38535ca8afceaf0bf12b"
	          "881dc200c9833da726e9376c2e32cff7");
	crypt_hmac(out, "Jefe", 4, "what do ya want for nothing?", 28);
	same(out, "5bdcc146bf60754e6a042426089575c7"
	          "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	crypt_hmac(out, key, sizeof(key),
	    "Test Using Larger Than Block-Size Key - Hash Key First", 54);
	same(out, "60e431591ee0b67f0d8a26aacbf5b77f"
	          "8e0bc6213728c5140546040f0ee37f54");
	crypt_hmac(out, NULL, 0, NULL, 0);
	same(out, "b613679a0814d9ec772f95d778c35fc5"
	          "ff1697c493715653c6c712144292c5ad");
}

/* RFC 5869, test cases 1 to 3. */
static void
test_hkdf(void **state)
{
	struct bytes ikm =
	    unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
	struct bytes salt = count(0, 13);
	struct bytes info = count(0xf0, 10);
	uint8_t out[82];

	(void)state;
	assert_int_equal(
	    crypt_hkdf(out, 42, ikm.p, ikm.n, salt.p, salt.n, info.p, info.n),
	    RK_OK);
	same(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4"
	          "c5bf34007208d5b887185865");
	assert_int_equal(
	    crypt_hkdf(out, 42, ikm.p, ikm.n, NULL, 0, NULL, 0), RK_OK);
	same(out, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c73"
	          "8d2d9d201395faa4b61a96c8");
	ikm = count(0, 80);
	salt = count(0x60, 80);
	info = count(0xb0, 80);
	assert_int_equal(
	    crypt_hkdf(out, 82, ikm.p, ikm.n, salt.p, salt.n, info.p, info.n),
	    RK_OK);
	same(out, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19af"
	          "a97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9"
	          "aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

static void
test_hkdf_lengths(void **state)
{
	static uint8_t longest[255 * 32 + 1];
	uint8_t part[100];

	(void)state;
	assert_int_equal(
	    crypt_hkdf(longest, sizeof(longest), "key", 3, NULL, 0, "i", 1),
	    RK_ETOOBIG);
	assert_int_equal(longest[0], 0);
	assert_int_equal(
	    crypt_hkdf(longest, sizeof(longest) - 1, "key", 3, NULL, 0, "i", 1),
	    RK_OK);
	assert_int_equal(longest[sizeof(longest) - 1], 0);
	/* A shorter output is the start of a longer one, and no byte more. */
	for (size_t n = 0; n < sizeof(part); n++) {
		memset(part, 0xee, sizeof(part));
		assert_int_equal(
		    crypt_hkdf(part, n, "key", 3, NULL, 0, "i", 1), RK_OK);
		assert_memory_equal(part, longest, n);
		assert_int_equal(part[n], 0xee);
	}
}

static const char sunscreen[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one "
    "tip for the future, sunscreen would be it.";

#define SUNSCREEN_LEN (sizeof(sunscreen) - 1)

/* RFC 8439 section 2.8.2. */
static void
test_chacha(void **state)
{
	struct bytes key = count(0x80, 32);
	struct bytes nonce = unhex("070000004041424344454647");
	struct bytes ad = unhex("50515253c0c1c2c3c4c5c6c7");
	uint8_t out[SUNSCREEN_LEN + CRYPT_TAG_LEN];
	uint8_t back[SUNSCREEN_LEN];

	(void)state;
	crypt_seal(out, sunscreen, SUNSCREEN_LEN, ad.p, ad.n, nonce.p, key.p);
	same(out, "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee"
	          "62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b6"
	          "7ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585"
	          "808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09"
	          "e26a7e902ecbd0600691");
	assert_int_equal(
	    crypt_open(back, out, sizeof(out), ad.p, ad.n, nonce.p, key.p),
	    RK_OK);
	assert_memory_equal(back, sunscreen, SUNSCREEN_LEN);
}

/* RFC 8439 section 2.3.2; and RFC 9001, A.5, with its large number. */
static void
test_chacha_mask(void **state)
{
	struct bytes key = count(0, 32);
	struct bytes nonce = unhex("000000090000004a00000000");
	uint8_t out[64];

	(void)state;
	crypt_chacha_mask(out, sizeof(out), 1, nonce.p, key.p);
	same(out,
	    "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46"
	    "c4ed2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2"
	    "503c4e");
	key = unhex("25a282b9e82f06f21f488917a4fc8f1b"
	            "73573685608597d0efcb076b0ab7a7a4");
	nonce = unhex("41f69080575d7999c25a5bfb");
	crypt_chacha_mask(out, 5, 0x5cd55c5e, nonce.p, key.p);
	same(out, "aefefe7d03");
}

/* draft-irtf-cfrg-xchacha, appendix A.3.1. */
static void
test_xchacha(void **state)
{
	struct bytes key = count(0x80, 32);
	struct bytes nonce = count(0x40, 24);
	struct bytes ad = unhex("50515253c0c1c2c3c4c5c6c7");
	uint8_t out[SUNSCREEN_LEN + CRYPT_TAG_LEN];
	uint8_t back[SUNSCREEN_LEN];

	(void)state;
	crypt_xseal(out, sunscreen, SUNSCREEN_LEN, ad.p, ad.n, nonce.p, key.p);
	same(out, "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c2139"
	          "6cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e"
	          "1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2"
	          "383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7"
	          "987947deafd8780acf49");
	assert_int_equal(
	    crypt_xopen(back, out, sizeof(out), ad.p, ad.n, nonce.p, key.p),
	    RK_OK);
	assert_memory_equal(back, sunscreen, SUNSCREEN_LEN);
}

typedef void seal_fn(uint8_t *out, const void *msg, size_t len, const void *ad,
    size_t ad_len, const uint8_t *nonce, const uint8_t *key);
typedef enum rk_err open_fn(uint8_t *out, const void *sealed, size_t len,
    const void *ad, size_t ad_len, const uint8_t *nonce, const uint8_t *key);

static void
check_damage(seal_fn *seal, open_fn *open, size_t nonce_len)
{
	struct bytes key = count(1, 32);
	struct bytes nonce = count(2, nonce_len);
	struct bytes ad = count(3, 9);
	struct bytes box = { .n = 20 + CRYPT_TAG_LEN };
	struct bytes *const parts[] = { &box, &key, &nonce, &ad };
	uint8_t out[20];

	seal(box.p, sunscreen, 20, ad.p, ad.n, nonce.p, key.p);
	for (size_t i = 0; i < COUNT(parts); i++) {
		for (size_t bit = 0; bit < 8 * parts[i]->n; bit++) {
			uint8_t flip = (uint8_t)(1 << bit % 8);

			parts[i]->p[bit / 8] ^= flip;
			assert_int_equal(
			    open(out, box.p, box.n, ad.p, ad.n, nonce.p, key.p),
			    RK_EDAMAGED);
			parts[i]->p[bit / 8] ^= flip;
		}
	}
	for (size_t n = 0; n < box.n; n++)
		assert_int_equal(
		    open(out, box.p, n, ad.p, ad.n, nonce.p, key.p),
		    RK_EDAMAGED);
	assert_int_equal(
	    open(out, box.p, box.n, ad.p, ad.n - 1, nonce.p, key.p),
	    RK_EDAMAGED);
	assert_int_equal(
	    open(out, box.p, box.n, ad.p, ad.n, nonce.p, key.p), RK_OK);
	assert_memory_equal(out, sunscreen, 20);
	seal(box.p, NULL, 0, NULL, 0, nonce.p, key.p);
	assert_int_equal(
	    open(out, box.p, CRYPT_TAG_LEN, NULL, 0, nonce.p, key.p), RK_OK);
}

static void
test_damage(void **state)
{
	(void)state;
	check_damage(crypt_seal, crypt_open, CRYPT_CHACHA_NONCE_LEN);
	check_damage(crypt_xseal, crypt_xopen, CRYPT_XCHACHA_NONCE_LEN);
}

/* RFC 7748 section 5.2: both vectors and a thousand rounds. */
static void
test_x25519(void **state)
{
	struct bytes k = unhex("a546e36bf0527c9d3b16154b82465edd"
	                       "62144c0ac1fc5a18506a2244ba449ac4");
	struct bytes u = unhex("e6db6867583030db3594c1a424b15f7c"
	                       "726624ec26b3353b10a903a6d0ab1c4c");
	uint8_t out[32];

	(void)state;
	assert_int_equal(crypt_x25519(out, k.p, u.p), RK_OK);
	same(out, "c3da55379de9c6908e94ea4df28d084f"
	          "32eccf03491c71f754b4075577a28552");
	k = unhex("4b66e9d4d1b4673c5ad22691957d6af5"
	          "c11b6421e0ea01d42ca4169e7918ba0d");
	u = unhex("e5210f12786811d3f4b7959d0538ae2c"
	          "31dbe7106fc03c3efc4cd549c715a493");
	assert_int_equal(crypt_x25519(out, k.p, u.p), RK_OK);
	same(out, "95cbde9476e8907d7aade45cb4b873f8"
	          "8b595a68799fa152e6f8f7647aac7957");
	k = (struct bytes){ .p = { 9 }, .n = 32 };
	u = k;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(crypt_x25519(out, k.p, u.p), RK_OK);
		u = k;
		memcpy(k.p, out, sizeof(out));
	}
	same(k.p, "684cf59ba83309552800ef566f2f4d3c"
	          "1c3887c49360e3875f2eb94d99532c51");
}

static void
test_x25519_small_order(void **state)
{
	static const char *const points[] = {
		"00000000000000000000000000000000"
		"00000000000000000000000000000000",
		"01000000000000000000000000000000"
		"00000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46a"
		"da098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b"
		"04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffffff",
	};
	static const uint8_t zero[32];
	struct bytes k = count(7, 32);
	uint8_t out[32];

	(void)state;
	for (size_t i = 0; i < COUNT(points); i++) {
		struct bytes u = unhex(points[i]);

		memset(out, 0xee, sizeof(out));
		assert_int_equal(crypt_x25519(out, k.p, u.p), RK_EPROTO);
		assert_memory_equal(out, zero, sizeof(out));
	}
}

static void
test_ed25519_key_ok(void **state)
{
	static const char *const good[] = {
		"d75a980182b10ab7d54bfed3c964073a"
		"0ee172f3daa62325af021a68f707511a",
		"3d4017c3e843895a92b70aa74d1b7ebc"
		"9c982ccf2ec4968cc0cd55f12af4660c",
		"fc51cd8e6218a1a38da47ed00230f058"
		"0816ed13ba3303ac5deb911548908025",
	};
	static const char *const bad[] = {
		/* of small order */
		"00000000000000000000000000000000"
		"00000000000000000000000000000000",
		"01000000000000000000000000000000"
		"00000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"c7176a703d4dd84fba3c0b760d10670f"
		"2a2053fa2c39ccc64ec7fd7792ac03fa",
		"26e8958fc2b227b045c3f489f2ef98f0"
		"d5dfac05d3c63339b13802886d53fc05",
		/* not canonical */
		"edffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"ffffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffffff",
		/* not on the curve */
		"02000000000000000000000000000000"
		"00000000000000000000000000000000",
		/* good[0] plus points of order 8 and 2 */
		"b2a4b8a3b47d22ea8d86603ab90b393f"
		"c1b87399ab55b3806ba4cb815cd509f2",
		"16a567fe7d4ef5482ab4012c369bf8c5"
		"f11e8d0c2559dcda50fde59708f8aee5",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(crypt_ed25519_key_ok(unhex(good[i]).p));
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (crypt_ed25519_key_ok(unhex(bad[i]).p))
			fail_msg("accepted %s", bad[i]);
	}
}

static void
test_secret(void **state)
{
	static const uint8_t zero[40];
	struct rk_secret *s;

	(void)state;
	assert_int_equal(rk_secret_new(40, &s), RK_OK);
	assert_int_equal(rk_secret_len(s), 40);
	assert_memory_equal(rk_secret_peek(s), zero, 40);
	memset(rk_secret_data(s), 0xaa, 40);
	rk_secret_trim(s, 41);
	assert_int_equal(rk_secret_len(s), 40);
	rk_secret_trim(s, 10);
	assert_int_equal(rk_secret_len(s), 10);
	assert_int_equal(rk_secret_peek(s)[9], 0xaa);
	assert_memory_equal(rk_secret_peek(s) + 10, zero, 30);
	rk_secret_free(s);
	assert_int_equal(rk_secret_copy("pass", 4, &s), RK_OK);
	assert_memory_equal(rk_secret_peek(s), "pass", 4);
	rk_secret_free(s);
	assert_int_equal(rk_secret_copy(NULL, 0, &s), RK_OK);
	assert_int_equal(rk_secret_len(s), 0);
	rk_secret_free(s);
	rk_secret_free(NULL);
	assert_int_equal(rk_secret_new(SIZE_MAX, &s), RK_ENOMEM);
	assert_null(s);
}

static void
test_eq_wipe_random(void **state)
{
	static const uint8_t zero[32];
	uint8_t a[32] = { 1 };
	uint8_t b[32] = { 1 };

	(void)state;
	assert_true(rk_secret_eq(a, b, sizeof(a)));
	for (size_t i = 0; i < 8 * sizeof(b); i++) {
		b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(rk_secret_eq(a, b, sizeof(a)));
		b[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_true(rk_secret_eq(NULL, NULL, 0));
	rk_random(a, sizeof(a));
	rk_random(b, sizeof(b));
	assert_false(rk_secret_eq(a, b, sizeof(a)));
	rk_wipe(a, sizeof(a));
	assert_memory_equal(a, zero, sizeof(a));
	rk_wipe(NULL, 0);
	rk_random(NULL, 0);
}

/* The vectors of SipHash's reference code: key and data count from 0. */
static void
test_short_hash(void **state)
{
	uint8_t key[CRYPT_SHORT_KEY_LEN];
	uint8_t data[15];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	assert_true(crypt_short_hash(key, data, 0) == 0x726fdb47dd0e0e31);
	assert_true(crypt_short_hash(key, data, 1) == 0x74f839c593dc67fd);
	assert_true(crypt_short_hash(key, data, 8) == 0x93f5f5799a932462);
	assert_true(crypt_short_hash(key, data, 15) == 0xa129ca6149be45e5);
}

static void *
set_up_and_hash(void *arg)
{
	crypt_sha256(arg, "abc", 3);
	return NULL;
}

static void
test_threads(void **state)
{
	uint8_t out[4][CRYPT_HASH_LEN];
	pthread_t t[4];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, set_up_and_hash, out[i]), 0);
	for (size_t i = 0; i < COUNT(t); i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		assert_int_equal(out[i][0], 0xba);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads), /* sets up: keep it first */
		cmocka_unit_test(test_sha512),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_short_hash),
		cmocka_unit_test(test_hkdf),
		cmocka_unit_test(test_hkdf_lengths),
		cmocka_unit_test(test_chacha),
		cmocka_unit_test(test_chacha_mask),
		cmocka_unit_test(test_xchacha),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_x25519),
		cmocka_unit_test(test_x25519_small_order),
		cmocka_unit_test(test_ed25519_key_ok),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_eq_wipe_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
