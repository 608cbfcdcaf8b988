/* The dashboard's table of keys: nothing twice, hints that fit, the manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/keys.h"
#include "tui/term.h"

static void
test_found(void **state)
{
	const struct keys_row *k;

	(void)state;
	k = keys_find(TAB_CONNS, 'x');
	assert_non_null(k);
	assert_int_equal(k->action, ACT_KICK);
	assert_true(k->steers);
	assert_null(keys_find(TAB_TRUST, 'x'));
	assert_null(keys_find(TAB_CONNS, 'a'));
	/* A second name is as good as the first, where that is. */
	assert_int_equal(keys_find(TAB_LOG, TK_F1)->action, ACT_HELP);
	assert_int_equal(keys_find(TAB_LOG, TK_DOWN)->action, ACT_DOWN);
}

static void
test_nothing_twice(void **state)
{
	const struct keys_row *a, *b;

	(void)state;
	for (size_t i = 0; (a = keys_row(i)) != NULL; i++) {
		assert_true(a->tabs == 0 || a->help != NULL);
		for (size_t j = i + 1; (b = keys_row(j)) != NULL; j++) {
			if (a->key == b->key)
				assert_int_equal(a->tabs & b->tabs, 0);
		}
	}
}

/* What decides or closes is marked as steering. */
static void
test_steering(void **state)
{
	static const enum action all[] = { ACT_APPROVE, ACT_ONCE, ACT_REJECT,
		ACT_LATER, ACT_FORGET, ACT_NOTE, ACT_LOCK, ACT_IMPORT, ACT_KICK,
		ACT_CANCEL, ACT_UNDO, ACT_ALLOW, ACT_DENY };
	const struct keys_row *k;

	(void)state;
	for (size_t i = 0; (k = keys_row(i)) != NULL; i++) {
		bool steers = false;

		for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++)
			steers = steers || all[j] == k->action;
		assert_int_equal(k->steers, steers);
	}
}

static void
test_hints(void **state)
{
	char text[512];

	(void)state;
	for (enum tab t = TAB_CONNS; t < TAB_COUNT; t++) {
		for (size_t width = 40; width < 200; width++) {
			size_t n;

			keys_hints(t, false, width, text, sizeof(text));
			n = strlen(text);
			assert_true(n <= width);
			assert_int_equal(strncmp(text, "j/k", 3), 0);
			assert_non_null(strstr(text, "?"));
			assert_int_equal(text[n - 1] == 'q' ||
			                     strcmp(text + n - 4, "quit") == 0,
			    1);
		}
	}
	keys_hints(TAB_CONNS, false, 80, text, sizeof(text));
	assert_string_equal(text,
	    "j/k move  Enter more  / find  s sort  x kick  p pause  : cmd  "
	    "? help  q quit");
	keys_hints(TAB_TRUST, false, 80, text, sizeof(text));
	assert_string_equal(text,
	    "j/k move  Enter decide  f forget  m note  i import  e export  "
	    "L LOCK  ? help  q");
	keys_hints(TAB_TRUST, false, 40, text, sizeof(text));
	assert_string_equal(text, "j/k  Enter decide  1-5 tabs  / find  ? q");
	keys_hints(TAB_TRUST, true, 200, text, sizeof(text));
	assert_null(strstr(text, "LOCK"));
	keys_hints(TAB_TRUST, false, 200, text, sizeof(text));
	assert_non_null(strstr(text, "LOCK"));
}

/* Who may only look decides nothing with Enter: that is not offered. */
static void
test_only_looks(void **state)
{
	const struct keys_row *k = keys_find(TAB_TRUST, TK_ENTER);
	char text[512];

	(void)state;
	for (enum tab t = TAB_CONNS; t < TAB_COUNT; t++) {
		keys_hints(t, true, 200, text, sizeof(text));
		assert_null(strstr(text, "decide"));
		assert_non_null(strstr(text, "Enter more"));
		assert_null(
		    strstr(keys_help(keys_find(t, TK_ENTER), true), "decide"));
	}
	keys_hints(TAB_TRUST, false, 200, text, sizeof(text));
	assert_non_null(strstr(text, "Enter decide"));
	assert_non_null(strstr(keys_help(k, false), "decide"));
	k = keys_find(TAB_CONNS, 's');
	assert_string_equal(keys_help(k, true), keys_help(k, false));
}

/* Is the key among those that the manual's items name? */
static bool
in_manual(const char *manual, const char *name)
{
	for (const char *at = manual; (at = strstr(at, "\n.It Ic")) != NULL;) {
		const char *end = strchr(++at, '\n');

		for (const char *w = at; w < end;) {
			size_t n;

			w += strspn(w, " ,");
			w += strncmp(w, "\\&", 2) == 0 ? 2 : 0;
			n = strcspn(w, " \n");
			if (n == strlen(name) && strncmp(w, name, n) == 0)
				return true;
			w += n > 0 ? n : 1;
		}
	}
	return false;
}

static void
test_manual(void **state)
{
	static char manual[100000];
	char path[4096], list[8192];
	const char *src = getenv("SRC_DIR");
	FILE *file;

	(void)state;
	(void)snprintf(
	    path, sizeof(path), "%s/man/rpctui.1", src == NULL ? "." : src);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(manual, 1, sizeof(manual) - 1, file) > 0);
	(void)fclose(file);
	keys_list(list, sizeof(list));
	for (char *line = list; *line != '\0';) {
		char *end = strchr(line, '\n');
		size_t name = strcspn(line, "\t");

		line[name] = '\0';
		if (!in_manual(manual, line))
			fail_msg("the manual has no key %s", line);
		line = end + 1;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_nothing_twice),
		cmocka_unit_test(test_steering),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_only_looks),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
