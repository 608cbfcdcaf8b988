/* Parsing of numbers with units, encodings, UTF-8, time, likeness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/secret.h>

#include "base/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DAY_MS (24ULL * 60 * 60 * 1000)

static void
test_copy(void **state)
{
	char dst[4] = "xxx";

	(void)state;
	assert_int_equal(str_copy(dst, sizeof(dst), "abc"), 3);
	assert_string_equal(dst, "abc");
	assert_int_equal(str_copy(dst, sizeof(dst), "abcd"), 4);
	assert_string_equal(dst, "abc");
	assert_int_equal(str_copy(dst, 1, "abcd"), 4);
	assert_string_equal(dst, "");
	dst[0] = 'q';
	assert_int_equal(str_copy(dst, 0, "abcd"), 4);
	assert_int_equal(dst[0], 'q');
}

static void
test_views(void **state)
{
	const struct rk_str none = { 0 };
	const struct rk_str s = { "abcd", 3 };

	(void)state;
	assert_null(str_view(NULL).ptr);
	assert_int_equal(str_view(NULL).len, 0);
	assert_int_equal(str_view("abc").len, 3);
	assert_true(str_is(s, "abc"));
	assert_false(str_is(s, "ab"));
	assert_false(str_is(s, "abcd"));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", "abc"));
	assert_true(str_ends("abc", ""));
	assert_false(str_ends("abc", "b"));
	assert_false(str_ends("bc", "abc"));
	assert_false(str_is(s, "abd"));
	assert_true(str_is(none, ""));
	assert_false(str_is(none, "a"));
}

struct number {
	const char *text;
	uint64_t value;
	enum rk_err r;
};

static void
test_u64(void **state)
{
	static const struct number cases[] = {
		{ "10", 10, RK_OK },
		{ "0010", 10, RK_OK },
		{ "18446744073709551615", UINT64_MAX, RK_OK },
		{ "18446744073709551616", 0, RK_ETOOBIG },
		{ "99999999999999999999999", 0, RK_ETOOBIG },
		{ "9", 0, RK_ETOOBIG },
		{ "", 0, RK_EFORMAT },
		{ " 10", 0, RK_EFORMAT },
		{ "10 ", 0, RK_EFORMAT },
		{ "+10", 0, RK_EFORMAT },
		{ "-10", 0, RK_EFORMAT },
		{ "0x10", 0, RK_EFORMAT },
		{ "10a", 0, RK_EFORMAT },
		{ "99999999999999999999999x", 0, RK_EFORMAT },
		{ "1e3", 0, RK_EFORMAT },
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		v = 5;
		assert_int_equal(
		    str_parse_u64(cases[i].text, 10, UINT64_MAX, &v),
		    cases[i].r);
		assert_true(v == cases[i].value);
	}
	assert_int_equal(str_parse_u64("65536", 0, 65535, &v), RK_ETOOBIG);
	assert_int_equal(str_parse_u64("65535", 0, 65535, &v), RK_OK);
}

static void
test_duration(void **state)
{
	static const struct number cases[] = {
		{ "30s", 30000, RK_OK },
		{ "1m", 60000, RK_OK },
		{ "2h", 7200000, RK_OK },
		{ "7d", 7 * DAY_MS, RK_OK },
		{ "250ms", 250, RK_OK },
		{ "1.5s", 1500, RK_OK },
		{ "1.5", 1500, RK_OK },
		{ "0", 0, RK_OK },
		{ "0ms", 0, RK_OK },
		{ "30", 30000, RK_OK },
		{ "0.001s", 1, RK_OK },
		{ "0.500000000h", 1800000, RK_OK },
		{ "36500d", 36500 * DAY_MS, RK_OK },
		{ "36501d", 0, RK_ETOOBIG },
		{ "36500.1d", 0, RK_ETOOBIG },
		{ "18446744073709551615", 0, RK_ETOOBIG },
		{ "18446744073709551615ms", 0, RK_ETOOBIG },
		{ "99999999999999999999d", 0, RK_ETOOBIG },
		{ "99999999999999999999.5d", 0, RK_ETOOBIG },
		{ "0.0001s", 0, RK_EFORMAT },
		{ "0.5ms", 0, RK_EFORMAT },
		{ "0.0000000001d", 0, RK_EFORMAT },
		{ "1.0000000000s", 0, RK_EFORMAT },
		{ "1.00000000000000000000000s", 0, RK_EFORMAT },
		{ "1.s", 0, RK_EFORMAT },
		{ ".5s", 0, RK_EFORMAT },
		{ "", 0, RK_EFORMAT },
		{ "s", 0, RK_EFORMAT },
		{ "-1s", 0, RK_EFORMAT },
		{ "1 s", 0, RK_EFORMAT },
		{ "1S", 0, RK_EFORMAT },
		{ "1w", 0, RK_EFORMAT },
		{ "1h30m", 0, RK_EFORMAT },
		{ "1.5.5s", 0, RK_EFORMAT },
		{ "inf", 0, RK_EFORMAT },
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		v = 5;
		assert_int_equal(
		    str_parse_duration(cases[i].text, &v), cases[i].r);
		assert_true(v == cases[i].value);
	}
}

static void
test_size(void **state)
{
	static const struct number cases[] = {
		{ "0", 0, RK_OK },
		{ "1000", 1000, RK_OK },
		{ "64K", 65536, RK_OK },
		{ "64k", 65536, RK_OK },
		{ "1M", 1048576, RK_OK },
		{ "2G", 2147483648, RK_OK },
		{ "17179869183G", 17179869183ULL << 30, RK_OK },
		{ "17179869184G", 0, RK_ETOOBIG },
		{ "18446744073709551616", 0, RK_ETOOBIG },
		{ "", 0, RK_EFORMAT },
		{ "K", 0, RK_EFORMAT },
		{ "1KB", 0, RK_EFORMAT },
		{ "1.5M", 0, RK_EFORMAT },
		{ "-1", 0, RK_EFORMAT },
		{ "1 K", 0, RK_EFORMAT },
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		v = 5;
		assert_int_equal(str_parse_size(cases[i].text, &v), cases[i].r);
		assert_true(v == cases[i].value);
	}
}

static void
test_bool(void **state)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };
	static const char *const bad[] = { "", "Yes", "y", "2", "on ", "yess" };
	bool v;

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++) {
		assert_int_equal(str_parse_bool(yes[i], &v), RK_OK);
		assert_true(v);
		assert_int_equal(str_parse_bool(no[i], &v), RK_OK);
		assert_false(v);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		v = true;
		assert_int_equal(str_parse_bool(bad[i], &v), RK_EFORMAT);
		assert_false(v);
	}
}

static void
test_hex(void **state)
{
	uint8_t all[256];
	uint8_t back[256];
	char text[513];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	str_hex(text, all, sizeof(all));
	assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
	assert_string_equal(text + 508, "feff");
	assert_int_equal(str_unhex(text, 512, back, 256, &n), RK_OK);
	assert_int_equal(n, 256);
	assert_memory_equal(all, back, 256);
	assert_int_equal(str_unhex("aBfF", 4, back, 2, &n), RK_OK);
	assert_memory_equal(back, "\xab\xff", 2);
	assert_int_equal(str_unhex("", 0, back, 0, &n), RK_OK);
	assert_int_equal(str_unhex("abc", 3, back, 9, &n), RK_EFORMAT);
	assert_int_equal(n, 0);
	assert_int_equal(str_unhex("abcd", 4, back, 1, &n), RK_ETOOBIG);
	for (int c = 0; c < 256; c++) {
		const char pair[2] = { '0', (char)c };
		bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
		          (c >= 'A' && c <= 'F');

		assert_int_equal(
		    str_unhex(pair, 2, back, 1, &n), ok ? RK_OK : RK_EFORMAT);
		assert_int_equal(n, ok ? 1 : 0);
	}
}

/* RFC 4648 section 10, and one with both last digits of the alphabet. */
static void
test_base64_vectors(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff", "+/8=" },
	};
	char text[16];
	uint8_t back[8];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		size_t len = strlen(pairs[i][0]);
		size_t bare = strcspn(pairs[i][1], "=");

		str_base64(text, pairs[i][0], len, STR_BASE64);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(str_base64_len(len), strlen(text) + 1);
		assert_int_equal(
		    str_unbase64(text, strlen(text), back, len, &n), RK_OK);
		assert_int_equal(n, len);
		assert_memory_equal(back, pairs[i][0], len);
		str_base64(text, pairs[i][0], len, STR_BASE64_NOPAD);
		assert_int_equal(strlen(text), bare);
		assert_memory_equal(text, pairs[i][1], bare);
		assert_int_equal(
		    str_unbase64(text, bare, back, len, &n), RK_OK);
		assert_int_equal(n, len);
	}
	str_base64(text, "\xfb\xff", 2, STR_BASE64URL_NOPAD);
	assert_string_equal(text, "-_8");
}

