/* Words of a command line: GNU's rules, Go's rules, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tryprog.h"

#define WORDS 24

/* Parse a line of words split at blanks. */
static enum rk_err
parse(const struct prog *p, const char *line, struct args **a,
    struct rk_error *err)
{
	char copy[256];
	char *argv[WORDS] = { copy };
	int argc = 1;

	assert_true(strlen(line) < sizeof(copy));
	memcpy(copy, line, strlen(line) + 1);
	for (char *s = copy; *(s += strspn(s, " ")) != '\0';) {
		assert_true(argc < WORDS - 1);
		argv[argc++] = s;
		s += strcspn(s, " ");
		if (*s != '\0')
			*s++ = '\0';
	}
	return cmd_parse(p, argc, argv, a, err);
}

static struct args *
good(const struct prog *p, const char *line)
{
	struct rk_error err = { 0 };
	struct args *a;
	enum rk_err r = parse(p, line, &a, &err);

	if (r != RK_OK)
		fail_msg("%s: %s", line, err.text);
	return a;
}

static void
bad(const struct prog *p, const char *line, const char *text)
{
	struct rk_error err;
	struct args *a;

	assert_int_equal(parse(p, line, &a, &err), RK_EINVAL);
	assert_null(a);
	assert_int_equal(err.code, RK_EINVAL);
	assert_string_equal(err.text, text);
}

static void
is_operand(const struct args *a, size_t i, const char *text)
{
	size_t n;
	const char *const *w = args_operands(a, &n);

	assert_true(i < n);
	assert_string_equal(w[i], text);
}

static void
has_operands(const struct args *a, size_t want)
{
	size_t n;

	(void)args_operands(a, &n);
	assert_int_equal(n, want);
}

static void
test_gnu_forms(void **state)
{
	static const char *const lines[] = {
		"--server h:1 --quic ls",
		"--server=h:1 -q ls",
		"-s h:1 ls -q",
		"-qs h:1 ls",
		"-qsh:1 ls",
		"-s=h:1 -q ls",
		"-server h:1 -quic ls",
		"-server=h:1 -quic=true ls",
		"ls -q --server h:1",
		"-s x -s h:1 -q ls",
		"ls -qs h:1 --",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct args *a = good(&try_gnu, lines[i]);

		assert_string_equal(args_cmd(a)->name, "ls");
		assert_string_equal(args_text(a, "server", "none"), "h:1");
		assert_true(args_flag(a, "quic"));
		assert_false(args_given(a, "timing"));
		assert_false(args_from_env(a, "server"));
		has_operands(a, 0);
		args_free(a);
	}
}

static void
test_gnu_values(void **state)
{
	struct args *a = good(&try_gnu,
	    "Sum --timeout 1.5s a:=-1 --size=64K - --json --trust strict "
	    "-H a=1 -H b=2 --header=c -- --x -h");
	const char *const *list;
	size_t n;

	(void)state;
	assert_string_equal(args_cmd(a)->name, "call");
	assert_ptr_equal(args_prog(a), &try_gnu);
	assert_int_equal(args_number(a, "timeout", 7), 1500);
	assert_int_equal(args_number(a, "size", 7), 65536);
	assert_string_equal(args_text(a, "trust", "ask"), "strict");
	assert_true(args_given(a, "json"));
	assert_string_equal(args_text(a, "json", "1"), "1");
	list = args_list(a, "header", &n);
	assert_int_equal(n, 3);
	assert_string_equal(list[0], "a=1");
	assert_string_equal(list[1], "b=2");
	assert_string_equal(list[2], "c");
	assert_int_equal(args_number(a, "n", 9), 9);
	assert_true(args_known(a, "warm"));
	assert_false(args_known(a, "cold"));
	has_operands(a, 5);
	is_operand(a, 0, "Sum");
	is_operand(a, 1, "a:=-1");
	is_operand(a, 2, "-");
	is_operand(a, 3, "--x");
	is_operand(a, 4, "-h");
	args_free(a);
}

