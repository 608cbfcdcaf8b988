/* Streams of a program: errors, notes, colors, tables, full disks, pipes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "capture.h"
#include "cli/out.h"
#include "tryprog.h"

static const struct field fields[] = {
	{ "name", "NAME", FIELD_TEXT },
	{ "count", "N", FIELD_NUMBER },
	{ "known", "KNOWN", FIELD_BOOL },
	{ "since", "SINCE", FIELD_TIME },
	{ "id", NULL, FIELD_TEXT },
	{ "note", "NOTE", FIELD_TEXT },
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static const union cell rows[][N_FIELDS] = {
	{ { .text = "a\xc3\xa9\t\033[1m" }, { .number = -12 }, { .yes = true },
	    { .number = 1762085071 }, { .text = "\xff\"\\\n\xc2\x85" },
	    { .text = "x y" } },
	{ { .text = "" }, { .number = 7 }, { .yes = false }, { .number = 0 },
	    { .text = NULL }, { .text = NULL } },
};

static int
print_rows(void *arg)
{
	const struct out *o = arg;
	struct table *t;

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	if (table_new(o, fields, N_FIELDS, &t) != RK_OK)
		return 1;
	for (size_t i = 0; i < 2; i++) {
		if (table_row(t, rows[i]) != RK_OK)
			return 2;
	}
	table_end(t);
	return out_flush(o) == RK_OK ? 0 : 3;
}

static void
test_table(void **state)
{
	static struct capture got;
	struct out o = { .prog = "try" };

	(void)state;
	capture_run(&got, print_rows, &o);
	assert_int_equal(got.status, 0);
	assert_string_equal(got.out,
	    "NAME             N  KNOWN  SINCE                 NOTE\n"
	    "a\xc3\xa9\\x09\\x1b[1m  -12  yes    2025-11-02T12:04:31Z  x y\n"
	    "-                7  no     -                     -\n");
	o.form = OUT_PLAIN;
	capture_run(&got, print_rows, &o);
	assert_string_equal(got.out,
	    "a\xc3\xa9\\x09\\x1b[1m\t-12\tyes\t2025-11-02T12:04:31Z\t"
	    "\\xff\"\\\\\\x0a\\xc2\\x85\tx y\n-\t7\tno\t-\t-\t-\n");
	o.form = OUT_JSON;
	capture_run(&got, print_rows, &o);
	assert_string_equal(got.out,
	    "{\"schema\":1,\"name\":\"a\xc3\xa9\\t\\u001b[1m\",\"count\":-12,"
	    "\"known\":true,\"since\":\"2025-11-02T12:04:31Z\","
	    "\"id\":\"\xef\xbf\xbd\\\"\\\\\\n\\u0085\",\"note\":\"x y\"}\n"
	    "{\"schema\":1,\"name\":\"\",\"count\":7,\"known\":false,"
	    "\"since\":null,\"id\":null,\"note\":null}\n");
}

static int
print_shown(void *arg)
{
	static const struct field two[] = {
		{ "raw", "RAW", FIELD_TEXT },
		{ "shown", "SHOWN", FIELD_SHOWN },
	};
	/* The last should have been escaped, and was not. */
	static const union cell cells[][2] = {
		{ { .text = "a\\b\n" }, { .text = "a\\\\b\\x0a" } },
		{ { .text = NULL }, { .text = "" } },
		{ { .text = "x" }, { .text = "\033[2J" } },
	};
	const struct out *o = arg;
	struct table *t;

	if (table_new(o, two, 2, &t) != RK_OK)
		return 1;
	for (size_t i = 0; i < 3; i++) {
		if (table_row(t, cells[i]) != RK_OK)
			return 2;
	}
	table_end(t);
	return out_flush(o) == RK_OK ? 0 : 3;
}

/* What has been escaped stays as it is, and is safe all the same. */
static void
test_shown(void **state)
{
	static struct capture got;
	struct out o = { .prog = "try" };

	(void)state;
	capture_run(&got, print_shown, &o);
	assert_int_equal(got.status, 0);
	assert_string_equal(got.out, "RAW       SHOWN\n"
	                             "a\\\\b\\x0a  a\\\\b\\x0a\n"
	                             "-         -\n"
	                             "x         \\x1b[2J\n");
	o.form = OUT_PLAIN;
	capture_run(&got, print_shown, &o);
	assert_string_equal(
	    got.out, "a\\\\b\\x0a\ta\\\\b\\x0a\n-\t-\nx\t\\x1b[2J\n");
	o.form = OUT_JSON;
	capture_run(&got, print_shown, &o);
	assert_non_null(strstr(
	    got.out, "\"raw\":\"a\\\\b\\n\",\"shown\":\"a\\\\\\\\b\\\\x0a\"}"));
}

