/* What was seen last of a vault, where a restore is ended by force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "keyvault/keyvault.h"
#include "scratch.h"
#include "vaultrig.h"

#define COPY "copy.db"

/* As a program does that starts: is nothing told? */
static bool
goes_on(void)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct kv kv = { .vault = vaultrig_open(), .out.prog = "test" };
	struct seen seen;
	struct rk_error err;
	bool fine;

	seen_read(kv.vault, &seen);
	assert_int_equal(vault_unlock(kv.vault, pass, &err), RK_OK);
	fine = seen_look(&kv, &seen);
	seen_keep(kv.vault, false);
	vault_close(kv.vault);
	rk_secret_free(pass);
	return fine;
}

static void
write_one(const char *name)
{
	struct vault *v = vaultrig_unlocked();

	vaultrig_add(v, name, RECORD_SECRET, 1);
	vault_close(v);
}

static struct vault *
open_copy(void)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *from = NULL;
	struct rk_error err;

	assert_int_equal(vault_open_copy(COPY, &from, &err), RK_OK);
	assert_int_equal(vault_unlock(from, pass, &err), RK_OK);
	rk_secret_free(pass);
	return from;
}

static void
keep_copy(void)
{
	struct vault *v = vaultrig_unlocked();
	struct rk_error err;

	(void)unlink(COPY);
	assert_int_equal(vault_backup(v, COPY, &err), RK_OK);
	vault_close(v);
}

/* A vault that was seen, and a copy of what it was before. */
static void
make(void)
{
	char home[PATH_MAX];

	assert_non_null(getcwd(home, sizeof(home)));
	assert_int_equal(setenv("HOME", home, 1), 0);
	assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
	vaultrig_make(false);
	write_one("a");
	keep_copy();
	write_one("b");
	write_one("c");
	assert_true(goes_on());
}

static void
put_back(struct vault *from)
{
	struct vault *v = vaultrig_open();
	struct rk_error err;

	assert_int_equal(vault_restore(v, from, &err), RK_OK);
	assert_int_equal(vault_settle(v, &err), RK_OK);
	vault_close(v);
}

/* Killed behind the commit and before it could be kept: it was meant. */
static void
test_ended_behind(void **state)
{
	struct vault *from;

	(void)state;
	make();
	from = open_copy();
	seen_mean(from);
	put_back(from);
	vault_close(from);
	assert_true(goes_on());
	assert_true(goes_on());
	write_one("d");
	assert_true(goes_on());
}

/* Restored, and written so often, before it was looked at. */
static void
restore_and_write(int times)
{
	struct vault *from;

	make();
	from = open_copy();
	seen_mean(from);
	put_back(from);
	vault_close(from);
	for (int i = 0; i < times; i++)
		write_one((const char[2]){ (char)('d' + i), '\0' });
}

/* Whoever writes has looked: it is not much that another one has written. */
static void
test_written_since(void **state)
{
	(void)state;
	restore_and_write(4);
	assert_true(goes_on());
	assert_true(goes_on());
}

static void
test_written_much_since(void **state)
{
	(void)state;
	restore_and_write(5);
	assert_false(goes_on());
}

/* What failed is not meant any more, whatever goes on from it. */
static void
test_failed_then_put_back(void **state)
{
	struct vault *from;
	struct vault *v;
	struct rk_error err;
	sqlite3 *other;

	(void)state;
	make();
	assert_int_equal(sqlite3_open(VAULTRIG_FILE, &other), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
	    SQLITE_OK);
	from = open_copy();
	v = vaultrig_open();
	vault_patience(v, 0);
	seen_mean(from);
	assert_int_equal(vault_restore(v, from, &err), RK_EBUSY);
	seen_unmean(from);
	vault_close(v);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	put_back(from);
	vault_close(from);
	write_one("d");
	assert_false(goes_on());
	assert_false(goes_on());
}

static void
seal_anew(void)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *v = vaultrig_unlocked();
	struct rk_error err;

	assert_int_equal(vault_rekey(v, pass, &vaultrig_kdf, &err), RK_OK);
	vault_close(v);
	rk_secret_free(pass);
}

/* Nor is what was sealed anew in between, whose log goes on from any. */
static void
test_other_key_put_back(void **state)
{
	struct vault *early;
	struct vault *between;

	(void)state;
	make();
	early = open_copy();
	seal_anew();
	keep_copy();
	between = open_copy();
	seal_anew();
	assert_true(goes_on());
	seen_mean(early);
	vault_close(early);
	put_back(between);
	vault_close(between);
	assert_false(goes_on());
}

/* Killed before it: what is there was seen, and from then on the copy is an
 * older one again. */
static void
test_ended_before(void **state)
{
	struct vault *from;

	(void)state;
	make();
	from = open_copy();
	seen_mean(from);
	assert_true(goes_on());
	put_back(from);
	vault_close(from);
	assert_false(goes_on());
	assert_false(goes_on());
}

/* Nobody meant it. */
static void
test_put_back(void **state)
{
	struct vault *from;

	(void)state;
	make();
	from = open_copy();
	put_back(from);
	vault_close(from);
	assert_false(goes_on());
	write_one("d");
	write_one("e");
	write_one("f");
	assert_false(goes_on());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ended_behind),
		TEST(test_written_since),
		TEST(test_written_much_since),
		TEST(test_failed_then_put_back),
		TEST(test_other_key_put_back),
		TEST(test_ended_before),
		TEST(test_put_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
