/* What the dashboard shows of texts from strangers: safe, so wide, cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/line.h"
#include "tui/paint.h"
#include "tui/term.h"
#include "tui/words.h"

static void
fits(const char *text, size_t width, int pad, const char *want, size_t cells)
{
	char dst[PAINT_MAX];
	size_t n = paint_fit(dst, text, width, pad);

	assert_string_equal(dst, want);
	assert_int_equal(n, cells);
	assert_int_equal(paint_width(dst), cells);
}

static void
test_cut(void **state)
{
	(void)state;
	fits("abc", 5, 0, "abc", 3);
	fits("abc", 5, 1, "abc  ", 5);
	fits("abc", 5, -1, "  abc", 5);
	fits("abcde", 5, 1, "abcde", 5);
	fits("abcdef", 5, 1, "abcd~", 5);
	fits("abcdef", 1, 0, "~", 1);
	fits("abcdef", 0, 0, "", 0);
	fits("", 3, 1, "   ", 3);
}

static void
test_escapes(void **state)
{
	(void)state;
	fits("a\x1b[2Jb", 20, 0, "a\\x1b[2Jb", 9);
	fits("a\nb\tc", 20, 0, "a\\x0ab\\x09c", 11);
	/* C1, bad UTF-8, bidirectional and invisible characters. */
	fits("\xc2\x9b", 20, 0, "\\xc2\\x9b", 8);
	fits("\xff", 20, 0, "\\xff", 4);
	fits("\xe2\x80\xae", 20, 0, "\\u202e", 6);
	fits("\xe2\x80\x8b", 20, 0, "\\u200b", 6);
	/* What was escaped before stays as it was. */
	fits("a\\x1bb", 20, 0, "a\\x1bb", 6);
	fits("a\x1b[2Jb", 4, 0, "a\\x~", 4);
}

static void
test_wide(void **state)
{
	(void)state;
	fits("\xe4\xb8\xad\xe6\x96\x87", 4, 0, "\xe4\xb8\xad\xe6\x96\x87", 4);
	/* A wide one that has no room leaves a cell for what cuts. */
	fits("\xe4\xb8\xad\xe6\x96\x87", 3, 0, "\xe4\xb8\xad~", 3);
	fits("\xe4\xb8\xad\xe6\x96\x87", 2, 0, "~", 1);
	fits("\xe4\xb8\xad", 1, 1, "~", 1);
	fits("a\xe4\xb8\xad", 2, 1, "a~", 2);
}

static void
test_marks(void **state)
{
	(void)state;
	fits("e\xcc\x81x", 5, 0, "e\xcc\x81x", 2);
	/* Of a pile only two stay on their letter. */
	fits("e\xcc\x81\xcc\x81\xcc\x81", 20, 0, "e\xcc\x81\xcc\x81\\u0301", 7);
	/* One without a letter may not climb on what stands before. */
	fits("\xcc\x81x", 20, 0, "\\u0301x", 7);
}

static void
test_plain_locale(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C"));
	fits("caf\xc3\xa9", 20, 0, "caf\\xc3\\xa9", 11);
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	fits("caf\xc3\xa9", 20, 0, "caf\xc3\xa9", 4);
}

/* No bytes whatever make more cells than there are, or a control byte. */
static void
test_any_bytes(void **state)
{
	char text[64], dst[PAINT_MAX];
	uint32_t x = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t n, width = (size_t)i % 23;

		for (n = 0; n < sizeof(text) - 1; n++) {
			x = x * 1664525 + 1013904223;
			text[n] = (char)(x >> 24 | 1);
		}
		text[n] = '\0';
		assert_true(paint_fit(dst, text, width, 1) <= width);
		assert_true(paint_width(dst) <= width);
		for (const char *at = dst; *at != '\0'; at++)
			assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
	}
}

static void
test_wrap(void **state)
{
	const char *text = "one two three";
	size_t skip;

	(void)state;
	assert_int_equal(paint_wrap(text, 20, &skip), 13);
	assert_int_equal(skip, 0);
	assert_int_equal(paint_wrap(text, 8, &skip), 7);
	assert_int_equal(skip, 1);
	assert_int_equal(paint_wrap(text, 7, &skip), 7);
	assert_int_equal(skip, 1);
	assert_int_equal(paint_wrap("abcdefgh", 3, &skip), 3);
	assert_int_equal(skip, 0);
	/* Even where nothing fits it goes on. */
	assert_int_equal(paint_wrap("\xe4\xb8\xad", 1, &skip), 3);
	assert_int_equal(paint_wrap("", 5, &skip), 0);
}