static int
print_nothing(void *arg)
{
	struct table *t;

	if (table_new(arg, fields, N_FIELDS, &t) != RK_OK)
		return 1;
	table_end(t);
	table_end(NULL);
	return 0;
}

static int
print_no_list(void *arg)
{
	struct table *t;

	if (table_new(arg, fields, N_FIELDS, &t) != RK_OK)
		return 1;
	table_end_list(t);
	return 0;
}

static void
test_empty_table(void **state)
{
	static struct capture got;
	struct out o = { .prog = "try" };

	(void)state;
	capture_run(&got, print_nothing, &o);
	assert_int_equal(got.status, 0);
	assert_string_equal(got.out, "");
	capture_run(&got, print_no_list, &o);
	assert_string_equal(got.out, "");
	o.form = OUT_JSON;
	capture_run(&got, print_nothing, &o);
	assert_string_equal(got.out, "");
	capture_run(&got, print_no_list, &o);
	assert_string_equal(got.out, "[]\n");
}

static void
test_narrow_table(void **state)
{
	char text[1024];
	struct out o = { .prog = "try", .color_out = true };

	(void)state;
	capture_terminal(45, print_rows, &o, text, sizeof(text));
	assert_string_equal(text,
	    "\033[1mNAME      N  KNOWN  SINCE                 NOTE\033[0m\r\n"
	    "a\xc3\xa9\\x0~  -12  yes    2025-11-02T12:04:31Z  x y\r\n"
	    "-         7  no     -                     -\r\n");
}

static int
print_in_c(void *arg)
{
	struct table *t;

	(void)setlocale(LC_CTYPE, "C");
	if (table_new(arg, fields, N_FIELDS, &t) != RK_OK)
		return 1;
	if (table_row(t, rows[0]) != RK_OK)
		return 2;
	table_end(t);
	return 0;
}

/* A terminal that is told by no locale to show UTF-8 gets none. */
static void
test_ascii_table(void **state)
{
	char text[1024];
	struct out o = { .prog = "try" };

	(void)state;
	capture_terminal(80, print_in_c, &o, text, sizeof(text));
	assert_string_equal(text,
	    "NAME                    N  KNOWN  SINCE                 NOTE\r\n"
	    "a\\xc3\\xa9\\x09\\x1b[1m  -12  yes    "
	    "2025-11-02T12:04:31Z  x y\r\n");
}

static int
print_roomy(void *arg)
{
	static const struct table_room rooms[] = { { "name", 10, 0 },
		{ "count", 0, 2 }, { "known", 0, 1 }, { "since", 20, 0 } };
	struct table *t;

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	if (table_new(arg, fields, N_FIELDS, &t) != RK_OK)
		return 1;
	table_rooms(t, rooms, 4);
	for (size_t i = 0; i < 2; i++) {
		if (table_row(t, rows[i]) != RK_OK)
			return 2;
	}
	table_end(t);
	return 0;
}

/* What must be read whole, or long enough, is: others are left out for it. */
static void
test_left_out(void **state)
{
	char text[1024];
	struct out o = { .prog = "try" };

	(void)state;
	capture_terminal(50, print_roomy, &o, text, sizeof(text));
	assert_string_equal(text,
	    "NAME          N  KNOWN  SINCE                 NOTE\r\n"
	    "a\xc3\xa9\\x09\\x1~  -12  yes    2025-11-02T12:04:31Z  x y\r\n"
	    "-             7  no     -                     -\r\n");
	capture_terminal(49, print_roomy, &o, text, sizeof(text));
	assert_string_equal(text,
	    "NAME           KNOWN  SINCE                 NOTE\r\n"
	    "a\xc3\xa9\\x09\\x1b[1m  yes    2025-11-02T12:04:31Z  x y\r\n"
	    "-              no     -                     -\r\n");
	capture_terminal(44, print_roomy, &o, text, sizeof(text));
	assert_string_equal(text,
	    "NAME           SINCE                 NOTE\r\n"
	    "a\xc3\xa9\\x09\\x1b[1m  2025-11-02T12:04:31Z  x y\r\n"
	    "-              -                     -\r\n");
	/* What stays sticks out. */
	capture_terminal(20, print_roomy, &o, text, sizeof(text));
	assert_string_equal(text,
	    "NAME        SINCE                 NOTE\r\n"
	    "a\xc3\xa9\\x09\\x1~  2025-11-02T12:04:31Z  x y\r\n"
	    "-           -                     -\r\n");
}