static void
test_verbs(void **state)
{
	struct prog p = try_strict();
	struct args *a;

	(void)state;
	/* An option of the verb's own may stand in front of it. */
	a = good(&try_gnu, "-n 5 bench m f");
	assert_string_equal(args_cmd(a)->name, "bench");
	assert_int_equal(args_number(a, "n", 0), 5);
	args_free(a);
	/* Behind "--" a word is a method even if a verb is named so. */
	a = good(&try_gnu, "-- ls");
	assert_string_equal(args_cmd(a)->name, "call");
	is_operand(a, 0, "ls");
	args_free(a);
	a = good(&p, "-- ls");
	assert_string_equal(args_cmd(a)->name, "ls");
	args_free(a);
	a = good(&try_gnu, "-q");
	assert_null(args_cmd(a));
	args_free(a);
	bad(&p, "lss", "unknown command \"lss\" (did you mean \"ls\"?)");
	/* What stands before it is what is wrong. */
	bad(&p, "-Z /x ls", "unknown option -Z");
	bad(&p, "--zzz /x ls", "unknown option --zzz");
	bad(&p, "ls -z", "unknown option -z");
	bad(&p, "frobnicate", "unknown command \"frobnicate\"");
	bad(&p, "\033[1m", "unknown command \"\\x1b[1m\"");
	bad(&try_gnu, "--warm x bench m f",
	    "--warm: the options of a command must stand behind it");
}

static void
test_gnu_errors(void **state)
{
	(void)state;
	bad(&try_gnu, "--foo ls", "unknown option --foo");
	bad(&try_gnu, "--foo=secret ls", "unknown option --foo");
	bad(&try_gnu, "--qiuc ls",
	    "unknown option --qiuc (did you mean --quic?)");
	bad(&try_gnu, "--time 3 ls",
	    "unknown option --time (did you mean --size?)");
	bad(&try_gnu, "-qx ls", "unknown option -x");
	bad(&try_gnu, "--s h ls", "unknown option --s");
	bad(&try_gnu, "--=x ls", "bad option --=x");
	bad(&try_gnu, "---quic ls", "bad option ---quic");
	bad(&try_gnu, "--quic=yes ls", "--quic takes no value");
	bad(&try_gnu, "ls --server", "--server needs a value: HOST:PORT");
	bad(&try_gnu, "ls -s", "--server needs a value: HOST:PORT");
	bad(&try_gnu, "--refresh call m",
	    "option --refresh does not belong to call");
	bad(&try_gnu, "--refresh", "option --refresh needs a command");
	bad(&try_gnu, "--timeout x ls",
	    "--timeout: \"x\" is not a time like 30s, 250ms or 1m");
	bad(&try_gnu, "--size 5Q ls",
	    "--size: \"5Q\" is not a size like 64K or 1M");
	bad(&try_gnu, "--trust no ls",
	    "--trust: \"no\" is not one of ask|accept-new|strict");
	bad(&try_gnu, "--trust ask|accept-new ls",
	    "--trust: \"ask|accept-new\" is not one of ask|accept-new|strict");
	bad(&try_gnu, "--json=2 ls", "--json: \"2\" is not one of 1");
	bad(&try_gnu, "bench -n 0 m f", "-n: \"0\" is not from 1 to 100");
	bad(&try_gnu, "bench -n 101 m f", "-n: \"101\" is not from 1 to 100");
	bad(&try_gnu, "bench -n 99999999999999999999 m f",
	    "-n: \"99999999999999999999\" is too large: it is at most 100");
	bad(&try_gnu, "--timeout 99999d ls",
	    "--timeout: \"99999d\" is too large: it is at most 36500 d");
	bad(&try_gnu, "--size 99999999999G ls",
	    "--size: \"99999999999G\" is too large: it is at most "
	    "18446744073709551615");
	bad(&try_gnu, "bench --for 99999d m f",
	    "--for: \"99999d\" is too large: it is at most 366 d");
	bad(&try_gnu, "bench --for 367d m f",
	    "--for: \"367d\" is 367 d, which is not from 1 s to 366 d");
	bad(&try_gnu, "bench --for 999ms m f",
	    "--for: \"999ms\" is 999 ms, which is not from 1 s to 366 d");
	bad(&try_gnu, "bench --for 8785h m f",
	    "--for: \"8785h\" is 8785 h, which is not from 1 s to 366 d");
	args_free(good(&try_gnu, "bench --for 366d m f"));
	args_free(good(&try_gnu, "bench --for 1s m f"));
	bad(&try_gnu, "bench -n -1 m f", "-n: \"-1\" is not a number");
	bad(&try_gnu, "bench m", "bench: FILE is missing");
	bad(&try_gnu, "bench", "bench: METHOD is missing");
	bad(&try_gnu, "ls a \x1b", "ls: \"\\x1b\" is one operand too many");
	args_free(good(&try_gnu, "bench -n 1 m f"));
	args_free(good(&try_gnu, "bench -n 100 m f"));
	args_free(good(&try_gnu, "bench --help"));
}

