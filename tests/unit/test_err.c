/* The error table, the texts of a struct rk_error, and the log hook. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/str.h"

static void
test_table(void **state)
{
	(void)state;
	for (int i = 0; i < RK_ERR_COUNT; i++) {
		const char *name = rk_err_name((enum rk_err)i);
		const char *text = rk_err_text((enum rk_err)i);

		assert_memory_equal(name, "RK_", 3);
		assert_true(strlen(text) > 3);
		assert_int_not_equal(text[strlen(text) - 1], '.');
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(
			    name, rk_err_name((enum rk_err)j));
			assert_string_not_equal(
			    text, rk_err_text((enum rk_err)j));
		}
	}
	assert_string_equal(rk_err_name(RK_ETIMEOUT), "RK_ETIMEOUT");
	assert_string_equal(rk_err_text(RK_ETIMEOUT), "time over");
	assert_int_equal(rk_err_exit(RK_ETIMEOUT), 5);
	assert_int_equal(rk_err_exit(RK_OK), 0);
	assert_int_equal(RK_OK, 0);
	assert_string_equal(rk_version(), RK_VERSION);
}

static void
test_unknown_codes(void **state)
{
	static const int codes[] = { -1, RK_ERR_COUNT, 9999 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		enum rk_err code = (enum rk_err)codes[i];

		assert_string_equal(rk_err_name(code), "RK_E?");
		assert_string_equal(rk_err_text(code), "unknown error code");
		assert_int_equal(rk_err_exit(code), 1);
	}
}

static void
test_set(void **state)
{
	struct rk_error err = { .sys = 3, .step = "old", .text = "old" };

	(void)state;
	assert_int_equal(
	    err_set(&err, RK_EFORMAT, "%s:%u: bad", "file", 7), RK_EFORMAT);
	assert_int_equal(err.code, RK_EFORMAT);
	assert_int_equal(err.sys, 0);
	assert_null(err.step);
	assert_string_equal(err.text, "file:7: bad");
	assert_int_equal(err_sys(&err, RK_EIO, EACCES, "%s", "/x"), RK_EIO);
	assert_int_equal(err.sys, EACCES);
	assert_string_equal(err.text, "/x: Permission denied");
	err_clear(&err);
	assert_int_equal(err.code, RK_OK);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.text, "");
	assert_int_equal(err_set(NULL, RK_EIO, "x"), RK_EIO);
	assert_int_equal(err_sys(NULL, RK_EIO, EIO, "x"), RK_EIO);
	err_clear(NULL);
}

/* A long thing is cut; the reason stays; nothing splits a character. */
static void
test_long_texts(void **state)
{
	struct rk_error err;
	char thing[1000];

	(void)state;
	for (size_t n = 0; n < sizeof(thing) - 1; n++) {
		size_t len;

		memset(thing, 'x', n);
		thing[n] = '\0';
		if (n > 2)
			memcpy(thing + n - 3, "\xe2\x82\xac", 3);
		(void)err_set(&err, RK_EIO, "%s", thing);
		len = strlen(err.text);
		assert_true(str_is_utf8(err.text, len));
		assert_int_equal(len < n, n >= sizeof(err.text));
		(void)err_sys(&err, RK_EIO, EACCES, "%s", thing);
		len = strlen(err.text);
		assert_true(str_is_utf8(err.text, len));
		assert_string_equal(err.text + len - 19, ": Permission denied");
	}
}

static void
test_texts_are_one_line(void **state)
{
	struct rk_error err;

	(void)state;
	(void)err_set(&err, RK_EIO, "a\nb\x1b[0m \\x0a");
	assert_string_equal(err.text, "a\\x0ab\\x1b[0m \\x0a");
}

struct sink {
	atomic_uint calls;
	enum rk_log_level level;
	char line[2000];
};

static void
keep(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	struct sink *s = arg;

	atomic_fetch_add(&s->calls, 1);
	assert_string_equal(subsystem, "test");
	s->level = level;
	(void)str_copy(s->line, sizeof(s->line), line);
}

static void
test_log_levels(void **state)
{
	struct sink s = { .calls = 0 };

	(void)state;
	log_event(RK_LOG_ERROR, "test", "nobody listens");
	assert_false(log_enabled(RK_LOG_ERROR));
	rk_log_set_level(RK_LOG_DEBUG);
	assert_false(log_enabled(RK_LOG_ERROR));
	rk_log_set(keep, RK_LOG_WARN, &s);
	assert_true(log_enabled(RK_LOG_ERROR));
	assert_true(log_enabled(RK_LOG_WARN));
	assert_false(log_enabled(RK_LOG_INFO));
	log_event(RK_LOG_WARN, "test", "n=%d", 5);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.level, RK_LOG_WARN);
	assert_string_equal(s.line, "n=5");
	log_event(RK_LOG_INFO, "test", "not wanted");
	assert_int_equal(s.calls, 1);
	rk_log_set_level(RK_LOG_DEBUG);
	log_event(RK_LOG_DEBUG, "test", "wanted");
	assert_int_equal(s.calls, 2);
	rk_log_set(NULL, RK_LOG_DEBUG, NULL);
	assert_false(log_enabled(RK_LOG_ERROR));
	log_event(RK_LOG_ERROR, "test", "nobody listens");
	assert_int_equal(s.calls, 2);
}

static void
test_log_line(void **state)
{
	struct sink s = { .calls = 0 };
	char big[3000];

	(void)state;
	rk_log_set(keep, RK_LOG_DEBUG, &s);
	log_event(RK_LOG_INFO, "test", "a\nerror: forged \\x0a\x9b");
	assert_string_equal(s.line, "a\\x0aerror: forged \\x0a\\x9b");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	log_event(RK_LOG_INFO, "test", "%s", big);
	assert_true(strlen(s.line) > 500);
	assert_true(strlen(s.line) < 1100);
	memset(big, '\n', sizeof(big) - 1);
	log_event(RK_LOG_INFO, "test", "%s", big);
	assert_int_equal(s.line[strlen(s.line) - 1], '~');
	rk_log_set(NULL, RK_LOG_ERROR, NULL);
}

static void
count_only(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	struct sink *s = arg;

	(void)level;
	(void)subsystem;
	(void)line;
	atomic_fetch_add(&s->calls, 1);
}

static void *
log_many(void *arg)
{
	for (int i = 0; i < 1000; i++)
		log_event(RK_LOG_INFO, "test", "event %d of %p", i, arg);
	return NULL;
}

/* Several threads log while the hook and the level change under them. */
static void
test_log_threads(void **state)
{
	struct sink s = { .calls = 0 };
	pthread_t t[4];
	unsigned last;

	(void)state;
	rk_log_set(count_only, RK_LOG_INFO, &s);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, log_many, &s), 0);
	for (int i = 0; i < 100; i++) {
		rk_log_set_level(i % 2 == 0 ? RK_LOG_ERROR : RK_LOG_DEBUG);
		rk_log_set(count_only, RK_LOG_INFO, &s);
	}
	rk_log_set(NULL, RK_LOG_INFO, NULL);
	last = atomic_load(&s.calls);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(atomic_load(&s.calls), last);
	assert_true(last <= 4000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_unknown_codes),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_texts_are_one_line),
		cmocka_unit_test(test_log_levels),
		cmocka_unit_test(test_log_line),
		cmocka_unit_test(test_log_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