/* One long cell, and so many rows that blanks below it would take gigabytes. */
static int
print_uneven(void *arg)
{
	const struct field two[] = { { "a", "A", FIELD_TEXT },
		{ "b", "B", FIELD_TEXT } };
	char wide[60000];
	union cell cells[2] = { { .text = wide }, { .text = "x" } };
	struct table *t;

	memset(wide, 'w', sizeof(wide));
	wide[sizeof(wide) - 1] = '\0';
	if (table_new(arg, two, 2, &t) != RK_OK)
		return 1;
	for (size_t i = 0; i < 4; i++) {
		if (table_row(t, cells) != RK_OK)
			return 2;
		cells[0].text = "y";
	}
	table_end(t);
	return 0;
}

static void
test_uneven_table(void **state)
{
	static struct capture got;
	struct out o = { .prog = "try" };
	const char *second;

	(void)state;
	capture_run(&got, print_uneven, &o);
	assert_int_equal(got.status, 0);
	/* Of the long one nothing is missing. */
	second = strstr(got.out, "\nw");
	assert_non_null(second);
	assert_int_equal(strspn(second + 1, "w"), 59999);
	assert_memory_equal(second + 60000, "  x\ny ", 6);
	second = strrchr(got.out, 'y');
	assert_in_range(strlen(second), 900, 1001);
}

static void
test_json_string(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "a\0b", 3, "\"a\\u0000b\"" },
		{ "\x1f\x7f ", 3, "\"\\u001f\\u007f \"" },
		{ "\xc3\xa9\xe2\x82\xac", 5, "\"\xc3\xa9\xe2\x82\xac\"" },
		{ "\xe2\x80\xae", 3, "\"\\u202e\"" },
		{ "\xf3\xa0\x80\x81", 4, "\"\\udb40\\udc01\"" },
		{ "\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\"" },
		{ "\xc3", 1, "\"\xef\xbf\xbd\"" },
		{ "\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80x", 4,
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"" },
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_init(&b, 100);
		assert_int_equal(
		    out_json_string(&b, cases[i].in, cases[i].len), RK_OK);
		assert_int_equal(buf_put(&b, "", 1), RK_OK);
		assert_string_equal((const char *)buf_peek(&b), cases[i].out);
		buf_fini(&b);
	}
	buf_init(&b, 5);
	assert_int_equal(out_json_string(&b, "abcd", 4), RK_ETOOBIG);
	buf_fini(&b);
}

static int
fail_text(void *arg)
{
	const struct out *o = arg;
	struct rk_error err;

	out_text(o, "answer\n");
	out_note(o, "note %d", 1);
	out_warn(o, "warn %s", "two");
	err_set(&err, RK_ETIMEOUT, "host:1: no answer");
	return out_error(o, &err, "later");
}

static void
test_fail(void **state)
{
	static struct capture got;
	struct out o = { .prog = "try" };

	(void)state;
	capture_run(&got, fail_text, &o);
	assert_int_equal(got.status, 5);
	assert_string_equal(got.out, "answer\n");
	assert_string_equal(got.err,
	    "try: note 1\ntry: warn two\ntry: host:1: no answer\n"
	    "try: later\n");
	o.quiet = true;
	o.form = OUT_JSON;
	capture_run(&got, fail_text, &o);
	assert_string_equal(got.err,
	    "try: warn two\n{\"schema\":1,\"ok\":false,\"error\":{\"code\":"
	    "\"timeout\",\"exit\":5,\"text\":\"host:1: no answer\",\"try\":"
	    "\"later\"}}\n");
}

static int
write_much(void *arg)
{
	struct out o = { .prog = "try" };
	const char *where = arg;
	int fd = open(where, O_WRONLY);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return 90;
	for (int i = 0; i < 10000; i++)
		out_text(&o, "0123456789");
	return rk_err_exit(out_flush(&o));
}

static int
write_little(void *arg)
{
	struct out o = { .prog = "try" };
	int fd = open(arg, O_WRONLY);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return 90;
	out_bytes(&o, "x", 1);
	return rk_err_exit(out_flush(&o));
}

