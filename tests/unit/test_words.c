/* Lines to words: quotes, JSON, what is open, and words back to lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/words.h"

#define ALL 8

struct example {
	const char *line;
	const char *words[ALL];
};

static const struct example good[] = {
	{ "", { NULL } },
	{ " \t\r\n ", { NULL } },
	{ "# all of it", { NULL } },
	{ "Sum a:=2 b:=40", { "Sum", "a:=2", "b:=40" } },
	{ "  a\tb  ", { "a", "b" } },
	{ "a # b", { "a" } },
	{ "a# b", { "a#", "b" } },
	{ "a # b\nc", { "a", "c" } },
	{ "a 'b c' d", { "a", "b c", "d" } },
	{ "a 'b\nc'", { "a", "b\nc" } },
	{ "'' \"\"", { "", "" } },
	{ "a'b'\"c\"d", { "abcd" } },
	{ "'a\"b\\' \"c'd\"", { "a\"b\\", "c'd" } },
	{ "\"a\\\"b\\\\c\\d\"", { "a\"b\\c\\d" } },
	{ "\"a\\\nb\"", { "ab" } },
	{ "a\\ b \\'", { "a b", "'" } },
	{ "a\\\nb", { "ab" } },
	{ "a \\\n b", { "a", "b" } },
	{ "\\#a", { "#a" } },
	{ "k\\\\=x=v", { "k\\=x=v" } },
	/* JSON */
	{ "m a:={\"x\": [1, 2]} b=c", { "m", "a:={\"x\": [1, 2]}", "b=c" } },
	{ "-d {\"a\": \"}\\\" ' #\"} x",
	    { "-d", "{\"a\": \"}\\\" ' #\"}", "x" } },
	{ "[1,\n2] y", { "[1,\n2]", "y" } },
	{ "a:='[1, 2]'", { "a:=[1, 2]" } },
	{ "ls [ab]*", { "ls", "[ab]*" } },
	/* which is none of these */
	{ "a[]=v a.b[0]=w a={", { "a[]=v", "a.b[0]=w", "a={" } },
	{ "a=[ b", { "a=[", "b" } },
	{ "a } ]", { "a", "}", "]" } },
	{ "k=$HOME | > ; * ~", { "k=$HOME", "|", ">", ";", "*", "~" } },
};

static void
words_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct example *e = &good[i];
		struct rk_error err;
		struct words w;
		size_t n = 0;

		assert_int_equal(
		    words_split(e->line, strlen(e->line), &w, &err), RK_OK);
		while (n < ALL && e->words[n] != NULL)
			n++;
		assert_int_equal(w.n, n);
		for (size_t j = 0; j < n; j++)
			assert_string_equal(w.list[j], e->words[j]);
		assert_null(w.list[n]);
		words_free(&w);
	}
}

static void
refuses(const char *line, size_t len, enum rk_err want, const char *why)
{
	struct rk_error err;
	struct words w;

	assert_int_equal(words_split(line, len, &w, &err), want);
	assert_string_equal(err.text, why);
	assert_null(w.list);
	assert_null(w.text);
}

