/* What programs say where the locale is not UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "capture.h"
#include "cli/out.h"
#include "cli/pager.h"
#include "cli/spell.h"
#include "cli/tty.h"

#define WORD "J\xc3\xb6rg \xc4\x9b" /* the last byte is CSI, to some */
#define SPELT "J\\xc3\\xb6rg \\xc4\\x9b"

struct saying {
	struct out out;
	const char *locale;
};

static int
say_all(void *arg)
{
	struct saying *s = arg;
	const struct rk_error err = { .code = RK_ENOENT,
		.text = "no " WORD " here" };
	struct out page;
	struct buf b;

	(void)setlocale(LC_CTYPE, s->locale);
	s->out.prog = "try";
	s->out.where = WORD ":3";
	out_text(&s->out, "text %s\n", WORD);
	out_note(&s->out, "note %s", WORD);
	out_warn(&s->out, "warning %s", WORD);
	(void)out_error(&s->out, &err, "see " WORD);
	pager_begin(&s->out, &page, &b);
	out_text(&page, "page %s\n", WORD);
	pager_end(&s->out, &b);
	return out_flush(&s->out) == RK_OK ? 0 : 1;
}

#define SAID(word, nl)                                                \
	"text " word nl "try: " word ":3: note " word nl "try: " word \
	":3: warning " word nl "try: " word ":3: no " word " here" nl \
	"try: see " word nl "page " word nl

static void
test_terminal(void **state)
{
	struct saying s = { .locale = "C.UTF-8" };
	char text[1024];

	(void)state;
	capture_terminal(80, say_all, &s, text, sizeof(text));
	assert_string_equal(text, SAID(WORD, "\r\n"));
	s.locale = "C";
	capture_terminal(80, say_all, &s, text, sizeof(text));
	assert_string_equal(text, SAID(SPELT, "\r\n"));
}

/* What goes elsewhere is whole; what is said beside it is for people still. */
static void
test_elsewhere(void **state)
{
	static struct capture got;
	struct saying s = { .locale = "C" };

	(void)state;
	capture_run(&got, say_all, &s);
	assert_int_equal(got.status, 0);
	assert_string_equal(got.out, "text " WORD "\npage " WORD "\n");
	assert_string_equal(got.err,
	    "try: " SPELT ":3: note " SPELT "\ntry: " SPELT ":3: warning " SPELT
	    "\ntry: " SPELT ":3: no " SPELT " here\ntry: see " SPELT "\n");
	s.locale = "C.UTF-8";
	capture_run(&got, say_all, &s);
	assert_string_equal(got.out, "text " WORD "\npage " WORD "\n");
	assert_string_equal(got.err,
	    "try: " WORD ":3: note " WORD "\ntry: " WORD ":3: warning " WORD
	    "\ntry: " WORD ":3: no " WORD " here\ntry: see " WORD "\n");
}

/* The forms for programs are what they are in any locale. */
static void
test_for_programs(void **state)
{
	struct saying s = { .out.form = OUT_JSON, .locale = "C" };
	char text[1024];

	(void)state;
	capture_terminal(80, say_all, &s, text, sizeof(text));
	assert_non_null(strstr(text, "text " WORD "\r\n"));
	assert_non_null(strstr(text, "\"text\":\"no " WORD " here\""));
	s.out.form = OUT_PLAIN;
	capture_terminal(80, say_all, &s, text, sizeof(text));
	assert_non_null(strstr(text, "text " WORD "\r\n"));
	assert_non_null(strstr(text, "note " SPELT "\r\n"));
}

static int
say_long(void *arg)
{
	struct out o = { .prog = "try" };
	char word[5000];

	(void)arg;
	(void)setlocale(LC_CTYPE, "C");
	memset(word, 0xc3, sizeof(word));
	word[sizeof(word) - 1] = '\0';
	word[0] = 'a';
	word[sizeof(word) - 2] = 'z';
	out_text(&o, "%s\n", word);
	return out_flush(&o) == RK_OK ? 0 : 1;
}

/* None of it is lost, however long. */
static void
test_long(void **state)
{
	static char text[32768];
	const char *p = text + 1;
	size_t n = 0;

	(void)state;
	capture_terminal(80, say_long, NULL, text, sizeof(text));
	assert_int_equal(text[0], 'a');
	for (; strncmp(p, "\\xc3", 4) == 0; p += 4)
		n++;
	assert_int_equal(n, 4997);
	assert_string_equal(p, "z\r\n");
}

static int
say_on_tty(void *arg)
{
	struct rk_error err;
	int fd, status = 1;

	(void)setlocale(LC_CTYPE, arg);
	if (tty_open(&fd, &err) != RK_OK)
		return status;
	if (tty_say(fd, WORD "\n", &err) == RK_OK)
		status = 0;
	return close(fd) == 0 ? status : 1;
}

static void
test_tty(void **state)
{
	char utf8[] = "C.UTF-8", c[] = "C", text[100];

	(void)state;
	capture_terminal(80, say_on_tty, utf8, text, sizeof(text));
	assert_string_equal(text, WORD "\r\n");
	capture_terminal(80, say_on_tty, c, text, sizeof(text));
	assert_string_equal(text, SPELT "\r\n");
}

static void
assert_spelt(const char *from, size_t cap, const char *to)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s", from);
	text[cap] = '#';
	assert_ptr_equal(spell_text(text, cap), text);
	assert_string_equal(text, to);
	assert_true(strlen(text) < cap);
}

/* In place, and cut between the pieces only. */
static void
test_in_place(void **state)
{
	(void)state;
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	assert_spelt("a\xc3\xb6z", 6, "a\xc3\xb6z");
	(void)setlocale(LC_CTYPE, "C");
	assert_spelt("", 1, "");
	assert_spelt("plain", 6, "plain");
	assert_spelt("a\xc3\xb6z", 11, "a\\xc3\\xb6z");
	assert_spelt("a\xc3\xb6z", 10, "a\\xc3~");
	assert_spelt("a\xc3\xb6z", 7, "a\\xc3~");
	assert_spelt("a\xc3\xb6z", 6, "a~");
	assert_spelt("\xc3\xb6", 3, "~");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_for_programs),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_tty),
		cmocka_unit_test(test_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
