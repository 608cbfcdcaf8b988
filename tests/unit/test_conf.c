/* Configuration files: values, comments, and every problem with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/conf.h"
#include "scratch.h"

static const struct conf_key top_keys[] = {
	{ "listen", "where", "URL", true },
	{ "trust", "mode", "open|ask", false },
	{ "certs", "directory", "DIR", false },
	{ NULL, NULL, NULL, false },
};

static const struct conf_key method_keys[] = {
	{ "exec", "command", "ARGV", false },
	{ "allow", "who", "LIST", false },
	{ NULL, NULL, NULL, false },
};

static const struct conf_section sections[] = {
	{ "", false, "all", top_keys },
	{ "log", false, "log", top_keys },
	{ "method", true, "a method", method_keys },
	{ NULL, false, NULL, NULL },
};

struct problems {
	char text[2048];
	unsigned n;
};

static void
collect(const char *text, void *arg)
{
	struct problems *p = arg;
	size_t used = strlen(p->text);

	p->n++;
	assert_null(strchr(text, '\n'));
	(void)snprintf(p->text + used, sizeof(p->text) - used, "%s\n", text);
}

static struct conf *
good(const char *text)
{
	struct problems p = { .n = 0 };
	struct conf *c;

	if (conf_parse("f", text, strlen(text), sections, &c, collect, &p) !=
	    RK_OK)
		fail_msg("%s", p.text);
	assert_int_equal(p.n, 0);
	return c;
}

static void
bad(const char *text, const char *want)
{
	struct problems p = { .n = 0 };
	struct conf *c;

	assert_int_equal(
	    conf_parse("f", text, strlen(text), sections, &c, collect, &p),
	    RK_EFORMAT);
	assert_null(c);
	assert_string_equal(p.text, want);
}

static void
value(const char *line, const char *want)
{
	char text[256];
	struct conf *c;

	assert_true(snprintf(text, sizeof(text), "certs%s", line) > 0);
	c = good(text);
	assert_int_equal(conf_count(c), 1);
	assert_string_equal(conf_at(c, 0)->value, want);
	assert_null(conf_at(c, 1));
	conf_free(c);
}

static void
test_values(void **state)
{
	(void)state;
	value("=x", "x");
	value("\t =  x y\t ", "x y");
	value("= x\r", "x");
	value("=", "");
	value("= # nothing", "");
	value("=#nothing", "");
	value("= a#b", "a#b");
	value("= a # b", "a");
	value("= a\t#b", "a");
	value("= \"a # b\" # c", "\"a # b\"");
	value("= 'a # b' # c", "'a # b'");
	value("= the server's disk # c", "the server's disk");
	value("= \"open # c", "\"open");
	value("= a \\# b # c", "a \\# b");
	value("= \"a\\\" # b\" # c", "\"a\\\" # b\"");
	value("= a=b", "a=b");
	value("= [x]", "[x]");
	value("= \xc3\xa9", "\xc3\xa9");
}

static void
test_items(void **state)
{
	struct conf *c = good("\xef\xbb\xbf# comment\n\n"
	                      "listen = a\nlisten = b\n  trust = ask\n"
	                      "[log]  # here\r\ntrust = open\n"
	                      "[ method  disk.free ]\nexec = df\n"
	                      "[method x y]\nexec = z\n[method disk.free]\n"
	                      "allow =\n");
	const struct conf_item *it;

	(void)state;
	assert_int_equal(conf_count(c), 7);
	it = conf_find(c, "", NULL, "listen");
	assert_string_equal(it->value, "b");
	assert_int_equal(it->line, 4);
	assert_string_equal(it->file, "f");
	assert_string_equal(conf_find(c, "", "", "trust")->value, "ask");
	assert_string_equal(conf_find(c, "log", NULL, "trust")->value, "open");
	it = conf_find(c, "method", "disk.free", "exec");
	assert_string_equal(it->value, "df");
	assert_string_equal(it->section, "method");
	assert_string_equal(it->name, "disk.free");
	assert_string_equal(
	    conf_find(c, "method", "disk.free", "allow")->value, "");
	assert_string_equal(conf_find(c, "method", "x y", "exec")->value, "z");
	assert_null(conf_find(c, "method", "x", "exec"));
	assert_null(conf_find(c, "", NULL, "certs"));
	conf_free(c);
	c = good("");
	assert_int_equal(conf_count(c), 0);
	conf_free(c);
	conf_free(NULL);
}

static void
test_problems(void **state)
{
	(void)state;
	bad("\nlisen = x",
	    "f:2: unknown key \"lisen\" (did you mean \"listen\"?)\n");
	bad("listen x", "f:1: no \"=\" behind \"listen x\"\n");
	bad("zzz\033 = x", "f:1: control characters or no UTF-8\n");
	bad("zzz\xff = x", "f:1: control characters or no UTF-8\n");
	bad("a\rb = x", "f:1: control characters or no UTF-8\n");
	bad("= x", "f:1: unknown key \"\"\n");
	bad("exec = x", "f:1: unknown key \"exec\"\n");
	bad("certs=1\n\ncerts=2", "f:3: \"certs\" again, first on line 1\n");
	bad("[metod x]\nexec = 1\nfoo = 2\n[log]\nfoo = 3",
	    "f:1: unknown section \"metod\" (did you mean \"method\"?)\n"
	    "f:5: unknown key \"foo\"\n");
	bad("[method]", "f:1: section [method] needs a name\n");
	bad("[log x]", "f:1: section [log] takes no name\n");
	bad("\n[method a\"b]\n# x\n[method c]\nexec = 1\n[method d]",
	    "f:2: [method a\"b] is empty\nf:6: [method d] is empty\n");
	bad("[]", "f:1: unknown section \"\"\n");
	bad("[log", "f:1: a section is written [name]\n");
	bad("[log] x", "f:1: a section is written [name]\n");
	bad("\xe2\x80\xae = 1", "f:1: unknown key \"\\u202e\"\n");
	/* The bytes behind a NUL are not forgotten. */
	{
		struct problems p = { .n = 0 };
		struct conf *c;

		assert_int_equal(conf_parse("f", "trust=\0x\nfoo=1", 14,
		                     sections, &c, collect, &p),
		    RK_EFORMAT);
		assert_string_equal(p.text,
		    "f:1: control characters or no UTF-8\n"
		    "f:2: unknown key \"foo\"\n");
	}
}