static void
test_environment(void **state)
{
	struct args *a;

	(void)state;
	assert_int_equal(setenv("RPCKIT_TEST_SERVER", "env:1", 1), 0);
	a = good(&try_gnu, "ls");
	assert_string_equal(args_text(a, "server", "none"), "env:1");
	assert_true(args_given(a, "server"));
	assert_true(args_from_env(a, "server"));
	args_free(a);
	a = good(&try_gnu, "ls -s flag:1");
	assert_string_equal(args_text(a, "server", "none"), "flag:1");
	assert_false(args_from_env(a, "server"));
	args_free(a);
	assert_int_equal(setenv("RPCKIT_TEST_SERVER", "", 1), 0);
	a = good(&try_gnu, "ls");
	assert_false(args_given(a, "server"));
	args_free(a);
	assert_int_equal(setenv("RPCKIT_TEST_TIMEOUT", "soon", 1), 0);
	bad(&try_gnu, "ls",
	    "$RPCKIT_TEST_TIMEOUT: \"soon\" is not a time like 30s, 250ms or "
	    "1m");
	args_free(good(&try_gnu, "ls -h"));
	args_free(good(&try_gnu, "ls --timeout 1"));
	assert_int_equal(unsetenv("RPCKIT_TEST_TIMEOUT"), 0);
}

static void
test_go_forms(void **state)
{
	static const char *const lines[] = {
		"-k bob -ca",
		"-k=bob -ca",
		"--k bob --ca",
		"--k=bob --ca=true",
		"-ca=T -k bob",
		"-ca=false -ca -k bob",
		"-k x -k=bob -ca=1",
	};
	struct args *a;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		a = good(&try_go, lines[i]);
		assert_string_equal(args_text(a, "k", "none"), "bob");
		assert_true(args_flag(a, "ca"));
		assert_false(args_flag(a, "nopass"));
		args_free(a);
	}
	a = good(&try_go, "-nopass=false -ca=F -days=007");
	assert_false(args_flag(a, "nopass"));
	assert_true(args_given(a, "nopass"));
	assert_false(args_flag(a, "ca"));
	assert_int_equal(args_number(a, "days", 0), 7);
	args_free(a);
	/* The value is taken whatever it looks like. */
	a = good(&try_go, "-k -ca");
	assert_string_equal(args_text(a, "k", "none"), "-ca");
	assert_false(args_flag(a, "ca"));
	args_free(a);
	a = good(&try_go, "-k= -ca");
	assert_string_equal(args_text(a, "k", "none"), "");
	args_free(a);
}