static void
test_full(void **state)
{
	static struct capture got;
	char full[] = "/dev/full";
	char null[] = "/dev/null";

	(void)state;
	capture_run(&got, write_little, full);
	assert_int_equal(got.status, 1);
	assert_string_equal(
	    got.err, "try: cannot write the answer: No space left on device\n");
	capture_run(&got, write_much, full);
	assert_int_equal(got.status, 1);
	assert_non_null(strstr(got.err, "try: cannot write the answer"));
	capture_run(&got, write_much, null);
	assert_int_equal(got.status, 0);
	assert_string_equal(got.err, "");
}

static int
write_pipe(void *arg)
{
	struct out o = { .prog = "try" };
	int fds[2];

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || pipe(fds) != 0 ||
	    close(fds[0]) != 0 || dup2(fds[1], STDOUT_FILENO) < 0)
		return 90;
	if (arg != NULL)
		for (int i = 0; i < 10000; i++)
			out_text(&o, "0123456789");
	out_text(&o, "x");
	return rk_err_exit(out_flush(&o));
}

static void
test_pipe(void **state)
{
	static struct capture got;

	(void)state;
	capture_run(&got, write_pipe, NULL);
	assert_int_equal(got.status, 128 + SIGPIPE);
	assert_string_equal(got.err, "");
	capture_run(&got, write_pipe, &got);
	assert_int_equal(got.status, 128 + SIGPIPE);
	assert_string_equal(got.err, "");
}

struct color_case {
	const char *when;
	const char *no_color;
	const char *force;
	const char *term;
	bool on_terminal;
	bool wanted;
};

static int
tell_color(void *arg)
{
	const struct color_case *c = arg;
	char prog[] = "try";
	char flag[32];
	char *argv[] = { prog, flag };
	struct args *a;
	struct out o;

	if (setenv("TERM", c->term, 1) != 0 ||
	    setenv("NO_COLOR", c->no_color, 1) != 0 ||
	    setenv("FORCE_COLOR", c->force, 1) != 0 ||
	    unsetenv("CLICOLOR_FORCE") != 0 ||
	    snprintf(flag, sizeof(flag), "--color=%s", c->when) < 0 ||
	    cmd_parse(&try_gnu, 2, argv, &a, NULL) != RK_OK)
		return 90;
	out_init(&o, a);
	args_free(a);
	printf("%s", o.color_out ? "yes" : "no");
	return 0;
}

static void
test_color(void **state)
{
	static const struct color_case cases[] = {
		{ "auto", "", "", "xterm", true, true },
		{ "auto", "", "", "xterm", false, false },
		{ "auto", "", "", "dumb", true, false },
		{ "auto", "1", "", "xterm", true, false },
		{ "auto", "", "1", "dumb", false, true },
		{ "auto", "", "0", "xterm", false, false },
		{ "auto", "1", "1", "xterm", true, false },
		{ "always", "1", "", "dumb", false, true },
		{ "never", "", "1", "xterm", true, false },
	};
	static struct capture got;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct color_case c = cases[i];

		if (c.on_terminal)
			capture_terminal(
			    80, tell_color, &c, got.out, sizeof(got.out));
		else
			capture_run(&got, tell_color, &c);
		if (strcmp(got.out, c.wanted ? "yes" : "no") != 0)
			fail_msg("case %zu: %s", i, got.out);
	}
}

static void
test_init(void **state)
{
	char prog[] = "try";
	char json[] = "--json";
	char plain[] = "--plain";
	char quiet[] = "--quiet";
	char *argv[] = { prog, plain, quiet, json };
	struct args *a;
	struct out o;

	(void)state;
	assert_int_equal(cmd_parse(&try_gnu, 3, argv, &a, NULL), RK_OK);
	out_init(&o, a);
	assert_string_equal(o.prog, "try");
	assert_int_equal(o.form, OUT_PLAIN);
	assert_true(o.quiet && !o.verbose);
	args_free(a);
	assert_int_equal(cmd_parse(&try_gnu, 4, argv, &a, NULL), RK_OK);
	out_init(&o, a);
	assert_int_equal(o.form, OUT_JSON);
	assert_false(o.color_out || o.color_err);
	args_free(a);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_empty_table),
		cmocka_unit_test(test_narrow_table),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_ascii_table),
		cmocka_unit_test(test_uneven_table),
		cmocka_unit_test(test_json_string),
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_color),
		cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