static void
what_is_open_is_said(void **state)
{
	static const char *const lines[][2] = {
		{ "a 'b", "a ' is not closed" },
		{ "a \"b\\\"", "a \" is not closed" },
		{ "a \"b\\", "a \" is not closed" },
		{ "a b\\", "nothing follows the backslash" },
		{ "\\", "nothing follows the backslash" },
		{ "a:={\"b\": [1", "a [ is not closed" },
		{ "a:={\"b\": [1]", "a { is not closed" },
		{ "a:={\"b", "a \" is not closed" },
		{ "{", "a { is not closed" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		refuses(
		    lines[i][0], strlen(lines[i][0]), RK_EAGAIN, lines[i][1]);
}

static void
what_is_wrong_is_said(void **state)
{
	const size_t too_long = WORDS_TEXT_MAX + 1, many = 2 * WORDS_MAX + 1;
	struct rk_error err;
	struct words w;
	char *text = malloc(too_long);

	(void)state;
	assert_non_null(text);
	refuses("[1}", 3, RK_EFORMAT, "a } stands where a ] is due");
	refuses("a\0b", 3, RK_EFORMAT, "there is a NUL in the line");
	memset(text, '[', too_long);
	refuses(text, 129, RK_ETOOBIG, "more than 128 brackets in one another");
	refuses(text, too_long, RK_ETOOBIG, "the line is too long");
	for (size_t i = 0; i < many; i++)
		text[i] = i % 2 == 0 ? 'a' : ' ';
	refuses(text, many, RK_ETOOBIG, "more than 4096 words");
	assert_int_equal(words_split(text, many - 2, &w, &err), RK_OK);
	assert_int_equal(w.n, WORDS_MAX);
	words_free(&w);
	memset(text, 'a', too_long);
	assert_int_equal(words_split(text, WORDS_TEXT_MAX, &w, &err), RK_OK);
	assert_int_equal(w.n, 1);
	words_free(&w);
	free(text);
}

/* What is cut at any byte is whole, or open. */
static void
no_cut_does_harm(void **state)
{
	static const char line[] =
	    "m 'a b' \"c\\\" d\" e\\ f g:={\"h\": [1, \"]\"]} # i\nj\\\nk";
	struct rk_error err;

	(void)state;
	for (size_t len = 0; len < sizeof(line); len++) {
		struct words w;
		enum rk_err r = words_split(line, len, &w, &err);

		assert_true(r == RK_OK || r == RK_EAGAIN);
		words_free(&w);
	}
}

static void
words_are_quoted(void **state)
{
	static const char *const all[][2] = {
		{ "plain", "plain" },
		{ "", "''" },
		{ "a b", "'a b'" },
		{ "a:={\"x\":1}", "'a:={\"x\":1}'" },
		{ "it's", "'it'\\''s'" },
		{ "#", "'#'" },
		{ "'", "''\\'''" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct rk_error err;
		struct words w;
		struct buf b;

		buf_init(&b, 256);
		assert_int_equal(words_quote(&b, all[i][0]), RK_OK);
		assert_int_equal(buf_len(&b), strlen(all[i][1]));
		assert_memory_equal(buf_peek(&b), all[i][1], buf_len(&b));
		assert_int_equal(words_split((const char *)buf_peek(&b),
		                     buf_len(&b), &w, &err),
		    RK_OK);
		assert_int_equal(w.n, 1);
		assert_string_equal(w.list[0], all[i][0]);
		words_free(&w);
		buf_fini(&b);
	}
}

static void
lines_are_found(void **state)
{
	static const struct {
		const char *text;
		size_t line;
		enum rk_err r;
	} all[] = {
		{ "a", 1, RK_OK },
		{ "\n", 1, RK_OK },
		{ "a\nb\n", 2, RK_OK },
		{ "a # '\nb", 6, RK_OK },
		{ "a 'b\nc' d\ne", 10, RK_OK },
		{ "a \\\nb\nc", 6, RK_OK },
		{ "a:={\n\n\n}\nb", 9, RK_OK },
		{ "a:={]\nb", 6, RK_EFORMAT },
		{ "a:={\n]\nb", 7, RK_EFORMAT },
		{ "'\na\nb\n", 6, RK_EAGAIN },
		{ "a \\\n", 4, RK_EAGAIN },
		{ "\"a\n\n\n", 5, RK_EAGAIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct rk_error err;
		size_t n = 0;

		assert_int_equal(
		    words_line(all[i].text, strlen(all[i].text), &n, &err),
		    all[i].r);
		assert_int_equal(err.code, all[i].r);
		assert_int_equal(n, all[i].line);
	}
}

/* Sixteen megabytes of newlines behind a quote: tried line by line they took
 * hours. */
static void
an_endless_line_takes_no_time(void **state)
{
	const size_t len = 16u << 20;
	char *text = malloc(len);
	struct rk_error err;
	size_t n = 0;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', len);
	text[0] = '\'';
	assert_int_equal(words_line(text, len, &n, &err), RK_ETOOBIG);
	assert_in_range(n, WORDS_TEXT_MAX, WORDS_TEXT_MAX + 2);
	text[WORDS_TEXT_MAX - 10] = '\'';
	assert_int_equal(words_line(text, len, &n, &err), RK_OK);
	assert_int_equal(n, WORDS_TEXT_MAX - 8);
	/* No part of a long line is a line. */
	memset(text, 'a', len);
	text[len / 2] = '\n';
	assert_int_equal(words_line(text, len, &n, &err), RK_ETOOBIG);
	assert_int_equal(n, len / 2 + 1);
	text[1] = '\0';
	text[2] = '\n';
	assert_int_equal(words_line(text, len, &n, &err), RK_EFORMAT);
	assert_int_equal(n, 3);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_found),
		cmocka_unit_test(what_is_open_is_said),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(no_cut_does_harm),
		cmocka_unit_test(words_are_quoted),
		cmocka_unit_test(lines_are_found),
		cmocka_unit_test(an_endless_line_takes_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