static void
test_go_ends(void **state)
{
	struct args *a;

	(void)state;
	a = good(&try_go, "-ca file -nopass");
	has_operands(a, 2);
	is_operand(a, 1, "-nopass");
	assert_false(args_flag(a, "nopass"));
	args_free(a);
	a = good(&try_go, "-ca -- -nopass");
	has_operands(a, 1);
	args_free(a);
	a = good(&try_go, "- -ca");
	has_operands(a, 2);
	args_free(a);
	a = good(&try_go, "-h");
	assert_true(args_flag(a, "help"));
	args_free(a);
	bad(&try_go, "-gen x", "unknown option -gen");
	bad(&try_go, "-kbob", "unknown option -kbob");
	bad(&try_go, "-gensim x",
	    "unknown option -gensim (did you mean -gensym?)");
	bad(&try_go, "-k", "-k needs a value: NAME");
	bad(&try_go, "---k bob", "bad option ---k");
	bad(&try_go, "-=x", "bad option -=x");
	bad(&try_go, "--=x", "bad option --=x");
	bad(&try_go, "-ca=yes", "-ca: \"yes\" is not yes or no");
	bad(&try_go, "-ca=", "-ca: \"\" is not yes or no");
	bad(&try_go, "-days=x", "-days: \"x\" is not a number");
}

static void
test_words_may_go(void **state)
{
	char line[] = "Sum";
	char *argv[] = { line, line };
	struct args *a;

	(void)state;
	assert_int_equal(cmd_parse(&try_gnu, 2, argv, &a, NULL), RK_OK);
	line[0] = 'X';
	is_operand(a, 0, "Sum");
	args_free(a);
	assert_int_equal(cmd_parse(&try_gnu, 0, argv, &a, NULL), RK_OK);
	has_operands(a, 0);
	args_free(a);
	args_free(NULL);
}

/* ---- options that stand alone ---- */

static int
no_run(struct args *a, void *ctx)
{
	(void)a;
	(void)ctx;
	return 0;
}

static const struct opt alone_opts[] = {
	{ .name = "file", .letter = 'f', .kind = OPT_TEXT, .flags = OPT_ALONE },
	{ .name = "server", .letter = 's', .kind = OPT_TEXT },
	{ .name = "quic", .letter = 'q' },
	{ .name = "json", .kind = OPT_TEXT, .flags = OPT_MAYBE },
	{ .name = "help", .letter = 'h' },
	{ 0 },
};
static const struct cmd alone_cmds[] = {
	{ .name = "call", .max_operands = 9, .run = no_run },
	{ .name = "ls", .run = no_run },
	{ 0 },
};
static const struct prog alone = {
	.name = "alone",
	.opts = alone_opts,
	.cmds = alone_cmds,
	.default_cmd = "call",
	.run = no_run,
};

static void
test_alone(void **state)
{
	struct args *a = good(&alone, "-f x -q");

	(void)state;
	assert_null(args_cmd(a));
	assert_string_equal(args_text(a, "file", ""), "x");
	args_free(a);
	bad(&alone, "-f x ls", "--file does not go with ls");
	bad(&alone, "ls -f x", "--file does not go with ls");
	bad(&alone, "-f x Sum", "--file takes no operand beside it");
}

static void
test_words_again(void **state)
{
	static const char *const want[] = { "--quic", "--server=h:1", "--json",
		"--server=" };
	struct args *a = good(&alone, "-q -s h:1 --json -f x --server= --help");
	size_t at = 0;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		buf_init(&b, 64);
		assert_int_equal(args_next_word(a, &at, &b), RK_OK);
		assert_int_equal(buf_len(&b), strlen(want[i]));
		assert_memory_equal(buf_peek(&b), want[i], buf_len(&b));
		buf_fini(&b);
	}
	buf_init(&b, 64);
	assert_int_equal(args_next_word(a, &at, &b), RK_ENOENT);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
	args_free(a);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gnu_forms),
		cmocka_unit_test(test_gnu_values),
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_gnu_errors),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_go_forms),
		cmocka_unit_test(test_go_ends),
		cmocka_unit_test(test_words_may_go),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_words_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
