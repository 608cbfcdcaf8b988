/* The dashboard's command line: words cut, judged and completed by the table
 * of rpcd ctl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tuirig.h"

#include "cli/ctl.h"
#include "tui/ctlwords.h"

static bool
steers(const char *line)
{
	struct ctlwords w;

	assert_true(ctlwords_take(&w, "/run/s", line));
	return ctlwords_steer(&w);
}

static void
test_cut(void **state)
{
	struct ctlwords w;

	(void)state;
	assert_true(ctlwords_take(
	    &w, "/run/a b", " trust  note 'x y' \"it's\" a'b c'd"));
	assert_int_equal(w.n, 8);
	assert_string_equal(w.v[1], "--socket");
	assert_string_equal(w.v[2], "/run/a b");
	assert_string_equal(w.v[3], "trust");
	assert_string_equal(w.v[5], "x y");
	assert_string_equal(w.v[6], "it's");
	assert_string_equal(w.v[7], "ab cd");
	assert_null(w.v[8]);
	assert_false(ctlwords_take(&w, "/run/s", "trust 'note"));
	assert_false(ctlwords_take(&w, "/run/s", "  "));
	assert_false(ctlwords_take(&w, "/run/s",
	    "1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 20 1 2 3 4 5 6 7 8 9 "
	    "30 1 2 3 4"));
}

static void
test_steering(void **state)
{
	static const char *const looks[] = { "status", "conns -w", "log -f",
		"--json status", "trust ls", "trust --state known ls",
		"trust show x", "trust audit", "trust check", "trust export",
		"metrics", "version", "help stop", "no such verb",
		"log --level debug" };
	static const char *const does[] = { "kick 1", "stop", "drain", "reload",
		"--json stop", "trust lock", "trust unlock", "trust approve x",
		"trust --note y reject x", "trust import f", "trust undo x",
		"trust mode open", "log --set debug", "log -set=debug",
		"trust -- replace a b", "--socket /other stop" };

	(void)state;
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		if (steers(looks[i]))
			fail_msg("%s only looks", looks[i]);
	}
	for (size_t i = 0; i < sizeof(does) / sizeof(does[0]); i++) {
		if (!steers(does[i]))
			fail_msg("%s changes something", does[i]);
	}
}

/* What a line becomes. */
static void
becomes(const struct model *m, const char *from, const char *want)
{
	struct line l = { 0 };

	line_set(&l, from);
	ctlwords_complete(m, &l);
	l.text[l.len] = '\0';
	assert_string_equal(l.text, want);
}

static void
test_complete(void **state)
{
	struct model *m = *state;

	becomes(m, "stat", "status ");
	becomes(m, "s", "st"); /* status, stop */
	becomes(m, "help tr", "help trust ");
	becomes(m, "tr", "trust ");
	becomes(m, "trust aud", "trust audit ");
	becomes(m, "trust un", "trust un"); /* undo, unlock */
	becomes(m, "trust exp", "trust export ");
	becomes(m, "trust mode lo", "trust mode lock ");
	becomes(m, "conns --wa", "conns --watch ");
	becomes(m, "trust approve SHA", "trust approve SHA");
	becomes(m, "nothing x", "nothing x");
	becomes(m, "", "");
	assert_int_equal(
	    tui_tell(m, "_.trust", 1,
	        "{\"keys\":[{\"state\":\"new\",\"fingerprint\":\"" FP_A
	        "\"},{\"state\":\"new\",\"fingerprint\":\"" FP_B "\"}]}"),
	    RK_OK);
	assert_int_equal(
	    tui_tell(m, "_.conns", 1, "{\"conns\":[{\"id\":1234}]}"), RK_OK);
	becomes(m, "trust approve SHA", "trust approve SHA256:");
	becomes(m, "trust approve SHA256:a", "trust approve " FP_A " ");
	becomes(m, "trust replace " FP_A " SHA256:b",
	    "trust replace " FP_A " " FP_B " ");
	becomes(m, "trust lock SHA", "trust lock SHA");
	becomes(m, "kick 1", "kick 1234 ");
	becomes(m, "kick SHA256:b", "kick " FP_B " ");
}

/* Every verb of trust's is in its help, and in no two ways. */
static void
test_table(void **state)
{
	const struct cmd *c = ctl_prog.cmds;
	const struct cmd_word *w;
	size_t n = 0;

	(void)state;
	while (strcmp(c->name, "trust") != 0)
		c++;
	for (; (w = c->word(n)) != NULL; n++)
		assert_non_null(strstr(c->about, w->name));
	assert_true(n > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_steering),
		cmocka_unit_test_setup_teardown(
		    test_complete, tui_enter, tui_leave),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
