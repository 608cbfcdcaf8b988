/* Escaping: what is shown for harmful text, and where it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct shown {
	const char *src;
	const char *text;
};

static void
test_shown(void **state)
{
	static const struct shown cases[] = {
		{ "", "" },
		{ "plain text ~", "plain text ~" },
		{ "a\nb\r\t", "a\\x0ab\\x0d\\x09" },
		{ "\x1b[31mred", "\\x1b[31mred" },
		{ "\x7f", "\\x7f" },
		{ "a\\nb", "a\\\\nb" },
		{ "\x9b"
		  "1m",
		    "\\x9b1m" },
		{ "\xc2\x9b"
		  "1m",
		    "\\xc2\\x9b1m" },
		{ "\xc2\x80\xc2\xa0", "\\xc2\\x80\xc2\xa0" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\xc3", "\\xc3" },
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xe2\x82(", "\\xe2\\x82(" },
		{ "\xc0\x8a", "\\xc0\\x8a" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xe2\x80\xae"
		  "evil",
		    "\\u202eevil" },
		{ "\xe2\x80\xaa", "\\u202a" },
		{ "\xe2\x81\xa6\xe2\x81\xa9", "\\u2066\\u2069" },
		{ "\xe2\x80\x8e\xe2\x80\x8f", "\\u200e\\u200f" },
		{ "\xd8\x9c", "\\u061c" },
		{ "a\xe2\x80\x8b"
		  "b",
		    "a\\u200bb" },
		{ "\xe2\x80\x8d", "\\u200d" },
		{ "\xe2\x81\xa0", "\\u2060" },
		{ "\xef\xbb\xbf", "\\ufeff" },
		{ "\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029" },
		{ "\xf3\xa0\x81\x81", "\\U000e0041" },
		{ "\xe2\x80\x8a\xe2\x80\x90", "\xe2\x80\x8a\xe2\x80\x90" },
		{ "\xe2\x80\xa7\xe2\x80\xaf", "\xe2\x80\xa7\xe2\x80\xaf" },
	};
	char dst[64];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *got = str_escape(dst, sizeof(dst), cases[i].src);

		assert_ptr_equal(got, dst);
		assert_string_equal(dst, cases[i].text);
	}
}

static void
test_embedded_nul(void **state)
{
	char dst[32];

	(void)state;
	assert_string_equal(rk_escape(dst, sizeof(dst), "a\0b", 3), "a\\x00b");
	assert_string_equal(rk_escape(dst, sizeof(dst), NULL, 0), "");
}

/* Every destination size: fits, ends with NUL, is a start of the whole or
 * that and a tilde. */
static void
check_cuts(const char *src)
{
	char whole[256];
	char dst[256];
	size_t len;

	str_escape(whole, sizeof(whole), src);
	len = strlen(whole);
	for (size_t n = 1; n <= len + 2; n++) {
		size_t got;

		memset(dst, '#', sizeof(dst));
		str_escape(dst, n, src);
		assert_int_equal(dst[n], '#');
		got = strlen(dst);
		assert_true(got < n);
		assert_true(str_is_utf8(dst, got));
		if (n > len) {
			assert_string_equal(dst, whole);
		} else if (n > 1) {
			assert_int_equal(dst[got - 1], '~');
			assert_memory_equal(dst, whole, got - 1);
		}
	}
}

static void
test_cuts(void **state)
{
	char dst[32];

	(void)state;
	check_cuts("plain");
	check_cuts("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	check_cuts("a\x1b\xe2\x80\xae\\\\\xf3\xa0\x81\x81\xc2\x85z");
	assert_string_equal(str_escape(dst, 6, "abcdef"), "abcd~");
	assert_string_equal(str_escape(dst, 7, "abcdef"), "abcdef");
	assert_string_equal(str_escape(dst, 5, "a\nbc"), "a~");
	assert_string_equal(str_escape(dst, 6, "a\nbc"), "a~");
	assert_string_equal(str_escape(dst, 7, "a\nbc"), "a\\x0a~");
	assert_string_equal(str_escape(dst, 1, "abc"), "");
	dst[0] = '#';
	assert_ptr_equal(str_escape(dst, 0, "abc"), dst);
	assert_int_equal(dst[0], '#');
}

static void
test_again_keeps_backslashes(void **state)
{
	char once[64];
	char twice[64];

	(void)state;
	str_escape(once, sizeof(once), "a\n\\b\xe2\x80\xae");
	str_escape_again(twice, sizeof(twice), once);
	assert_string_equal(once, twice);
	str_escape_again(twice, sizeof(twice), "new\nline \\x0a");
	assert_string_equal(twice, "new\\x0aline \\x0a");
}

/* No control byte ever comes out, whatever single byte or pair goes in. */
static void
test_all_pairs(void **state)
{
	char dst[32];

	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		const char src[2] = { (char)(i >> 8), (char)(i & 255) };
		size_t len;

		rk_escape(dst, sizeof(dst), src, 2);
		len = strlen(dst);
		if (len < 1 || len > 8 || !str_is_utf8(dst, len))
			fail_msg("bytes %04x", i);
		for (size_t k = 0; k < len; k++) {
			if ((uint8_t)dst[k] < 0x20 || dst[k] == 0x7f)
				fail_msg("bytes %04x", i);
		}
	}
}

/* Every byte at every place among plain ones, whatever is behind the end. */
static void
test_plain(void **state)
{
	char s[24];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';

		for (size_t len = 0; len <= sizeof(s); len++)
			for (size_t at = 0; at < sizeof(s); at++) {
				size_t want = plain || at > len ? len : at;

				for (size_t i = 0; i < sizeof(s); i++)
					s[i] = " #[]!~x0"[i % 8];
				s[at] = (char)c;
				if (str_plain(s, len) != want)
					fail_msg("byte %02x at %zu of %zu", c,
					    at, len);
			}
	}
}

/* A cut in the middle of what is copied in one piece. */
static void
test_cuts_plain(void **state)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyz";
	char dst[32];

	(void)state;
	for (size_t room = 2; room < sizeof(text); room++) {
		memset(dst, '?', sizeof(dst));
		str_escape(dst, room, text);
		assert_int_equal(strlen(dst), room - 1);
		assert_memory_equal(dst, text, room - 2);
		assert_int_equal(dst[room - 2], '~');
		assert_int_equal(dst[room], '?');
	}
	str_escape(dst, sizeof(text), text);
	assert_string_equal(dst, text);
	/* What no longer fits goes with its neighbor. */
	str_escape(dst, 10, "abcdefgh\\x");
	assert_string_equal(dst, "abcdefgh~");
	str_escape(dst, 9, "abcdefgh\\x");
	assert_string_equal(dst, "abcdefg~");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_embedded_nul),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_again_keeps_backslashes),
		cmocka_unit_test(test_all_pairs),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_cuts_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
