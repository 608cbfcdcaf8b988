/* Where files are: variables, HOME, the working directory. */
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

#include "cli/path.h"
#include "scratch.h"

static int
enter(void **state)
{
	static const char *const names[] = { "XDG_CONFIG_HOME", "XDG_DATA_HOME",
		"XDG_STATE_HOME", "XDG_CACHE_HOME", "RPCKIT_CERTS" };

	for (size_t i = 0; i < 5; i++) {
		if (unsetenv(names[i]) != 0)
			return -1;
	}
	if (setenv("HOME", "/home/u", 1) != 0)
		return -1;
	return scratch_enter(state);
}

static void
user(enum path_base base, const char *want)
{
	char path[PATH_LEN];

	assert_int_equal(path_user(base, "x", path), RK_OK);
	assert_string_equal(path, want);
}

static void
test_user(void **state)
{
	char path[PATH_LEN];

	(void)state;
	user(PATH_CONFIG, "/home/u/.config/rpckit/x");
	user(PATH_DATA, "/home/u/.local/share/rpckit/x");
	user(PATH_STATE, "/home/u/.local/state/rpckit/x");
	user(PATH_CACHE, "/home/u/.cache/rpckit/x");
	assert_int_equal(setenv("XDG_DATA_HOME", "/d", 1), 0);
	user(PATH_DATA, "/d/rpckit/x");
	/* Relative ones are not valid and do not count. */
	assert_int_equal(setenv("XDG_DATA_HOME", "d", 1), 0);
	user(PATH_DATA, "/home/u/.local/share/rpckit/x");
	assert_int_equal(setenv("XDG_DATA_HOME", "", 1), 0);
	user(PATH_DATA, "/home/u/.local/share/rpckit/x");
	assert_int_equal(unsetenv("HOME"), 0);
	assert_int_equal(path_user(PATH_DATA, "x", path), RK_ENOENT);
	assert_string_equal(path, "");
	assert_int_equal(setenv("XDG_DATA_HOME", "/d", 1), 0);
	user(PATH_DATA, "/d/rpckit/x");
}

static void
test_long(void **state)
{
	static char name[PATH_LEN];
	char path[PATH_LEN];
	size_t room = PATH_LEN - strlen("/d/rpckit/") - 1;

	(void)state;
	assert_int_equal(setenv("XDG_DATA_HOME", "/d", 1), 0);
	memset(name, 'a', room);
	assert_int_equal(path_user(PATH_DATA, name, path), RK_OK);
	assert_int_equal(strlen(path), PATH_LEN - 1);
	name[room] = 'a';
	assert_int_equal(path_user(PATH_DATA, name, path), RK_ETOOBIG);
	assert_string_equal(path, "");
}

static void
certs(const char *given, bool system, const char *want, const char *source)
{
	char path[PATH_LEN];
	const char *why;

	assert_int_equal(path_certs(given, system, path, &why), RK_OK);
	assert_string_equal(path, want);
	assert_string_equal(why, source);
}

static void
test_certs(void **state)
{
	(void)state;
	certs(NULL, false, "/home/u/.config/rpckit/certs", "default");
	certs(NULL, true, "/etc/rpckit/certs", "default");
	scratch_make("certs", "a file is no directory", 0600);
	certs(NULL, true, "/etc/rpckit/certs", "default");
	assert_int_equal(unlink("certs"), 0);
	assert_int_equal(mkdir("certs", 0700), 0);
	certs(NULL, false, "certs", "working directory");
	certs(NULL, true, "certs", "working directory");
	assert_int_equal(setenv("RPCKIT_CERTS", "/env", 1), 0);
	certs(NULL, false, "/env", "$RPCKIT_CERTS");
	certs("flag", false, "flag", "flag");
}

static void
test_known(void **state)
{
	char path[PATH_LEN];

	(void)state;
	assert_int_equal(path_known("known_server_keys", false, path), RK_OK);
	assert_string_equal(
	    path, "/home/u/.local/share/rpckit/known_server_keys");
	assert_int_equal(path_known("known_client_keys", true, path), RK_OK);
	assert_string_equal(path, access("/var/lib/rpckit", F_OK) == 0
	                              ? "/var/lib/rpckit/known_client_keys"
	                              : "known_client_keys");
	scratch_make("known_server_keys", "", 0600);
	assert_int_equal(path_known("known_server_keys", false, path), RK_OK);
	assert_string_equal(path, "known_server_keys");
}

static void
test_admin(void **state)
{
	char here[PATH_LEN / 2], want[PATH_LEN], path[PATH_LEN];

	(void)state;
	assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
	assert_int_equal(path_admin_user(path), RK_ENOENT);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/no/such", 1), 0);
	assert_int_equal(path_admin_user(path), RK_ENOENT);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", ".", 1), 0);
	assert_int_equal(path_admin_user(path), RK_ENOENT);
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(setenv("XDG_RUNTIME_DIR", here, 1), 0);
	assert_true(
	    snprintf(want, sizeof(want), "%s/rpckit/admin.sock", here) > 0);
	assert_int_equal(path_admin_user(path), RK_OK);
	assert_string_equal(path, want);
	/* It is not there: that of a service, if any. */
	if (path_admin(NULL, path) == RK_OK)
		assert_string_equal(path, PATH_ADMIN_SYSTEM);
	assert_int_equal(mkdir("rpckit", 0700), 0);
	scratch_make("rpckit/admin.sock", "", 0600);
	assert_int_equal(path_admin(NULL, path), RK_OK);
	assert_string_equal(path, want);
	assert_int_equal(path_admin("given", path), RK_OK);
	assert_string_equal(path, "given");
	assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
}

static void
test_unix_url(void **state)
{
	char here[PATH_LEN / 2], want[PATH_LEN], url[PATH_LEN];

	(void)state;
	assert_int_equal(path_unix_url("/a/b", url, sizeof(url)), RK_OK);
	assert_string_equal(url, "unix:///a/b");
	assert_non_null(getcwd(here, sizeof(here)));
	assert_true(snprintf(want, sizeof(want), "unix://%s/b", here) > 0);
	assert_int_equal(path_unix_url("b", url, sizeof(url)), RK_OK);
	assert_string_equal(url, want);
	assert_int_equal(path_unix_url("/a/b", url, 11), RK_ETOOBIG);
	assert_int_equal(path_unix_url("/a/b", url, 12), RK_OK);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_user, enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_long, enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_certs, enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_known, enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_admin, enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_unix_url, enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