static void
split(const char *text, size_t n, const char *joined)
{
	char copy[256];
	char got[256] = "";
	char **words;
	size_t count;

	(void)str_copy(copy, sizeof(copy), text);
	assert_int_equal(conf_split(copy, &words, &count, NULL), RK_OK);
	assert_int_equal(count, n);
	assert_null(words[n]);
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(got);

		(void)snprintf(
		    got + used, sizeof(got) - used, "<%s>", words[i]);
	}
	assert_string_equal(got, joined);
	free(words);
}

static void
test_split(void **state)
{
	static const char *const open[] = { "'", "\"", "a 'b", "a\"b",
		"\"a\\\"" };
	struct rk_error err;
	char **words;
	size_t n;

	(void)state;
	split("", 0, "");
	split(" \t ", 0, "");
	split("a", 1, "<a>");
	split(" df  --output=avail,target\t/ ", 3,
	    "<df><--output=avail,target></>");
	split("a b c d e f g h", 8, "<a><b><c><d><e><f><g><h>");
	split("'a b'\"c d\"e", 1, "<a bc de>");
	split("'' \"\" x", 3, "<><><x>");
	split("a\\ b \\' \\\\", 3, "<a b><'><\\>");
	split("\"a\\\"b\\$\\n\"", 1, "<a\"b$\\n>");
	split("'a\\b' $HOME *", 3, "<a\\b><$HOME><*>");
	split("a\\", 1, "<a\\>");
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		assert_int_equal(
		    conf_split(open[i], &words, &n, &err), RK_EFORMAT);
		assert_null(words);
		assert_int_equal(n, 0);
		assert_string_equal(err.text, "open quote");
	}
}

static void
test_files(void **state)
{
	struct problems p = { .n = 0 };
	struct rk_error err;
	struct conf *c;

	(void)state;
	assert_int_equal(
	    conf_read("none", sections, &c, collect, &p, &err), RK_ENOENT);
	assert_non_null(strstr(err.text, "none"));
	scratch_make("f", "listen = x\n", 0644);
	assert_int_equal(
	    conf_read("f", sections, &c, collect, &p, &err), RK_OK);
	assert_int_equal(conf_count(c), 1);
	conf_free(c);
	scratch_make("f", "listen = x\n", 0620);
	assert_int_equal(
	    conf_read("f", sections, &c, collect, &p, &err), RK_EMODE);
	scratch_make("f", "listn = x\ntrst = y\n", 0600);
	assert_int_equal(
	    conf_read("f", sections, &c, collect, &p, &err), RK_EFORMAT);
	assert_null(c);
	assert_int_equal(p.n, 2);
	assert_string_equal(err.text, "f: not understood");
	assert_int_equal(
	    conf_read("f", sections, &c, NULL, NULL, NULL), RK_EFORMAT);
	scratch_make("f", "listn = x\ntrust = y\n[nosuch]\nfoo = z\n", 0600);
	assert_int_equal(
	    conf_read_some("f", sections, &c, NULL, NULL, &err), RK_EFORMAT);
	assert_int_equal(conf_count(c), 1);
	assert_string_equal(conf_at(c, 0)->value, "y");
	conf_free(c);
	assert_int_equal(
	    conf_read_some("no", sections, &c, NULL, NULL, &err), RK_ENOENT);
	assert_null(c);
	assert_int_equal(
	    conf_read(".", sections, &c, collect, &p, &err), RK_EMODE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_split),
		cmocka_unit_test_setup_teardown(
		    test_files, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
