/* BLAKE3 against the official vectors, however the input is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/blake3.h"
#include "base/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define INPUT_MAX 102400

/* Of the bytes 0, 1, ... 250, 0, ...: the first 33 bytes of the output. */
static const struct vector {
	size_t len;
	const char *hex;
} vectors[] = {
	{ 0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262e"
	     "0" },
	{ 1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213c"
	     "3" },
	{ 2, "7b7015bb92cf0b318037702a6cdd81dee41224f734684c2c122cd6359cb1ee63d"
	     "8" },
	{ 3, "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f5"
	     "b" },
	{ 63, "e9bc37a594daad83be9470df7f7b3798297c3d834ce80ba85d6e207627b7db7b"
	      "11" },
	{ 64, "4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98"
	      "fc" },
	{ 65, "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee"
	      "0e" },
	{ 127, "d81293fda863f008c09e92fc382a81f5a0b4a1251cba1634016a0f86a6bd640"
	       "de3" },
	{ 128, "f17e570564b26578c33bb7f44643f539624b05df1a76c81f30acd548c44b45e"
	       "fa6" },
	{ 129, "683aaae9f3c5ba37eaaf072aed0f9e30bac0865137bae68b1fde4ca2aebdcb1"
	       "2f9" },
	{ 1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd"
	        "11a1" },
	{ 1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855a"
	        "f71c" },
	{ 1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b84"
	        "44f4" },
	{ 2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba2"
	        "4a9a" },
	{ 2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b68795225630"
	        "3096" },
	{ 3072, "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cff"
	        "d29a" },
	{ 3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1c"
	        "d39a" },
	{ 4096, "015094013f57a5277b59d8475c0501042c0b642e531b0a1c8f58d2163229e9"
	        "6902" },
	{ 4097, "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb9"
	        "9505" },
	{ 5120, "9cadc15fed8b5d854562b26a9536d9707cadeda9b143978f319ab342305358"
	        "33ac" },
	{ 5121, "628bd2cb2004694adaab7bbd778a25df25c47b9d4155a55f8fbd79f2fe154c"
	        "ff96" },
	{ 6144, "3e2e5b74e048f3add6d21faab3f83aa44d3b2278afb83b80b3c35164ebeca2"
	        "054d" },
	{ 6145, "f1323a8631446cc50536a9f705ee5cb619424d46887f3c376c695b70e0f050"
	        "7f18" },
	{ 7168, "61da957ec2499a95d6b8023e2b0e604ec7f6b50e80a9678b89d2628e99ada7"
	        "7a57" },
	{ 7169, "a003fc7a51754a9b3c7fae0367ab3d782dccf28855a03d435f8cfe74605e78"
	        "1798" },
	{ 8192, "aae792484c8efe4f19e2ca7d371d8c467ffb10748d8a5a1ae579948f718a2a"
	        "635f" },
	{ 8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc"
	        "3bb2" },
	{ 16384, "f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041dd"
	         "de49d" },
	{ 31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895"
	         "c4786" },
	{ 102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943"
	          "e085e0" },
};

static uint8_t input[INPUT_MAX];

static void
test_vectors(void **state)
{
	struct blake3 h;
	uint8_t out[33];
	char hex[67];

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		blake3_init(&h);
		blake3_update(&h, input, vectors[i].len);
		blake3_final(&h, out, sizeof(out));
		str_hex(hex, out, sizeof(out));
		assert_string_equal(hex, vectors[i].hex);
	}
}

static void
test_extended(void **state)
{
	static const char *const expected =
	    "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b"
	    "8444f4c4a22b4b399155358a994e52bf255de60035742ec71bd08ac275a1"
	    "b51cc6bfe332b0ef84b409108cda080e6269ed4b3e2c3f7d722aa4cdc98d"
	    "16deb554e5627be8f955c98e1d5f9565a9194cad0c4285f93700062d9595"
	    "adb992ae68ff12800ab67a";
	struct blake3 h;
	uint8_t out[131];
	char hex[263];

	(void)state;
	blake3_init(&h);
	blake3_update(&h, input, 1025);
	blake3_final(&h, out, sizeof(out));
	str_hex(hex, out, sizeof(out));
	assert_string_equal(hex, expected);
}

/* Asking in between changes nothing. */
static void
test_pieces(void **state)
{
	static const size_t sizes[] = { 1, 7, 63, 64, 65, 1000, 1024, 1025,
		65536 };
	uint8_t whole[33], out[33];
	struct blake3 h;

	(void)state;
	blake3_init(&h);
	blake3_update(&h, input, INPUT_MAX);
	blake3_final(&h, whole, sizeof(whole));
	for (size_t i = 0; i < COUNT(sizes); i++) {
		blake3_init(&h);
		for (size_t at = 0; at < INPUT_MAX; at += sizes[i]) {
			size_t n = INPUT_MAX - at;

			blake3_update(
			    &h, input + at, n < sizes[i] ? n : sizes[i]);
			if (at % 8192 == 0)
				blake3_final(&h, out, sizeof(out));
		}
		blake3_final(&h, out, sizeof(out));
		assert_memory_equal(out, whole, sizeof(out));
	}
}

/* As the captured Go programs wrote it. */
static void
test_text(void **state)
{
	char text[BLAKE3_TEXT_LEN];

	(void)state;
	blake3_text_of("0123456789", 10, text);
	assert_string_equal(
	    text, "blake3.33B-U7Y6b8hgXQwM5VkxegAXfXKtsk1mkjXkyRT0Q6iDHKFt");
	blake3_text_of("", 0, text);
	assert_string_equal(
	    text, "blake3.33B-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmLg");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_text),
	};

	for (size_t i = 0; i < INPUT_MAX; i++)
		input[i] = (uint8_t)(i % 251);
	return cmocka_run_group_tests_name("blake3", tests, NULL, NULL);
}
