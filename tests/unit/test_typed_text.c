/* Times and durations of typed structs as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "rpc/typed_int.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct rk_str
view(const char *s)
{
	return (struct rk_str){ s, strlen(s) };
}

static void
test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t sec;
		int32_t nsec;
		const char *back; /* NULL: the same */
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0, 0, NULL },
		{ "2026-11-27T08:00:00Z", 1795766400, 0, NULL },
		{ "2026-11-27T08:00:00.5Z", 1795766400, 500000000, NULL },
		{ "2026-11-27T08:00:00.000000001Z", 1795766400, 1, NULL },
		{ "2026-11-27T09:30:00+01:30", 1795766400, 0,
		    "2026-11-27T08:00:00Z" },
		{ "2026-11-27T00:00:00-08:00", 1795766400, 0,
		    "2026-11-27T08:00:00Z" },
		{ "2026-11-27T08:00:00.1234567899Z", 1795766400, 123456789,
		    "2026-11-27T08:00:00.123456789Z" },
		{ "2024-02-29T23:59:59Z", 1709251199, 0, NULL },
		{ "1969-12-31T23:59:59.9Z", -1, 900000000, NULL },
		{ "0001-01-01T00:00:00Z", -62135596800, 0, NULL },
		{ "9999-12-31T23:59:59Z", 253402300799, 0, NULL },
	};
	char text[TYPED_TEXT_MAX];
	struct rk_time t;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    typed_parse_time(view(rows[i].text), &t), RK_OK);
		assert_true(t.is_set && t.sec == rows[i].sec);
		assert_int_equal(t.nsec, rows[i].nsec);
		assert_true(typed_format_time(text, &t));
		assert_string_equal(
		    text, rows[i].back == NULL ? rows[i].text : rows[i].back);
	}
	t = (struct rk_time){ .sec = 253402300800, .is_set = true };
	assert_false(typed_format_time(text, &t));
	t.sec = INT64_MIN;
	assert_false(typed_format_time(text, &t));
}

static void
test_bad_times(void **state)
{
	static const char *const rows[] = { "", "x", "2026-11-27",
		"2026-11-27T08:00Z", "2026-11-27T08:00:00",
		"2026-11-27 08:00:00Z", "2026-11-27T08:00:00z",
		"2026-11-27T08:00:00.Z", "2026-11-27T08:00:00Z ",
		"2026-00-27T08:00:00Z", "2026-13-27T08:00:00Z",
		"2026-11-00T08:00:00Z", "2026-11-31T08:00:00Z",
		"2025-02-29T08:00:00Z", "1900-02-29T08:00:00Z",
		"0000-01-01T00:00:00Z", "2026-11-27T24:00:00Z",
		"2026-11-27T08:60:00Z", "2026-11-27T08:00:60Z",
		"2026-11-27T08:00:00+24:00", "2026-11-27T08:00:00+01:60",
		"2026-11-27T08:00:00+0100", "-026-11-27T08:00:00Z",
		"20261-11-27T08:00:00Z" };
	struct rk_time t;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (typed_parse_time(view(rows[i]), &t) != RK_EFORMAT)
			fail_msg("%s", rows[i]);
		assert_false(t.is_set);
	}
}

static void
test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
		const char *back;
	} rows[] = {
		{ "0", 0, "0s" },
		{ "0s", 0, "0s" },
		{ "1ns", 1, "0.000000001s" },
		{ "-1ns", -1, "-0.000000001s" },
		{ "2us", 2000, "0.000002s" },
		{ "250ms", 250000000, "0.25s" },
		{ "1.5s", 1500000000, "1.5s" },
		{ "1m30s", 90000000000, "90s" },
		{ "1h2m3.004s", 3723004000000, "3723.004s" },
		{ "1.5h", 5400000000000, "5400s" },
		{ "0.1234567891s", 123456789, "0.123456789s" },
		{ "9223372036854775807ns", INT64_MAX, "9223372036.854775807s" },
		{ "-9223372036854775808ns", INT64_MIN,
		    "-9223372036.854775808s" },
	};
	char text[TYPED_TEXT_MAX];
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    typed_parse_duration(view(rows[i].text), &ns), RK_OK);
		assert_true(ns == rows[i].ns);
		typed_format_duration(text, ns);
		assert_string_equal(text, rows[i].back);
		assert_int_equal(typed_parse_duration(view(text), &ns), RK_OK);
		assert_true(ns == rows[i].ns);
	}
}

static void
test_bad_durations(void **state)
{
	static const char *const rows[] = { "", "-", "s", "5", "1.s", ".5s",
		"1 s", "1sec", "1s2", "--1s", "+1s", "1d", "1e3s", "s1" };
	static const char *const large[] = { "9223372036854775808ns",
		"-9223372036854775809ns", "99999999999999999999ns",
		"5124095577h", "9223372037s", "18446744073709551615ns1ns" };
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (typed_parse_duration(view(rows[i]), &ns) != RK_EFORMAT)
			fail_msg("%s", rows[i]);
	for (size_t i = 0; i < COUNT(large); i++)
		if (typed_parse_duration(view(large[i]), &ns) != RK_ETOOBIG)
			fail_msg("%s", large[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_bad_times),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_bad_durations),
	};

	return cmocka_run_group_tests_name("typed text", tests, NULL, NULL);
}
