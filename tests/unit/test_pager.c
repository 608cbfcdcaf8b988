/* How many rows of a screen a text takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <string.h>

#include "cli/pager.h"

static size_t
rows(const char *text, unsigned columns)
{
	return pager_rows(text, strlen(text), columns);
}

static void
counts_lines(void **state)
{
	(void)state;
	assert_int_equal(rows("", 10), 0);
	assert_int_equal(rows("a", 10), 1);
	assert_int_equal(rows("a\n", 10), 1);
	assert_int_equal(rows("a\n\nb", 10), 3);
}

static void
counts_what_is_wrapped(void **state)
{
	(void)state;
	assert_int_equal(rows("0123456789", 10), 1);
	assert_int_equal(rows("0123456789a", 10), 2);
	assert_int_equal(rows("0123456789\nb", 10), 2);
	assert_int_equal(rows("\033[1;31m0123456789\033[0m\n", 10), 1);
	assert_int_equal(rows("\033[", 10), 1); /* no color: it is cut */
}

static void
knows_widths(void **state)
{
	(void)state;
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		skip();
	assert_int_equal(rows("\u65e5\u65e5\u65e5\u65e5\u65e5", 10), 1);
	assert_int_equal(rows("\u65e5\u65e5\u65e5\u65e5\u65e5.", 10), 2);
	assert_int_equal(rows("\u65e5\u65e5\u65e5\u65e5\u65e5", 9), 2);
	assert_int_equal(rows("123456789e\u0301", 10), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_lines),
		cmocka_unit_test(counts_what_is_wrapped),
		cmocka_unit_test(knows_widths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