static void
test_words(void **state)
{
	char dst[WORDS_LEN], count[WORDS_COUNT], of[WORDS_OF];
	int64_t days;

	(void)state;
	assert_string_equal(words_of(2900, 0, of), "2,900");
	assert_string_equal(words_of(2900, 600, of), "2,900 of 3,500");
	assert_string_equal(
	    words_of(1, UINT64_MAX, of), "1 of 18,446,744,073,709,551,615");
	assert_string_equal(words_count(0, count), "0");
	assert_string_equal(words_count(999, count), "999");
	assert_string_equal(words_count(18204, count), "18,204");
	assert_string_equal(
	    words_count(UINT64_MAX, count), "18,446,744,073,709,551,615");
	assert_string_equal(words_us(0, dst), "0us");
	assert_string_equal(words_us(499, dst), "499us");
	assert_string_equal(words_us(940, dst), "0.9ms");
	assert_string_equal(words_us(9949, dst), "9.9ms");
	assert_string_equal(words_us(14200, dst), "14ms");
	assert_string_equal(words_us(999500, dst), "1.0s");
	assert_string_equal(words_us(61000000, dst), "1m");
	assert_string_equal(words_us(UINT64_MAX, dst), "213503982d08h");
	assert_true(words_days("1970-01-03T00:00:00Z", 86399, &days));
	assert_int_equal(days, 1);
	assert_true(words_days("1970-01-01T00:00:00Z", 1, &days));
	assert_int_equal(days, -1);
	assert_false(words_days("", 0, &days));
	assert_false(words_days("1970-01-03T00:00:00Zx", 0, &days));
	assert_string_equal(words_age(-5, dst), "0s");
	assert_string_equal(words_age(59999, dst), "59s");
	assert_string_equal(words_age(7860000, dst), "2h11m");
	assert_string_equal(words_age(273600000, dst), "3d04h");
	assert_string_equal(words_size(999, dst), "999");
	assert_string_equal(words_size(1234567, dst), "1.2M");
	assert_string_equal(words_size(340000, dst), "340K");
	assert_string_equal(words_size(999999, dst), "1.0M");
	assert_string_equal(words_size(UINT64_MAX, dst), "18E");
	assert_string_equal(
	    words_when("2026-11-02T12:04:31Z", "2026-11-02T23:00:00Z", dst),
	    "12:04:31Z");
	assert_string_equal(
	    words_when("2026-11-01T12:04:31Z", "2026-11-02T23:00:00Z", dst),
	    "2026-11-01");
	assert_true(words_same_host("10.0.0.1", "tls://10.0.0.1:99"));
	assert_false(words_same_host("10.0.0.1", "tls://10.0.0.11:99"));
	assert_true(words_same_host("[::1]", "quic://[::1]:9"));
	assert_false(words_same_host("::1", "::2"));
	assert_string_equal(words_when("", "2026-11-02T23:00:00Z", dst), "");
}

static void
test_line(void **state)
{
	struct line l;

	(void)state;
	line_set(&l, "ab");
	assert_true(line_key(&l, 0x4e2d));
	assert_string_equal(l.text, "ab\xe4\xb8\xad");
	assert_true(line_key(&l, TK_LEFT));
	assert_int_equal(l.at, 2);
	assert_true(line_key(&l, 'c'));
	assert_string_equal(l.text, "abc\xe4\xb8\xad");
	assert_true(line_key(&l, TK_DELETE));
	assert_string_equal(l.text, "abc");
	assert_true(line_key(&l, TK_BACKSPACE));
	assert_string_equal(l.text, "ab");
	assert_true(line_key(&l, TK_HOME));
	assert_true(line_key(&l, TK_BACKSPACE));
	assert_string_equal(l.text, "ab");
	assert_false(line_key(&l, 0x07));
	assert_false(line_key(&l, TK_F1));
	line_set(&l, "one two");
	assert_true(line_key(&l, TK_CTRL('w')));
	assert_string_equal(l.text, "one ");
	/* A line has an end, and what has no room is not half there. */
	for (int i = 0; i < 2 * LINE_LEN; i++)
		(void)line_key(&l, 0x4e2d);
	assert_true(l.len < LINE_LEN);
	assert_int_equal((l.len - 4) % 3, 0);
}

static void
pairs(const char *head, const char *tail, size_t width, const char *want,
    size_t cells)
{
	char dst[PAINT_MAX];
	size_t n = paint_pair(dst, head, tail, width);

	assert_string_equal(dst, want);
	assert_int_equal(n, cells);
	assert_int_equal(paint_width(dst), cells);
}

/* A method and a file: of both what tells most. */
static void
test_pair(void **state)
{
	(void)state;
	pairs("docs.put", "", 20, "docs.put", 8);
	pairs("docs.put", "", 5, "docs~", 5);
	pairs("docs.put", "b/img.tar", 18, "docs.put b/img.tar", 18);
	pairs("docs.put", "b/img.tar", 17, "docs.put ~img.tar", 17);
	pairs(
	    "docs.put", "backups/2026/img.tar", 20, "docs.put ~26/img.tar", 20);
	pairs("docs.put", "b/img.tar", 12, "docs.put b/~", 12);
	pairs("docs.put", "b/img.tar", 0, "", 0);
	/* A wide character does not fit into what is left. */
	pairs("docs.put",
	    "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad"
	    "\xe4\xb8\xad",
	    17, "docs.put ~\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 16);
	/* What was escaped is not again, and what was not is. */
	pairs("x", "a\\x1b[2J", 20, "x a\\x1b[2J", 10);
	pairs("x", "a\x1b[2J", 20, "x a\\x1b[2J", 10);
	/* A mark that has lost what it stood on stands on the cut. */
	pairs("docs.put", "aaaaaa\xcc\x81zzzzzzz", 17,
	    "docs.put ~\xcc\x81zzzzzzz", 17);
	pairs("docs.put", "aaaaaaz\xcc\x81zzzzzz", 17,
	    "docs.put ~z\xcc\x81zzzzzz", 17);
}

/* What is longer than any screen is wide has its end, too. */
static void
test_long_pair(void **state)
{
	char tail[600], dst[PAINT_MAX];

	(void)state;
	memset(tail, 'a', 512);
	(void)snprintf(tail + 512, sizeof(tail) - 512, "/img.tar");
	pairs("docs.put", tail, 18, "docs.put ~/img.tar", 18);
	assert_int_equal(paint_fit(dst, tail, PAINT_MAX, 0), 520);
	assert_string_equal(dst, tail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_plain_locale),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_long_pair),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_line),
	};

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