static void
test_base64_round_trip(void **state)
{
	uint8_t data[100];
	uint8_t back[100];
	char text[200];
	size_t n;

	(void)state;
	rk_random(data, sizeof(data));
	for (size_t len = 0; len <= sizeof(data); len++) {
		str_base64(text, data, len, STR_BASE64);
		assert_int_equal(
		    str_unbase64(text, strlen(text), back, len, &n), RK_OK);
		assert_int_equal(n, len);
		assert_memory_equal(data, back, len);
		if (len > 0)
			assert_int_equal(
			    str_unbase64(text, strlen(text), back, len - 1, &n),
			    RK_ETOOBIG);
	}
}

static void
test_base64_refuses(void **state)
{
	static const char *const bad[] = { "Z",
		"Zg=", "Zg===", "Zm9v=", "Zm9v==", "=",
		"==", "====", "Z===", "Zm8==", "Zg==Zg==", "Zm9v\n", " Zm9v",
		"Zm 9v", "Zh==", "Zm9=", "Zh", "-_8=", "Z=g=", "Zm9v!" };
	uint8_t back[32];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		n = 9;
		assert_int_equal(str_unbase64(bad[i], strlen(bad[i]), back,
		                     sizeof(back), &n),
		    RK_EFORMAT);
		assert_int_equal(n, 0);
	}
	assert_int_equal(
	    str_unbase64("Zg\0=", 4, back, sizeof(back), &n), RK_EFORMAT);
}

static void
test_utf8(void **state)
{
	static const char *const good[] = { "", "abc", "\xc3\xa9",
		"\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xc2\x80", "\xe0\xa0\x80",
		"\xf0\x90\x80\x80" };
	static const char *const bad[] = { "\x80", "\xc3", "\xc0\x80",
		"\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82",
		"\xf0\x9f\x98", "a\xc3(b", "\xe2(\xac",
		"\xf8\x88\x80\x80\x80" };
	uint32_t cp;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(str_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(str_is_utf8(bad[i], strlen(bad[i])));
	assert_true(str_is_utf8("a\0b", 3));
	assert_int_equal(str_utf8("\xf0\x9f\x98\x80x", 5, &cp), 4);
	assert_int_equal(cp, 0x1f600);
	assert_int_equal(str_utf8("\xf0\x9f\x98\x80", 3, &cp), 0);
	assert_int_equal(str_utf8("", 0, &cp), 0);
}

/* Every code point, encoded here the plain way, is taken for what it is. */
static void
test_utf8_all(void **state)
{
	uint32_t cp;

	(void)state;
	for (uint32_t c = 0x800; c <= 0x110000; c++) {
		char s[4];
		size_t n = 0;
		bool ok = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

		if (c > 0xffff) {
			s[n++] = (char)(0xf0 | c >> 18);
			s[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		} else {
			s[n++] = (char)(0xe0 | c >> 12);
		}
		s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		s[n++] = (char)(0x80 | (c & 0x3f));
		if (str_utf8(s, n, &cp) != (ok ? n : 0) || (ok && cp != c))
			fail_msg("U+%04X", c);
	}
}

static void
test_time(void **state)
{
	char text[32];

	(void)state;
	str_time(text, 0);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	str_time(text, 1793621071);
	assert_string_equal(text, "2026-11-02T12:04:31Z");
	str_time(text, 951782400);
	assert_string_equal(text, "2000-02-29T00:00:00Z");
	str_time(text, -1);
	assert_string_equal(text, "1969-12-31T23:59:59Z");
	str_time(text, 253402300800);
	assert_string_equal(text, "10000-01-01T00:00:00Z");
	str_time(text, INT64_MAX);
	assert_true(strlen(text) > 0 && strlen(text) < sizeof(text));
	str_time(text, INT64_MIN);
	assert_true(strlen(text) > 0 && strlen(text) < sizeof(text));
	str_time(text, 67767976233532799);
	assert_true(strlen(text) > 0 && strlen(text) < sizeof(text));
}

static void
test_distance(void **state)
{
	char a[400];
	char b[400];

	(void)state;
	assert_int_equal(str_distance("", "", 9), 0);
	assert_int_equal(str_distance("abc", "", 9), 3);
	assert_int_equal(str_distance("kitten", "sitting", 9), 3);
	assert_int_equal(str_distance("ca", "abc", 9), 3);
	assert_int_equal(str_distance("teh", "the", 9), 1);
	assert_int_equal(str_distance("abcd", "badc", 9), 2);
	assert_int_equal(str_distance("kitten", "sitting", 2), 2);
	memset(a, 'a', sizeof(a));
	memset(b, 'a', sizeof(b));
	a[399] = b[399] = '\0';
	assert_int_equal(str_distance(a, b, 9), 0);
	b[200] = 'b';
	assert_int_equal(str_distance(a, b, 9), 1);
	memset(b, 'b', 399);
	assert_int_equal(str_distance(a, b, 9), 9);
	a[64] = b[64] = '\0';
	assert_int_equal(str_distance(a, b, 99), 64);
}

static void
test_nearest(void **state)
{
	static const char *const words[] = { "connect", "config", "call", "ls",
		NULL };
	static const char *const none[] = { NULL };

	(void)state;
	assert_string_equal(str_nearest("conect", words), "connect");
	assert_string_equal(str_nearest("confgi", words), "config");
	assert_string_equal(str_nearest("cal", words), "call");
	assert_string_equal(str_nearest("lss", words), "ls");
	assert_null(str_nearest("xy", words));
	assert_null(str_nearest("", words));
	assert_null(str_nearest("zzzzzz", words));
	assert_null(str_nearest("connect", none));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64_vectors),
		cmocka_unit_test(test_base64_round_trip),
		cmocka_unit_test(test_base64_refuses),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_utf8_all),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
